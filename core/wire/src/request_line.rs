//! The request line: method, target and version with one blank between them (RFC 9112 §3), or the
//! two words of HTTP/0.9. What the target means is left to [`target`](super::target).

use core::ops::Range;

use memchr::{memchr, memrchr};

use super::Bad;
use super::syntax::is_token;

/// The versions that make a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The simple request, `GET /path`: the reply is the content and nothing else.
    Http09,
    /// 1.0.
    Http10,
    /// 1.1, and the minor versions that may follow it.
    Http11,
}

/// Where the parts of a request line lie in it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) command: Range<usize>,
    pub(super) target: Range<usize>,
    pub(super) version: Version,
}

/// Takes a request line apart. As in CPython the last of three or more words is the version, and
/// is looked at before they are counted. A blank more, or of another kind, is refused: where one
/// reader parts words that another does not, they see two requests (RFC 9112 §3).
pub(super) fn parse(line: &str) -> Result<Line, Bad> {
    let blank_at_an_end = line.starts_with(' ') || line.ends_with(' ');
    // Many bytes at a time, since nothing ends the loop.
    let control = |found, byte: u8| found | byte.is_ascii_control();
    if blank_at_an_end || line.bytes().fold(false, control) {
        return Err(Bad::Line);
    }
    let (command, rest) = split(line).ok_or(Bad::Line)?;
    let (target, after) = match split(rest) {
        Some((target, after)) => (target, Some(after)),
        None => (rest, None),
    };
    let version = after.map(version_of_last).transpose()?;
    let parted = after.is_some_and(|after| split(after).is_some());
    if parted || target.is_empty() || !is_token(command.as_bytes()) {
        return Err(Bad::Line);
    }
    if version.is_none() && command != "GET" {
        return Err(Bad::Simple);
    }
    let at = command.len() + 1;
    Ok(Line {
        command: 0..command.len(),
        target: at..at + target.len(),
        version: version.unwrap_or(Version::Http09),
    })
}

/// Reads a line of the usual kind, and no other: a path in which nothing is encoded, HTTP/1.0 or 1.1.
pub(super) fn plain(line: &[u8]) -> Option<Line> {
    let (words, version) = match line.split_last_chunk()? {
        (words, b" HTTP/1.1") => (words, Version::Http11),
        (words, b" HTTP/1.0") => (words, Version::Http10),
        _ => return None,
    };
    let blank = words.iter().position(|&byte| byte == b' ')?;
    let (command, target) = (&words[..blank], &words[blank + 1..]);
    let usual = |usual, byte: u8| usual & (byte.is_ascii_graphic() & !matches!(byte, b'#' | b'%'));
    let is_usual = target.first() == Some(&b'/')
        && target.iter().copied().fold(true, usual)
        && is_token(command)
        && command != b"CONNECT";
    is_usual.then_some(Line {
        command: 0..blank,
        target: blank + 1..words.len(),
        version,
    })
}

/// What is before the first blank, and what behind it.
fn split(words: &str) -> Option<(&str, &str)> {
    let at = memchr(b' ', words.as_bytes())?;
    Some((&words[..at], &words[at + 1..]))
}

/// `HTTP/`, a digit, a dot, a digit (RFC 9112 §2.3), as the last of these words.
fn version_of_last(words: &str) -> Result<Version, Bad> {
    let start = memrchr(b' ', words.as_bytes()).map_or(0, |at| at + 1);
    match &words.as_bytes()[start..] {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            match (major, minor) {
                (b'1', b'0') => Ok(Version::Http10),
                (b'1', _) => Ok(Version::Http11),
                _ => Err(Bad::OtherVersion),
            }
        }
        _ => Err(Bad::Version),
    }
}
