//! The parts of a [`Disk`](super::Disk) that are specific to Unix, such as paths, the identity of files, and
//! the number that identifies the state of a file.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{self, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags, Stat, openat};
use rustix::io::Errno;
use sanserve_core::{FsError, Path};

use super::numbers::mix;

/// Without `NONBLOCK`, opening a FIFO blocks until it is opened for writing.
pub(super) const OPEN_FLAGS: i32 = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32;

/// Converts a path to one relative to the root, or `None` if no file can have that name.
pub(super) fn path(path: &Path) -> Option<Cow<'_, path::Path>> {
    let bytes = match path.as_bytes() {
        b"" => b".",
        bytes => bytes,
    };
    Some(Cow::Borrowed(path::Path::new(OsStr::from_bytes(bytes))))
}

/// Returns the whole path of a file beneath the root.
pub(super) fn below(root: &path::Path, path: &Path) -> PathBuf {
    let mut name = root.to_path_buf();
    if !path.as_bytes().is_empty() {
        name.push(OsStr::from_bytes(path.as_bytes()));
    }
    name
}

/// Returns what identifies an open file: its device and inode.
pub(super) fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Returns whether both are the same file.
pub(super) fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Opens a path relative to a directory, following all links.
pub(super) fn open_following(dir: &Dir, _: &path::Path, at: &path::Path) -> io::Result<File> {
    let flags = OFlags::CLOEXEC | OFlags::from_bits_retain(OPEN_FLAGS as _);
    Ok(openat(dir, at, OFlags::RDONLY | flags, Mode::empty())?.into())
}

/// Reads at an offset.
pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(into, at)
}

/// Returns whether the file is executable for anybody.
pub(super) fn is_executable(meta: &Metadata) -> bool {
    meta.permissions().mode() & 0o111 != 0
}

/// Returns a number for the state of a file, and when the state began. It is derived from the inode and from
/// the times when content and status were last changed. The time of the status change is renewed by every
/// change and cannot be set, unlike the time of the content (`tar`, `cp -p`, `rsync -t`).
///
/// If the file system has no such time (FAT, read-only images, some FUSE file systems), the system returns that
/// of the content instead. As that can be set, it identifies a state only if it has a fraction.
pub(super) fn state(meta: &Metadata) -> Option<(u64, SystemTime)> {
    let modified = (meta.mtime(), meta.mtime_nsec());
    let changed = (meta.ctime(), meta.ctime_nsec());
    if changed == modified && changed.1 == 0 {
        return None;
    }
    let number = mix(&[
        meta.ino(),
        modified.0 as u64,
        modified.1 as u64,
        changed.0 as u64,
        changed.1 as u64,
    ]);
    let seconds = u64::try_from(changed.0).ok()?;
    let nanos = u32::try_from(changed.1).ok()?;
    Some((number, UNIX_EPOCH + Duration::new(seconds, nanos)))
}

/// Converts an error that has no [`io::ErrorKind`].
pub(super) fn fs_error(error: &io::Error) -> FsError {
    match Errno::from_io_error(error) {
        Some(Errno::LOOP) => FsError::NotFound,
        // A socket, or a device file without a device.
        Some(Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP) => FsError::NotRegularFile,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => FsError::NoResources,
        _ => FsError::Io,
    }
}
