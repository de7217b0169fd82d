//! [`ScriptFile`]: finds a script beneath the root, keeps its directory open, in which it runs, and checks that
//! it is still the same file when it is started.
//!
//! The path is looked up once. By the time the script is started, a directory above it may have been replaced
//! by a link that leads elsewhere. So the directory of the script is opened like every file of the disk, and
//! kept open. The script runs there by its name alone, if that still names the file that was checked. It is not
//! run by its descriptor: a script with `#!` would be called `/dev/fd/3`, and a script that looks for its
//! neighbours by `$0` would not find them. Anyone who can replace the file itself may also write to the
//! directory of scripts, and so run anything.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, fstat, stat, statat};
use sanserve_core::FsError;

use super::tree::Tree;
use super::{VersionSource, fs_error, native};

/// A file that may be run.
#[derive(Debug)]
pub(super) struct ScriptFile {
    directory: OwnedFd,
    /// The path of the directory, for systems where a descriptor has none.
    directory_name: PathBuf,
    name: OsString,
    /// Device and inode of the script.
    identity: (u64, u64),
}

impl Tree {
    /// Finds a script.
    pub(super) fn find_script(&self, path: &sanserve_core::Path) -> Result<ScriptFile, FsError> {
        let at = self.settings.locate(path)?;
        for _ in 0..ATTEMPTS_MAX {
            let file = self.open_file(&at).map_err(|error| fs_error(&error))?;
            let found = file.metadata().map_err(|error| fs_error(&error))?;
            if !VersionSource::State.regular_file(&found)?.executable {
                return Err(FsError::Forbidden);
            }
            let script = self.script_in(&at, &found);
            let script = script.map_err(|error| fs_error(&error))?;
            // Otherwise the directory was replaced in between.
            if script.is_unchanged() {
                return Ok(script);
            }
        }
        Err(FsError::NotFound)
    }

    fn script_in(&self, at: &Path, found: &Metadata) -> io::Result<ScriptFile> {
        let parent = match at.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let directory_name = self.path.join(parent);
        let directory = if self.settings.follow {
            native::open_following(&self.dir, &self.path, parent)?
        } else {
            self.open_directory(parent)?.into_std_file()
        };
        Ok(ScriptFile {
            directory: directory.into(),
            directory_name,
            name: at.file_name().unwrap_or(OsStr::new(".")).to_owned(),
            identity: (found.dev(), found.ino()),
        })
    }
}

impl ScriptFile {
    /// Returns whether its name still refers to the file that was checked.
    pub(super) fn is_unchanged(&self) -> bool {
        let found = statat(&self.directory, &self.name, AtFlags::empty());
        found.is_ok_and(|found| identity(&found) == self.identity)
    }

    /// Returns the command, relative to the working directory.
    pub(super) fn command(&self) -> PathBuf {
        Path::new(".").join(&self.name)
    }

    /// Returns a path to the directory that a child of this process can use before `exec`.
    pub(super) fn working_directory(&self) -> io::Result<PathBuf> {
        #[cfg(target_os = "linux")]
        if Path::new("/proc/self/fd").exists() {
            let number = self.directory.as_raw_fd();
            return Ok(format!("/proc/self/fd/{number}").into());
        }
        // There is no path to the open directory, so check that its former path still leads to it.
        let (opened, named) = (fstat(&self.directory)?, stat(&self.directory_name)?);
        if !native::is_same(&opened, &named) {
            return Err(io::Error::other("its directory was replaced"));
        }
        Ok(self.directory_name.clone())
    }

    /// Returns the name, for the log.
    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(self.name.as_bytes()).into_owned()
    }
}

#[allow(
    clippy::unnecessary_cast,
    reason = "these are of other types on other systems"
)]
fn identity(found: &rustix::fs::Stat) -> (u64, u64) {
    (found.st_dev as u64, found.st_ino as u64)
}

/// How often to look for a script while directories are being replaced.
const ATTEMPTS_MAX: usize = 8;
