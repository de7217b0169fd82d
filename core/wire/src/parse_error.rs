//! [`ParseError`]: the errors of a malformed message, and the status with which a server answers each.

use core::fmt::{self, Display};

/// An error of a malformed message. Parsing cannot continue after it: the start of the next message is unknown, so the
/// connection has to be closed, after the reply if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// A TLS handshake instead of a request. Nothing of it is stored.
    Tls,
    /// The request line or status line is longer than [`Limits::request_line`](crate::Limits::request_line).
    StartLineTooLong,
    /// The request line does not consist of two or three words with one space between them, contains a control
    /// character, or begins with a method that is not a token (RFC 9112 §3).
    RequestLine,
    /// The status line is not a version, three digits from 100 on and a reason phrase, with one space between them
    /// (RFC 9112 §4).
    StatusLine,
    /// A line of the head ends with LF alone. RFC 9112 §2.2 allows a recipient to accept that, but one that does sees
    /// other fields than one that does not.
    BareLf,
    /// The request target has none of the forms of RFC 9112 §3.2, or one that belongs to another method.
    Target,
    /// The last word of a request line, or the first of a status line, is not an HTTP version.
    Version,
    /// The major version is not 1.
    UnsupportedVersion,
    /// Two words, as in HTTP/0.9, but the method is not `GET`.
    SimpleRequest,
    /// The fields are longer than [`Limits::field_bytes`](crate::Limits::field_bytes).
    FieldsTooLong,
    /// There are more fields than [`Limits::field_count`](crate::Limits::field_count).
    TooManyFields,
    /// A line that is not a field (RFC 9112 §5): a space before the colon, a folded line, a bare CR, a control
    /// character.
    Field,
    /// HTTP/1.1 without `Host` (RFC 9112 §3.2).
    MissingHost,
    /// `Host` occurs twice, or does not name a host (RFC 9112 §3.2).
    Host,
    /// `Content-Length` is not one plain decimal number (RFC 9112 §6.3).
    ContentLength,
    /// `Transfer-Encoding` does not end in `chunked`, occurs together with `Content-Length`, or in HTTP/1.0
    /// (RFC 9112 §6.1).
    TransferEncoding,
    /// `Transfer-Encoding` names a coding other than `chunked`.
    UnsupportedCoding,
    /// `Expect` asks for something other than `100-continue` (RFC 9110 §10.1.1).
    Expectation,
    /// Chunked content that does not follow RFC 9112 §7.1.
    Chunk,
    /// The input ended in the middle of a message.
    Incomplete,
}

impl ParseError {
    /// Returns the status with which a server replies to such a request: 400, 414, 417, 431, 501 or 505. A gateway that
    /// finds the error in a response replies 502 instead.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            ParseError::StartLineTooLong => 414,
            ParseError::Expectation => 417,
            ParseError::FieldsTooLong | ParseError::TooManyFields => 431,
            ParseError::UnsupportedCoding => 501,
            ParseError::UnsupportedVersion => 505,
            _ => 400,
        }
    }

    fn message(self) -> &'static str {
        match self {
            ParseError::Tls => "TLS handshake on a plain HTTP connection",
            ParseError::StartLineTooLong => "the request line or status line is too long",
            ParseError::RequestLine => "bad request line",
            ParseError::StatusLine => "bad status line",
            ParseError::BareLf => "a line ends with a bare LF instead of CR LF",
            ParseError::Target => "bad request target",
            ParseError::Version => "bad HTTP version",
            ParseError::UnsupportedVersion => "unsupported HTTP version: only 1.x is understood",
            ParseError::SimpleRequest => "an HTTP/0.9 request must be a GET",
            ParseError::FieldsTooLong => "the fields are too long",
            ParseError::TooManyFields => "too many fields",
            ParseError::Field => "bad field line",
            ParseError::MissingHost => "Host is missing",
            ParseError::Host => "bad Host",
            ParseError::ContentLength => "bad Content-Length",
            ParseError::TransferEncoding => "bad Transfer-Encoding",
            ParseError::UnsupportedCoding => {
                "unsupported Transfer-Encoding: only chunked is understood"
            }
            ParseError::Expectation => "unsupported Expect: only 100-continue is understood",
            ParseError::Chunk => "bad chunked content",
            ParseError::Incomplete => "the message is incomplete",
        }
    }
}

impl Display for ParseError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.message())
    }
}

impl core::error::Error for ParseError {}
