//! What a [`Disk`](super::Disk) does in its own way on Unix.

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

/// Without `NONBLOCK` the opening of a FIFO waits for somebody to write to it.
pub(super) const OPEN_FLAGS: i32 = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32;

/// The path, relative to the root, or `None` if no file can have that name here.
pub(super) fn path(path: &Path) -> Option<Cow<'_, path::Path>> {
    let bytes = match path.as_bytes() {
        b"" => b".",
        bytes => bytes,
    };
    Some(Cow::Borrowed(path::Path::new(OsStr::from_bytes(bytes))))
}

/// The whole name of what is below the root.
pub(super) fn below(root: &path::Path, path: &Path) -> PathBuf {
    let mut name = root.to_path_buf();
    if !path.as_bytes().is_empty() {
        name.push(OsStr::from_bytes(path.as_bytes()));
    }
    name
}

/// What tells a file from all others that are open: its device and inode.
pub(super) fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Whether both are of one file.
pub(super) fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Opens what has a path below an open directory, wherever links lead.
pub(super) fn open_following(dir: &Dir, _: &path::Path, at: &path::Path) -> io::Result<File> {
    let flags = OFlags::CLOEXEC | OFlags::from_bits_retain(OPEN_FLAGS as _);
    Ok(openat(dir, at, OFlags::RDONLY | flags, Mode::empty())?.into())
}

/// Reads at an offset.
pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(into, at)
}

/// Whether somebody may run the file.
pub(super) fn is_executable(meta: &Metadata) -> bool {
    meta.permissions().mode() & 0o111 != 0
}

/// A number for the state that a file is in, and when it came to be: which inode it is, and when its content and
/// its entry were changed. Nobody can set the time of the entry, which every change renews, whatever time
/// the content is said to have (`tar`, `cp -p`, `rsync -t`).
///
/// Where there is no such time (FAT, images that are only read, some file systems in user space) the system returns
/// that of the content instead. Anybody can set that; it tells states apart only if it has a fraction.
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

/// What an error means that has no [`io::ErrorKind`] of its own.
pub(super) fn reason(error: &io::Error) -> FsError {
    match Errno::from_io_error(error) {
        Some(Errno::LOOP) => FsError::NotFound,
        // A socket, or a device file without a device.
        Some(Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP) => FsError::NotRegularFile,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => FsError::NoResources,
        _ => FsError::Io,
    }
}
