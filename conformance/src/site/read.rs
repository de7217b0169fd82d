//! Parses a [`Site`] from `cases/site.txt` or a file like it.

use std::borrow::Cow;

use super::{Entry, Site};
use crate::data_files;
use crate::line::{self, Line};

/// The mode bits from which the flags of an entry are set.
const READ: u32 = 0o400;
const EXECUTE: u32 = 0o100;

impl Site {
    /// Returns the site of the standard suite.
    ///
    /// # Panics
    /// If its file cannot be parsed; the message has the line.
    #[must_use]
    pub fn standard() -> Self {
        Self::read(data_files::SITE.0, data_files::SITE.1)
    }

    /// Parses a site; for ports whose own cases need another one.
    ///
    /// # Panics
    /// If it cannot be parsed; the message has the file and the line.
    #[must_use]
    pub fn read(file: &str, content: &str) -> Self {
        Self {
            entries: line::lines(file, content).map(Entry::read).collect(),
        }
    }
}

impl Entry {
    fn read(mut line: Line<'_>) -> Self {
        match line.keyword {
            "file" => {
                let mode = mode(&mut line);
                Self::File {
                    modified: time(&mut line),
                    path: path(&mut line),
                    body: line.bytes().into(),
                    executable: mode & EXECUTE != 0,
                    unreadable: mode & READ == 0,
                }
            }
            "folder" => {
                let unreadable = mode(&mut line) & READ == 0;
                Self::Directory {
                    path: path(&mut line),
                    unreadable,
                }
            }
            "link" => Self::Link {
                path: path(&mut line),
                target: line.bytes().into(),
            },
            _ => line.fail("unknown keyword in a site"),
        }
    }
}

fn path(line: &mut Line<'_>) -> Cow<'static, [u8]> {
    let word = line.next_word();
    if word.is_empty() || word.starts_with('/') || word.ends_with('/') {
        line.fail("a path must be relative, and neither be empty nor end with a slash");
    }
    line.bytes_of(word).into()
}

fn mode(line: &mut Line<'_>) -> u32 {
    let word = line.next_word();
    u32::from_str_radix(word, 8).unwrap_or_else(|_| line.fail("the mode must be an octal number"))
}

/// Parses decimal seconds such as `-1.5`, which is half a second after -2.
fn time(line: &mut Line<'_>) -> (i64, u32) {
    let word = line.next_word();
    nanos(word)
        .map(|nanos| {
            (
                nanos.div_euclid(1_000_000_000) as i64,
                nanos.rem_euclid(1_000_000_000) as u32,
            )
        })
        .unwrap_or_else(|| {
            line.fail("the time must be seconds since 1970, with up to nine decimals")
        })
}

fn nanos(word: &str) -> Option<i128> {
    let (whole, part) = word.split_once('.').unwrap_or((word, "0"));
    if part.len() > 9 {
        return None;
    }
    let part = i128::from(format!("{part:0<9}").parse::<u32>().ok()?);
    let whole = i128::from(whole.parse::<i64>().ok()?) * 1_000_000_000;
    Some(if word.starts_with('-') {
        whole - part
    } else {
        whole + part
    })
}
