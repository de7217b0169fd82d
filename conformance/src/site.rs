//! The site: the tree of files that every case is served from, as data.
//!
//! It is the tree that CPython was recorded serving. `cases/site.txt` holds it, an entry a line;
//! a folder stands before what is in it:
//!
//! ```text
//! file     MODE SECONDS PATH BODY      octal mode; when it was modified, as 1577836800.75
//! folder   MODE PATH
//! link     PATH TARGET                 a symbolic link
//! ```
//!
//! Paths and bodies are written as [`text`](crate::text) says, a blank in a path as `\x20`. Putting
//! the tree on a disk is left to [`Site::make`]; a port without one builds it from the entries.

use crate::files;
use crate::line::{self, Line};

/// The mode bits that tell what an entry's flags are.
const READ: u32 = 0o400;
const EXECUTE: u32 = 0o100;

/// A tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// What is in the root, and below; a directory before what it holds.
    pub entries: Vec<Entry>,
}

/// One thing in the tree. Paths are relative to the root, parted by `/`, and need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Where it is.
        path: Vec<u8>,
        /// When it was modified: seconds since 1970, rounded down, and nanoseconds.
        modified: (i64, u32),
        /// What it holds.
        body: Vec<u8>,
        /// Whether it is a program, for CGI.
        executable: bool,
        /// Whether nobody may read it. The recordings were made by a user who may read everything,
        /// so the cases expect it to be served; the flag is for cases that refuse.
        unreadable: bool,
    },
    /// A directory.
    Directory {
        /// Where it is.
        path: Vec<u8>,
        /// Whether nobody may list it; as with a file, the recordings ignore this.
        unreadable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it is.
        path: Vec<u8>,
        /// What it points to, from the directory that it is in; that need not exist.
        target: Vec<u8>,
    },
}

impl Site {
    /// The site that the cases are served from.
    ///
    /// # Panics
    /// When its file cannot be read; the message names the line.
    #[must_use]
    pub fn standard() -> Self {
        Self::read(files::SITE.0, files::SITE.1)
    }

    /// Reads a site; for ports whose own cases want another one.
    ///
    /// # Panics
    /// When it cannot be read; the message names the file and the line.
    #[must_use]
    pub fn read(file: &str, content: &str) -> Self {
        Self {
            entries: line::lines(file, content).map(Entry::read).collect(),
        }
    }

    /// What is at this path, if anything is.
    #[must_use]
    pub fn entry(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path() == path)
    }
}

impl Entry {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self {
            Self::File { path, .. } | Self::Directory { path, .. } | Self::Link { path, .. } => {
                path
            }
        }
    }

    fn read(mut line: Line<'_>) -> Self {
        match line.keyword {
            "file" => {
                let mode = mode(&mut line);
                Self::File {
                    modified: time(&mut line),
                    path: path(&mut line),
                    body: line.bytes(),
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
                target: line.bytes(),
            },
            _ => line.fail("no such keyword in a site"),
        }
    }
}

fn path(line: &mut Line<'_>) -> Vec<u8> {
    let word = line.next_word();
    if word.is_empty() || word.starts_with('/') || word.ends_with('/') {
        line.fail("a path is relative and names something");
    }
    line.bytes_of(word)
}

fn mode(line: &mut Line<'_>) -> u32 {
    let word = line.next_word();
    u32::from_str_radix(word, 8).unwrap_or_else(|_| line.fail("the mode must be an octal number"))
}

/// Reads decimal seconds such as `-1.5`, which is half a second after -2.
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
