//! Parses the request line: method, target and [`Version`], separated by single spaces (RFC 9112 §3), or the two words
//! of HTTP/0.9. The module [`target`](super::target) parses the target.

use core::ops::Range;

use memchr::{memchr, memrchr};

use super::syntax::is_token;
use super::{Fields, ParseError};

/// The versions of HTTP that differ in the syntax of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(
    clippy::exhaustive_enums,
    reason = "no further version is read in this way"
)]
pub enum Version {
    /// HTTP/0.9: the simple request `GET /path`, to which the response is content without a head.
    Http09,
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1, and any later minor version.
    Http11,
}

impl Version {
    /// Returns the version as it is written in a start line, such as `HTTP/1.1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::Http09 => "HTTP/0.9",
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }

    /// Returns whether a message with these fields leaves the connection open (RFC 9112 §9.3).
    pub(super) fn keep_alive(self, fields: &Fields) -> bool {
        match self {
            Version::Http09 => false,
            Version::Http10 => {
                fields.has_token("connection", "keep-alive")
                    && !fields.has_token("connection", "close")
            }
            Version::Http11 => !fields.has_token("connection", "close"),
        }
    }
}

/// The positions of the parts of a request line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    pub(super) version: Version,
}

/// Splits a request line. The last of three or more words is treated as the version, and checked before the words are
/// counted. Further spaces, and other white space, are rejected: recipients that split words differently would see
/// different requests (RFC 9112 §3).
pub(super) fn parse(line: &str) -> Result<Line, ParseError> {
    let space_at_an_end = line.starts_with(' ') || line.ends_with(' ');
    // Without an early exit, so that the compiler vectorizes the loop.
    let control = |found, byte: u8| found | byte.is_ascii_control();
    if space_at_an_end || line.bytes().fold(false, control) {
        return Err(ParseError::RequestLine);
    }
    let (method, rest) = split(line).ok_or(ParseError::RequestLine)?;
    let (target, after) = match split(rest) {
        Some((target, after)) => (target, Some(after)),
        None => (rest, None),
    };
    let version = after.map(version_of_last).transpose()?;
    let has_more_words = after.is_some_and(|after| split(after).is_some());
    if has_more_words || target.is_empty() || !is_token(method.as_bytes()) {
        return Err(ParseError::RequestLine);
    }
    if version.is_none() && method != "GET" {
        return Err(ParseError::SimpleRequest);
    }
    let at = method.len() + 1;
    Ok(Line {
        method: 0..method.len(),
        target: at..at + target.len(),
        version: version.unwrap_or(Version::Http09),
    })
}

/// Splits a request line of the usual form, and no other: a path without percent-encoding, and HTTP/1.0 or 1.1.
pub(super) fn plain(line: &[u8]) -> Option<Line> {
    let (words, version) = match line.split_last_chunk()? {
        (words, b" HTTP/1.1") => (words, Version::Http11),
        (words, b" HTTP/1.0") => (words, Version::Http10),
        _ => return None,
    };
    let space = words.iter().position(|&byte| byte == b' ')?;
    let (method, target) = (&words[..space], &words[space + 1..]);
    let usual = |usual, byte: u8| usual & (byte.is_ascii_graphic() & !matches!(byte, b'#' | b'%'));
    let is_usual = target.first() == Some(&b'/')
        && target.iter().copied().fold(true, usual)
        && is_token(method)
        && method != b"CONNECT";
    is_usual.then_some(Line {
        method: 0..space,
        target: space + 1..words.len(),
        version,
    })
}

/// Splits text at the first space.
fn split(words: &str) -> Option<(&str, &str)> {
    let at = memchr(b' ', words.as_bytes())?;
    Some((&words[..at], &words[at + 1..]))
}

/// Parses `HTTP/`, a digit, a dot, a digit (RFC 9112 §2.3), as the last of these words.
fn version_of_last(words: &str) -> Result<Version, ParseError> {
    let start = memrchr(b' ', words.as_bytes()).map_or(0, |at| at + 1);
    match &words.as_bytes()[start..] {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            match (major, minor) {
                (b'1', b'0') => Ok(Version::Http10),
                (b'1', _) => Ok(Version::Http11),
                _ => Err(ParseError::UnsupportedVersion),
            }
        }
        _ => Err(ParseError::Version),
    }
}
