//! [`NewDirectories`]: the directories that a file needs and that are missing, made when it is complete.

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

/// A directory that is there, and below it the names of those that are missing, one in the other.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: Dir,
    /// The path of the directory below the root.
    pub(super) path: PathBuf,
    pub(super) missing: Vec<OsString>,
}

impl Place {
    /// Looks for the directory of that path. At most this number of names at its end may be missing.
    pub(super) fn find(
        tree: &Tree,
        path: &path::Path,
        missing_max: usize,
    ) -> Result<Place, FsError> {
        let (mut path, mut missing) = (path, Vec::new());
        let dir = loop {
            match tree.open_directory(path) {
                Ok(dir) => break dir,
                Err(error)
                    if error.kind() == ErrorKind::NotFound && missing.len() < missing_max =>
                {
                    let name = path.file_name().ok_or(FsError::NotFound)?;
                    missing.push(name.to_owned());
                    path = above(path);
                }
                Err(error) => return Err(write_error(&error)),
            }
        };
        missing.reverse();
        // A link that leads nowhere has the name, too.
        if missing
            .first()
            .is_some_and(|name| dir.symlink_metadata(name).is_ok())
        {
            return Err(FsError::NotFound);
        }
        let path = path.to_owned();
        Ok(Place { dir, path, missing })
    }
}

/// The path of the directory that holds this.
pub(super) fn above(path: &path::Path) -> &path::Path {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    above.unwrap_or(path::Path::new("."))
}

/// Directories that were made, or found to have been made by somebody else: each is in the one before. To drop them
/// removes those that were made and are empty, unless they are kept.
#[derive(Debug)]
pub(super) struct NewDirectories<'a> {
    first: &'a Dir,
    found: Vec<Found<'a>>,
}

#[derive(Debug)]
struct Found<'a> {
    name: &'a OsStr,
    dir: Dir,
    made: bool,
}

impl<'a> NewDirectories<'a> {
    /// Makes the directories that are missing.
    pub(super) fn make(place: &'a Place) -> Result<NewDirectories<'a>, Errno> {
        let mut new = NewDirectories {
            first: &place.dir,
            found: Vec::new(),
        };
        for name in &place.missing {
            let above = new.last();
            let made = match mkdirat(above, name, MODE) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(error),
            };
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = openat(above, name, flags, Mode::empty()).inspect_err(|_| {
                if made {
                    remove(above, name);
                }
            });
            let dir = Dir::from_std_file(File::from(opened?));
            new.found.push(Found { name, dir, made });
        }
        Ok(new)
    }

    /// The last of them, in which the file will be.
    pub(super) fn last(&self) -> &Dir {
        self.found.last().map_or(self.first, |found| &found.dir)
    }

    /// Keeps them.
    pub(super) fn keep(mut self) {
        self.found.clear();
    }
}

impl Drop for NewDirectories<'_> {
    fn drop(&mut self) {
        while let Some(Found { name, made, .. }) = self.found.pop() {
            if made {
                remove(self.last(), name);
            }
        }
    }
}

/// Removes a directory that was made. If something is in it by now, it stays.
fn remove(above: &Dir, name: &OsStr) {
    let _ = unlinkat(above, name, AtFlags::REMOVEDIR);
}

/// Of a new directory, less what the process's mask takes away.
const MODE: Mode = Mode::from_raw_mode(0o777);
