//! [`Site`]: the tree of files that is served in every case, as data.
//!
//! It is the tree that CPython served when its replies were recorded. `site/read.rs` parses `cases/site.txt`, which has
//! one entry a line, a folder before its entries:
//!
//! ```text
//! file     MODE SECONDS PATH BODY      octal mode; modification time, such as 1577836800.75
//! folder   MODE PATH
//! link     PATH TARGET                 a symbolic link
//! ```
//!
//! Paths and bodies are written as in [`text`](crate::text), a space in a path as `\x20`. [`Site::write_to`] writes the
//! tree to a disk. A port without a disk builds it from the entries, or compiles in [`Site::source`].

#[cfg(feature = "std")]
mod read;
#[cfg(feature = "std")]
mod source;

use alloc::borrow::Cow;

/// A tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// All entries below the root; a directory comes before its entries.
    pub entries: Cow<'static, [Entry]>,
}

/// An entry of the tree. Paths are relative to the root, with `/` between segments, and need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// The path.
        path: Cow<'static, [u8]>,
        /// The modification time: seconds since 1970, rounded down, and nanoseconds.
        modified: (i64, u32),
        /// The content.
        body: Cow<'static, [u8]>,
        /// Whether it is executable, as a CGI script.
        executable: bool,
        /// Whether it has no read permission. The recordings were made by root, so the cases expect it to be
        /// served; ports with cases of their own may use this.
        unreadable: bool,
    },
    /// A directory.
    Directory {
        /// The path.
        path: Cow<'static, [u8]>,
        /// Whether it has no read permission; the cases ignore this, as for files.
        unreadable: bool,
    },
    /// A symbolic link.
    Link {
        /// The path.
        path: Cow<'static, [u8]>,
        /// The target, relative to the directory of the link; it need not exist.
        target: Cow<'static, [u8]>,
    },
}

impl Site {
    /// The modification time of every directory, in seconds since 1970: 2001-09-09 01:46:40.
    pub const DIRECTORIES: i64 = 1_000_000_000;

    /// Returns the entry at this path.
    #[must_use]
    pub fn entry(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path() == path)
    }
}

impl Entry {
    /// Returns the path.
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
