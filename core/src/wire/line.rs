//! The request line: two or three words, by CPython's rules where they are safe.

use core::ops::Range;

use super::Bad;

/// The versions that make a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The simple request, `GET /path`: the reply is the content and nothing else. Also whoever
    /// says `HTTP/0.9`, after a whole head.
    Http09,
    /// Whatever is older than 1.1.
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
    /// Whether the head ends with this line.
    pub(super) simple: bool,
}

/// Takes a request line apart. As in CPython the last of three or more words is the version, and
/// is looked at before they are counted. Words are parted by spaces and tabs alone; of the other
/// characters that Python takes for blanks a proxy in front may think otherwise.
pub(super) fn parse(line: &str) -> Result<Line, Bad> {
    let mut words = words(line);
    let (Some(command), target) = (words.next(), words.next()) else {
        return Err(Bad::Line);
    };
    let last = words.last();
    if line.contains(|char: char| char.is_ascii_control() && char != '\t') {
        return Err(Bad::Line);
    }
    let version = last.map(|word| version(&line[word])).transpose()?;
    let Some(target) = target else {
        return Err(Bad::Line);
    };
    match version {
        Some(_) if self::words(line).count() > 3 => Err(Bad::Line),
        Some(version) => Ok(Line {
            command,
            target,
            version,
            simple: false,
        }),
        None if &line[command.clone()] == "GET" => Ok(Line {
            command,
            target,
            version: Version::Http09,
            simple: true,
        }),
        None => Err(Bad::Simple),
    }
}

/// The words of a request line.
pub(super) fn words(line: &str) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    core::iter::from_fn(move || {
        let start = end + line[end..].find(|char| !BLANKS.contains(&char))?;
        end = line[start..]
            .find(BLANKS)
            .map_or(line.len(), |len| start + len);
        Some(start..end)
    })
}

/// CPython's rule: `HTTP/`, digits, a dot, digits, at most ten of each.
fn version(word: &str) -> Result<Version, Bad> {
    let number = |digits: &str| match digits.len() {
        1..=10 if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse::<u64>().map_err(|_| Bad::Version)
        }
        _ => Err(Bad::Version),
    };
    let (major, minor) = word
        .strip_prefix("HTTP/")
        .and_then(|base| base.split_once('.'))
        .ok_or(Bad::Version)?;
    match (number(major)?, number(minor)?) {
        _ if word == "HTTP/0.9" => Ok(Version::Http09),
        (2.., _) => Err(Bad::VersionTooHigh),
        (1, 1..) => Ok(Version::Http11),
        _ => Ok(Version::Http10),
    }
}

const BLANKS: [char; 2] = [' ', '\t'];
