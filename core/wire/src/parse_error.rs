//! [`Bad`]: everything that can be wrong with a request, the status that it deserves, and the words.

use core::fmt::{self, Display};

use crate::escape::{QUOTE_MAX, Repr, excerpt};

/// What is wrong with a request. None of these leaves room to go on: after the reply the
/// connection closes, and what follows on it is not taken for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bad {
    /// A handshake of TLS. Nothing of it is kept.
    Tls,
    /// The request line is longer than [`Limits::request_line`](crate::Limits::request_line).
    LineTooLong,
    /// The request line has not two or three words with one blank between them, holds a control
    /// character, or begins with what is no method.
    Line,
    /// A line of the head ends with LF alone. RFC 9112 §2.2 leaves that open; who takes it for an
    /// end sees other fields than who does not.
    LineEnd,
    /// The request target has none of the forms of RFC 9112 §3.2, or one that is for another method.
    Target,
    /// The last word of the request line is no HTTP version.
    Version,
    /// Not HTTP/1.x: another protocol.
    OtherVersion,
    /// Two words, as in HTTP/0.9, but not `GET`.
    Simple,
    /// The fields are longer than [`Limits::fields`](crate::Limits::fields).
    FieldsTooLong,
    /// There are more than [`FIELDS_MAX`](super::FIELDS_MAX) fields.
    TooManyFields,
    /// A line that is no field (RFC 9112 §5): a blank before the colon, a folded line, a bare CR,
    /// a control character.
    Field,
    /// HTTP/1.1 without `Host` (RFC 9112 §3.2).
    NoHost,
    /// `Host` comes twice, or does not name a host (RFC 9112 §3.2).
    Host,
    /// `Content-Length` is not one plain number (RFC 9112 §6.3).
    Length,
    /// `Transfer-Encoding` does not end in `chunked`, comes beside `Content-Length`, or in HTTP/1.0
    /// (RFC 9112 §6.1).
    Coding,
    /// `Transfer-Encoding` names a coding before `chunked`, which is not known here.
    UnknownCoding,
    /// `Expect` asks for something other than `100-continue` (RFC 9110 §10.1.1).
    Expectation,
    /// Chunked content that does not follow RFC 9112 §7.1.
    Chunk,
    /// The peer stopped in the middle of a request.
    Incomplete,
}

impl Bad {
    /// The status of the reply.
    pub fn status(self) -> u16 {
        match self {
            Bad::LineTooLong => 414,
            Bad::Expectation => 417,
            Bad::FieldsTooLong | Bad::TooManyFields => 431,
            Bad::UnknownCoding => 501,
            Bad::OtherVersion => 505,
            _ => 400,
        }
    }

    /// What to say in place of the status's own phrase; CPython's words where it has some. `None`
    /// where they quote the request line: see [`Head::complaint`](super::Head::complaint).
    fn message(self) -> Option<&'static str> {
        Some(match self {
            Bad::Tls => "TLS on a plain HTTP port",
            Bad::LineTooLong => "URI Too Long",
            Bad::FieldsTooLong => "Line too long",
            Bad::TooManyFields => "Too many headers",
            Bad::LineEnd => "A line ends with LF alone",
            Bad::Target => "Bad request target",
            Bad::Field => "Bad header field",
            Bad::NoHost => "Host is missing",
            Bad::Host => "Bad Host",
            Bad::Length => "Bad Content-Length",
            Bad::Coding => "Bad Transfer-Encoding",
            Bad::UnknownCoding => "Unsupported Transfer-Encoding",
            Bad::Expectation => "Expectation Failed",
            Bad::Chunk => "Bad chunked content",
            Bad::Incomplete => "Incomplete request",
            Bad::Line | Bad::Version | Bad::OtherVersion | Bad::Simple => return None,
        })
    }

    /// The sentence that explains it on the error page, where the status's own would not do.
    pub fn explanation(self) -> Option<&'static str> {
        match self {
            Bad::FieldsTooLong => Some("got more than 65536 bytes when reading header line"),
            Bad::TooManyFields => Some("got more than 100 headers"),
            _ => None,
        }
    }
}

/// What an error page and the log say of a head with this request line, in CPython's words.
pub(super) struct Complaint<'a> {
    pub(super) line: &'a str,
    pub(super) bad: Bad,
}

impl Display for Complaint<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Complaint { line, bad } = *self;
        let (first, last) = (line.split(' ').next(), line.rsplit(' ').next());
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        match bad {
            Bad::Version => write!(out, "Bad request version ({})", Repr(last)),
            Bad::OtherVersion => {
                let (version, rest) = excerpt(last.trim_start_matches("HTTP/"), QUOTE_MAX);
                write!(out, "Invalid HTTP version ({version}{rest})")
            }
            Bad::Simple => write!(out, "Bad HTTP/0.9 request type ({})", Repr(first)),
            bad => match bad.message() {
                Some(message) => out.write_str(message),
                None => write!(out, "Bad request syntax ({})", Repr(line)),
            },
        }
    }
}
