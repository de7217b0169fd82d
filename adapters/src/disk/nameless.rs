//! [`Nameless`]: files that have no name until they are complete, and where they can get one.

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

/// What is known of file systems, by their devices: whether a file without a name can be given one. It cannot where
/// second names of files are not allowed: on Android, in some sandboxes.
#[derive(Debug, Default)]
pub(super) struct Nameless {
    /// No file is made so.
    #[cfg(target_os = "linux")]
    never: bool,
    #[cfg(target_os = "linux")]
    known: Mutex<BTreeMap<u64, bool>>,
}

impl Nameless {
    /// With `_never` no file is made without a name.
    pub(super) fn new(_never: bool) -> Nameless {
        Nameless {
            #[cfg(target_os = "linux")]
            never: _never,
            #[cfg(target_os = "linux")]
            known: Mutex::default(),
        }
    }

    /// Creates a file without a name in a directory, if it can be given one there.
    #[cfg(target_os = "linux")]
    pub(super) fn create(&self, dir: &Dir, mode: Mode) -> Option<File> {
        if self.never || !path::Path::new("/proc/self/fd").exists() {
            return None;
        }
        let file = create(dir, mode)?;
        self.can_be_named(dir, &file).then_some(file)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn create(&self, _: &Dir, _: Mode) -> Option<File> {
        None
    }

    /// Whether such a file can be given a name. That is tried once, before any content comes for one.
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

/// Gives a temporary name to an empty file. The error says nothing of other files.
#[cfg(target_os = "linux")]
fn try_to_name(dir: &Dir) -> Result<bool, Errno> {
    let file = create(dir, Mode::RUSR | Mode::WUSR).ok_or(Errno::IO)?;
    let name = temporary_name()?;
    match link(&file, dir, &name) {
        Ok(()) => {
            let _ = unlinkat(dir, &name, AtFlags::empty());
            Ok(true)
        }
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::NOMEM | Errno::IO)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Gives a name to a file that has none.
pub(super) fn link(file: &File, dir: &Dir, name: &OsStr) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;

    let at = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(rustix::fs::CWD, at, dir, name, AtFlags::SYMLINK_FOLLOW)
}
