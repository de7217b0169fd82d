//! [`ScriptFile`]: a script that was found below the root, and the directory that it is run in.
//!
//! A path is looked up once. By the time the script is started, a directory above it may have been
//! exchanged for a link that leads elsewhere, so the directory that holds it is opened as every file of the disk is,
//! and kept open. The script is run there by its name alone, if the name still means the file that was
//! checked. It is not run by its descriptor: a script with `#!` would be called `/dev/fd/3`, and what looks for
//! its neighbours by `$0` would not find them. Whoever may exchange the file itself may also write to the
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
use super::{VersionSource, native, reason};

/// A file that may be run.
#[derive(Debug)]
pub(super) struct ScriptFile {
    directory: OwnedFd,
    /// The same by its name, for systems where a descriptor has none.
    directory_name: PathBuf,
    name: OsString,
    /// Device and inode of the script.
    identity: (u64, u64),
}

impl Tree {
    /// Looks for a script.
    pub(super) fn find_script(&self, path: &sanserve_core::Path) -> Result<ScriptFile, FsError> {
        let at = self.settings.locate(path)?;
        for _ in 0..TRIES {
            let file = self.open_file(&at).map_err(|error| reason(&error))?;
            let found = file.metadata().map_err(|error| reason(&error))?;
            if !VersionSource::State.plain(&found)?.executable {
                return Err(FsError::Forbidden);
            }
            let script = self.script_in(&at, &found);
            let script = script.map_err(|error| reason(&error))?;
            // Else the directory was exchanged between the two.
            if script.is_there() {
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
    /// Whether its name still means the file that was checked.
    pub(super) fn is_there(&self) -> bool {
        let found = statat(&self.directory, &self.name, AtFlags::empty());
        found.is_ok_and(|found| identity(&found) == self.identity)
    }

    /// What is run, in the working directory.
    pub(super) fn program(&self) -> PathBuf {
        Path::new(".").join(&self.name)
    }

    /// What the directory is called in a child of this process, until that runs another program.
    pub(super) fn working_directory(&self) -> io::Result<PathBuf> {
        #[cfg(target_os = "linux")]
        if Path::new("/proc/self/fd").exists() {
            let number = self.directory.as_raw_fd();
            return Ok(format!("/proc/self/fd/{number}").into());
        }
        // No other name leads to what is open here.
        let (opened, named) = (fstat(&self.directory)?, stat(&self.directory_name)?);
        if !native::is_same(&opened, &named) {
            return Err(io::Error::other("its directory was replaced"));
        }
        Ok(self.directory_name.clone())
    }

    /// The name, for the log.
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

/// How often a script is looked for while directories are being exchanged.
const TRIES: usize = 8;
