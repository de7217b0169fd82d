//! [`FsCheck`]: a check of the list for file systems, with the files that it needs.

use std::borrow::Cow;

use super::subject::Subject;
use crate::{Entry, Site};

/// A check of a file system: its name, what it is about, and its files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsCheck {
    /// The name, unique in the list.
    pub name: &'static str,
    /// Whether it stores files.
    pub stores: bool,
    /// Whether it creates directories, and removes files and directories
    /// ([`FileSystem::change`](sanserve_core::FileSystem::change)).
    pub changes: bool,
    /// Whether the file system must refuse names that are not portable
    /// ([`Path::is_portable`](sanserve_core::Path::is_portable)), as on Windows.
    pub portable_names: bool,
    /// Whether the file system must have the names of Unix: any bytes, and different names if their letter case
    /// differs. In the checks with neither this nor [`portable_names`](Self::portable_names) all names are portable
    /// ones in ASCII.
    pub unix_names: bool,
    /// Whether there are symbolic links.
    pub links: bool,
    /// Whether it opens directories as archives.
    pub archives: bool,
    /// The number of bytes for which the file system must have space, if it must be full after that; 0 otherwise.
    pub space: u64,
    /// The files that it needs in addition to those that all checks have.
    entries: Vec<Entry>,
}

/// A check with its function.
pub(super) struct Listed<F: sanserve_core::FileSystem> {
    pub(super) check: FsCheck,
    pub(super) run: fn(&Subject<F>) -> Result<(), String>,
}

impl FsCheck {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            stores: false,
            changes: false,
            portable_names: false,
            unix_names: false,
            links: false,
            archives: false,
            space: 0,
            entries: Vec::new(),
        }
    }

    pub(super) fn storing(name: &'static str) -> Self {
        Self {
            stores: true,
            ..Self::new(name)
        }
    }

    /// A check that changes the tree, which also stores files.
    pub(super) fn changing(name: &'static str) -> Self {
        Self {
            changes: true,
            ..Self::storing(name)
        }
    }

    pub(super) fn with_portable_names(self) -> Self {
        Self {
            portable_names: true,
            ..self
        }
    }

    pub(super) fn with_unix_names(self) -> Self {
        Self {
            unix_names: true,
            ..self
        }
    }

    /// Adds a symbolic link.
    pub(super) fn link(mut self, path: &'static str, target: &'static str) -> Self {
        let (path, target) = (path.as_bytes().into(), target.as_bytes().into());
        self.entries.push(Entry::Link { path, target });
        self.links = true;
        self
    }

    /// Adds files, each of which contains its own path.
    pub(super) fn files(mut self, paths: &[&'static [u8]]) -> Self {
        let paths = paths.iter().copied();
        self.entries.extend(paths.map(|path| file(path, path)));
        self
    }

    pub(super) fn directory(mut self, path: &'static str) -> Self {
        self.entries.push(directory(path));
        self
    }

    /// Returns the files that the file system must have.
    #[must_use]
    pub fn site(&self) -> Site {
        let entries = [base(), self.entries.clone()].concat().into();
        Site { entries }
    }
}

/// Returns the entries that every check has.
fn base() -> Vec<Entry> {
    vec![
        file(b"a.txt", b"hello\n"),
        file(b"b.txt", b"other\n"),
        file(b"empty", b""),
        file(b"large", noise(100_003)),
        Entry::File {
            path: b"old".into(),
            // A second and a half before 1970.
            modified: (-2, 500_000_000),
            body: b"before 1970".into(),
            executable: false,
            unreadable: false,
        },
        directory("deep"),
        file(b"deep/a.txt", b"another a.txt"),
        directory("deep/er"),
        file(b"deep/er/leaf", b"leaf"),
        // Its name begins with that of a directory.
        file(b"deeper", b"not in deep"),
    ]
}

fn file(path: &'static [u8], body: impl Into<Cow<'static, [u8]>>) -> Entry {
    Entry::File {
        path: path.into(),
        modified: (1_577_836_800, 750_000_000),
        body: body.into(),
        executable: false,
        unreadable: false,
    }
}

fn directory(path: &'static str) -> Entry {
    let path = path.as_bytes().into();
    let unreadable = false;
    Entry::Directory { path, unreadable }
}

/// Returns bytes in which no two pieces are equal.
pub(super) fn noise(len: u32) -> Vec<u8> {
    (0..len)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}
