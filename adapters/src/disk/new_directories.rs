//! [`NewDirectories`]: creates the missing directories of a new file when it is committed, and removes them
//! again if that fails. [`Parent`] finds out which are missing.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{self, PathBuf};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use sanserve_core::FsError;

use super::tree::Tree;
use super::write_error;

/// An existing directory, and the names of the missing directories below it, outermost first.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) dir: Dir,
    /// The path of the directory beneath the root.
    pub(super) path: PathBuf,
    pub(super) missing: Vec<OsString>,
}

impl Parent {
    /// Finds the directory for a path, of which up to `missing_max` components may be missing at the end.
    pub(super) fn find(
        tree: &Tree,
        path: &path::Path,
        missing_max: usize,
    ) -> Result<Parent, FsError> {
        let (mut path, mut missing) = (path, Vec::new());
        let dir = loop {
            match tree.open_directory(path) {
                Ok(dir) => break dir,
                Err(error)
                    if error.kind() == ErrorKind::NotFound && missing.len() < missing_max =>
                {
                    let name = path.file_name().ok_or(FsError::NotFound)?;
                    missing.push(name.to_owned());
                    path = parent_path(path);
                }
                Err(error) => return Err(write_error(&error)),
            }
        };
        missing.reverse();
        // A dangling link has the name, too.
        if missing
            .first()
            .is_some_and(|name| dir.symlink_metadata(name).is_ok())
        {
            return Err(FsError::NotFound);
        }
        let path = path.to_owned();
        Ok(Parent { dir, path, missing })
    }
}

/// Returns the path of the parent directory.
pub(super) fn parent_path(path: &path::Path) -> &path::Path {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    above.unwrap_or(path::Path::new("."))
}

/// Directories that were created, or turned out to exist by now, outermost first. On drop, those that were
/// created and are empty are removed, unless `keep` was called.
#[derive(Debug)]
pub(super) struct NewDirectories<'a> {
    first: &'a Dir,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    name: &'a OsStr,
    dir: Dir,
    created: bool,
}

impl<'a> NewDirectories<'a> {
    /// Creates the missing directories.
    pub(super) fn create(parent: &'a Parent) -> Result<NewDirectories<'a>, Errno> {
        let mut new = NewDirectories {
            first: &parent.dir,
            entries: Vec::new(),
        };
        for name in &parent.missing {
            let above = new.last();
            let created = match mkdirat(above, name, NEW_DIRECTORY_MODE) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(error),
            };
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = openat(above, name, flags, Mode::empty()).inspect_err(|_| {
                if created {
                    remove(above, name);
                }
            });
            let dir = Dir::from_std_file(File::from(opened?));
            new.entries.push(Entry { name, dir, created });
        }
        Ok(new)
    }

    /// Returns the innermost directory, which will contain the file.
    pub(super) fn last(&self) -> &Dir {
        self.entries.last().map_or(self.first, |entry| &entry.dir)
    }

    /// Returns whether the innermost directory was created.
    pub(super) fn is_last_new(&self) -> bool {
        self.entries.last().is_some_and(|entry| entry.created)
    }

    /// Keeps the directories.
    pub(super) fn keep(mut self) {
        self.entries.clear();
    }
}

impl Drop for NewDirectories<'_> {
    fn drop(&mut self) {
        while let Some(Entry { name, created, .. }) = self.entries.pop() {
            if created {
                remove(self.last(), name);
            }
        }
    }
}

/// Removes a directory that was created; fails if it is not empty any more.
fn remove(above: &Dir, name: &OsStr) {
    let _ = unlinkat(above, name, AtFlags::REMOVEDIR);
}

/// The mode of a new directory, before the umask.
const NEW_DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o777);
