//! [`UnnamedFiles`]: creates files without a name (`O_TMPFILE`), on file systems where they can be given a name
//! later.

use std::ffi::OsStr;
use std::fs::File;
#[cfg(target_os = "linux")]
use std::{collections::BTreeMap, path, sync::Mutex, sync::PoisonError};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, linkat};
#[cfg(target_os = "linux")]
use rustix::fs::{OFlags, fstat, openat, unlinkat};
use rustix::io::Errno;

#[cfg(target_os = "linux")]
use super::temporary_name::temporary_name;

/// Knows for each file system, by its device, whether an unnamed file can be named. That fails where hard links
/// are not allowed: on Android and in some sandboxes.
#[derive(Debug, Default)]
pub(super) struct UnnamedFiles {
    /// Whether unnamed files are disabled.
    #[cfg(target_os = "linux")]
    disabled: bool,
    #[cfg(target_os = "linux")]
    known: Mutex<BTreeMap<u64, bool>>,
}

impl UnnamedFiles {
    /// With `_disabled`, unnamed files are disabled.
    pub(super) fn new(_disabled: bool) -> UnnamedFiles {
        UnnamedFiles {
            #[cfg(target_os = "linux")]
            disabled: _disabled,
            #[cfg(target_os = "linux")]
            known: Mutex::default(),
        }
    }

    /// Creates an unnamed file in a directory, if it can be named there.
    #[cfg(target_os = "linux")]
    pub(super) fn create(&self, dir: &Dir, mode: Mode) -> Option<File> {
        if self.disabled || !path::Path::new("/proc/self/fd").exists() {
            return None;
        }
        let file = create(dir, mode)?;
        self.can_be_named(dir, &file).then_some(file)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn create(&self, _: &Dir, _: Mode) -> Option<File> {
        None
    }

    /// Returns whether an unnamed file can be named. This is tried once for each device, with an empty file.
    #[cfg(target_os = "linux")]
    fn can_be_named(&self, dir: &Dir, file: &File) -> bool {
        let Ok(found) = fstat(file) else {
            return false;
        };
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&found.st_dev) {
            return *known;
        }
        let can_be = try_to_name(dir);
        if let Ok(can_be) = can_be {
            known().insert(found.st_dev, can_be);
        }
        can_be.unwrap_or(false)
    }
}

#[cfg(target_os = "linux")]
fn create(dir: &Dir, mode: Mode) -> Option<File> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::TMPFILE;
    openat(dir, ".", flags, mode).ok().map(File::from)
}

/// Tries to give a temporary name to an empty file. An `Err` says nothing about other files, so it is not
/// remembered.
#[cfg(target_os = "linux")]
fn try_to_name(dir: &Dir) -> Result<bool, Errno> {
    let file = create(dir, Mode::RUSR | Mode::WUSR).ok_or(Errno::IO)?;
    let name = temporary_name()?;
    match name_file(&file, dir, &name) {
        Ok(()) => {
            let _ = unlinkat(dir, &name, AtFlags::empty());
            Ok(true)
        }
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::NOMEM | Errno::IO)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Gives a name to an unnamed file.
pub(super) fn name_file(file: &File, dir: &Dir, name: &OsStr) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;

    let at = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(rustix::fs::CWD, at, dir, name, AtFlags::SYMLINK_FOLLOW)
}
