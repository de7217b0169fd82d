//! [`ScriptHeader`]: parses the header of a CGI script's response, and sends it as the reply's head.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::engine::Exchange;
use crate::sync::Arc;
use crate::text::status;
use crate::wire::RequestHead;
use crate::wire::syntax::is_among;

/// The result of parsing a script's output.
pub(crate) enum Parsed<'a> {
    /// The header is incomplete.
    Incomplete,
    /// The head of the reply was sent. These bytes of content follow it.
    Reply(&'a [u8]),
    /// A local redirect (RFC 3875 §6.2.2): the server is to answer another request. These bytes follow the header.
    Local(Arc<RequestHead>, &'a [u8]),
}

/// The header of a script's response, as far as it has been read.
#[derive(Debug, Clone)]
pub(crate) struct ScriptHeader(Vec<u8>);

impl ScriptHeader {
    pub(crate) fn new() -> Self {
        ScriptHeader(Vec::new())
    }

    /// Parses further output. When the header is complete, sends it as the head of the reply, unless it is a local
    /// redirect. The error is a message that describes what is wrong with the header.
    pub(crate) fn parse_output<'a>(
        &mut self,
        output: &'a [u8],
        ex: &mut Exchange<'_>,
    ) -> Result<Parsed<'a>, &'static str> {
        let before = self.0.len();
        self.0.extend_from_slice(output);
        let Some(end) = end_of_header(&self.0, before) else {
            return if self.0.len() > HEADER_MAX {
                Err("CGI script sent a header that is too long")
            } else {
                Ok(Parsed::Incomplete)
            };
        };
        let content = &output[end - before..];
        Ok(match self.reply(end, ex)? {
            None => Parsed::Reply(content),
            Some(head) => Parsed::Local(head.into(), content),
        })
    }

    /// Sends the header as the head of the reply (RFC 3875 §6.3), or returns the request of a local redirect, which is
    /// a header with only a `Location` that is a path.
    fn reply(
        &self,
        end: usize,
        ex: &mut Exchange<'_>,
    ) -> Result<Option<RequestHead>, &'static str> {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let Ok(httparse::Status::Complete((_, fields))) =
            httparse::parse_headers(&self.0[..end], &mut slots)
        else {
            return Err("CGI script sent a bad header");
        };
        let count = |name: &str| {
            let named = fields.iter();
            named
                .filter(|field| field.name.eq_ignore_ascii_case(name))
                .count()
        };
        if let Some((_, message)) = SINGLE.iter().find(|(name, _)| count(name) > 1) {
            return Err(message);
        }
        if let [only] = fields
            && only.name.eq_ignore_ascii_case("Location")
            && let Some(head) = ex.head.internal_redirect(&latin1(only.value))
        {
            return Ok(Some(head));
        }
        let field = |name: &str| {
            fields
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name))
                .map(|field| field.value)
        };
        let (code, phrase) = match (field("Status"), field("Location")) {
            (Some(status), _) => parse_status(status).ok_or("CGI script sent a bad status")?,
            (None, Some(_)) => (302, status::phrase(302).to_string()),
            (None, None) => (200, "Script output follows".to_string()),
        };
        ex.send_response_with(code, phrase);
        for field in fields
            .iter()
            .filter(|field| !is_among(field.name, &RESERVED_FIELDS))
        {
            ex.send_header(field.name, latin1(field.value));
        }
        ex.end_headers();
        Ok(None)
    }
}

/// Returns the offset after the first empty line, if there is one. Lines end with LF or CR LF; the first `before` bytes
/// have been searched already.
fn end_of_header(bytes: &[u8], before: usize) -> Option<usize> {
    if bytes.starts_with(b"\n") || bytes.starts_with(b"\r\n") {
        return Some(if bytes[0] == b'\n' { 1 } else { 2 });
    }
    let from = before.saturating_sub(2);
    let newlines = (from..bytes.len()).filter(|&at| bytes[at] == b'\n');
    newlines.into_iter().find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Parses a status such as `404 Not Found`, in which the phrase is optional (RFC 3875 §6.3.3).
fn parse_status(value: &[u8]) -> Option<(u16, String)> {
    let text = latin1(value);
    let (code, phrase) = text.split_once(' ').unwrap_or((&text, ""));
    // Three characters leave no room for a sign or a leading zero.
    let number = code.parse().ok().filter(|_| code.len() == 3);
    let code = number.filter(|code| (200..600).contains(code))?;
    let phrase = if phrase.is_empty() {
        status::phrase(code)
    } else {
        phrase
    };
    Some((code, phrase.trim().to_string()))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The longest header of a script, in bytes.
const HEADER_MAX: usize = 65_536;

/// The fields that a script may send only once (RFC 3875 §6.3, RFC 9112 §6.3), with the error message for a second one:
/// clients would not agree which one counts.
const SINGLE: [(&str, &str); 4] = [
    ("Status", "CGI script sent Status twice"),
    ("Location", "CGI script sent Location twice"),
    ("Content-Type", "CGI script sent Content-Type twice"),
    ("Content-Length", "CGI script sent Content-Length twice"),
];

/// The fields that the server sends itself, and hop-by-hop fields.
const RESERVED_FIELDS: [&str; 9] = [
    "Status",
    "Server",
    "Date",
    "Connection",
    "Keep-Alive",
    "Transfer-Encoding",
    "Trailer",
    "Upgrade",
    "TE",
];
