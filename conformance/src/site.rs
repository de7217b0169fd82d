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
//! Paths and bodies are written as [`text`](crate::text) says, a blank in a path as `\x20`. Reading
//! that is in `read`; putting the tree on a disk is left to [`Site::write_to`]; a port without one builds it from
//! the entries, or has [`Site::source`] built in.

#[cfg(feature = "std")]
mod read;
#[cfg(feature = "std")]
mod source;

use alloc::borrow::Cow;

/// A tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// What is in the root, and below; a directory before what it holds.
    pub entries: Cow<'static, [Entry]>,
}

/// One thing in the tree. Paths are relative to the root, parted by `/`, and need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Where it is.
        path: Cow<'static, [u8]>,
        /// When it was modified: seconds since 1970, rounded down, and nanoseconds.
        modified: (i64, u32),
        /// What it holds.
        body: Cow<'static, [u8]>,
        /// Whether it is a program, for CGI.
        executable: bool,
        /// Whether nobody may read it. The recordings were made by a user who may read everything,
        /// so the cases expect it to be served; the flag is for cases that refuse.
        unreadable: bool,
    },
    /// A directory.
    Directory {
        /// Where it is.
        path: Cow<'static, [u8]>,
        /// Whether nobody may list it; as with a file, the recordings ignore this.
        unreadable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it is.
        path: Cow<'static, [u8]>,
        /// What it points to, from the directory that it is in; that need not exist.
        target: Cow<'static, [u8]>,
    },
}

impl Site {
    /// When every directory was modified, in seconds since 1970: 2001-09-09 01:46:40.
    pub const DIRECTORIES: i64 = 1_000_000_000;

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

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self, Self::Directory { .. })
    }
}
