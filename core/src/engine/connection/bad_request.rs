//! [`BadRequest`]: the message about a request that cannot be parsed, for its error page and the log. Where CPython
//! has a message, it is the same.

use core::fmt::{self, Display};

use crate::text::escape::{QUOTE_MAX, Repr, excerpt};
use crate::text::status;
use crate::wire::ParseError;

/// The error of a request that cannot be parsed. Its `Display` is the message that replaces the standard phrase of the
/// status.
#[derive(Clone, Copy)]
pub(super) struct BadRequest<'a> {
    pub(super) request_line: &'a str,
    pub(super) error: ParseError,
}

impl BadRequest<'_> {
    /// Returns the sentence that explains it on the error page.
    pub(super) fn explanation(self) -> &'static str {
        match self.error {
            ParseError::FieldsTooLong => "got more than 65536 bytes when reading header line",
            ParseError::TooManyFields => "got more than 100 headers",
            error => status::explanation(error.status()),
        }
    }
}

impl Display for BadRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadRequest {
            request_line,
            error,
        } = *self;
        let (first, last) = (
            request_line.split(' ').next(),
            request_line.rsplit(' ').next(),
        );
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        match error {
            ParseError::Version => write!(out, "Bad request version ({})", Repr(last)),
            ParseError::UnsupportedVersion => {
                let (version, rest) = excerpt(last.trim_start_matches("HTTP/"), QUOTE_MAX);
                write!(out, "Invalid HTTP version ({version}{rest})")
            }
            ParseError::SimpleRequest => {
                write!(out, "Bad HTTP/0.9 request type ({})", Repr(first))
            }
            error => match message(error) {
                Some(message) => out.write_str(message),
                None => write!(out, "Bad request syntax ({})", Repr(request_line)),
            },
        }
    }
}

/// Returns the message, unless it quotes the request line.
fn message(error: ParseError) -> Option<&'static str> {
    Some(match error {
        ParseError::Tls => "TLS on a plain HTTP port",
        ParseError::StartLineTooLong => "URI Too Long",
        ParseError::FieldsTooLong => "Line too long",
        ParseError::TooManyFields => "Too many headers",
        ParseError::BareLf => "A line ends with a bare LF",
        ParseError::Target => "Bad request target",
        ParseError::Field => "Bad header field",
        ParseError::MissingHost => "Host is missing",
        ParseError::Host => "Bad Host",
        ParseError::ContentLength => "Bad Content-Length",
        ParseError::TransferEncoding => "Bad Transfer-Encoding",
        ParseError::UnsupportedCoding => "Unsupported Transfer-Encoding",
        ParseError::Expectation => "Expectation Failed",
        ParseError::Chunk => "Bad chunked content",
        ParseError::Incomplete => "Incomplete request",
        _ => return None,
    })
}
