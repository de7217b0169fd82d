//! [`FileStat`]: reads the metadata of a file on Linux in one call: `statx`, or `fstatat` where that is missing
//! (before Linux 4.11) or denied (seccomp of old containers).

use std::os::fd::AsFd;
use std::path;

use cap_std::fs::Dir;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Statx, StatxAttributes, StatxFlags,
    makedev, openat2, statat, statx,
};
use rustix::io::Errno;
use rustix::path::Arg;

/// Metadata of a file. Only the requested fields are valid.
#[derive(Debug)]
pub(super) struct FileStat {
    pub(super) kind: FileType,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) links: u64,
    pub(super) len: u64,
    /// Seconds since 1970 and nanoseconds.
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
    /// Whether it is a mount point, or may be one.
    pub(super) mounted: bool,
}

impl FileStat {
    /// Reads the metadata of a name in a directory.
    pub(super) fn at(
        dir: impl AsFd,
        name: impl Arg + Copy,
        flags: AtFlags,
        mask: StatxFlags,
    ) -> Result<FileStat, Errno> {
        match statx(&dir, name, flags, mask) {
            Ok(found) => Ok(found.into()),
            Err(Errno::NOSYS | Errno::PERM) => statat(dir, name, flags).map(FileStat::from),
            Err(error) => Err(error),
        }
    }

    /// Reads the metadata of a path, which must not lead out of the directory.
    pub(super) fn beneath(dir: &Dir, at: &path::Path, mask: StatxFlags) -> Option<FileStat> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let found = openat2(dir, at, flags, Mode::empty(), inside).ok()?;
        FileStat::at(&found, c"", AtFlags::EMPTY_PATH, mask).ok()
    }
}

impl From<Statx> for FileStat {
    fn from(found: Statx) -> FileStat {
        let (modified, changed) = (found.stx_mtime, found.stx_ctime);
        FileStat {
            kind: FileType::from_raw_mode(found.stx_mode.into()),
            device: makedev(found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            links: found.stx_nlink.into(),
            len: found.stx_size,
            modified: (modified.tv_sec, modified.tv_nsec.into()),
            changed: (changed.tv_sec, changed.tv_nsec.into()),
            mounted: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        }
    }
}

impl From<Stat> for FileStat {
    #[allow(
        clippy::unnecessary_cast,
        reason = "these are of other types on other machines"
    )]
    fn from(found: Stat) -> FileStat {
        FileStat {
            kind: FileType::from_raw_mode(found.st_mode),
            device: found.st_dev,
            inode: found.st_ino,
            links: found.st_nlink as u64,
            len: found.st_size as u64,
            modified: (found.st_mtime as i64, found.st_mtime_nsec as i64),
            changed: (found.st_ctime as i64, found.st_ctime_nsec as i64),
            mounted: true,
        }
    }
}
