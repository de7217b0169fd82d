//! The parts of a [`Disk`](super::Disk) that are specific to Windows, such as paths, reads at an offset, and
//! the number that identifies the state of a file.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::windows::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{self, PathBuf};
use std::str;
use std::time::SystemTime;

use cap_std::fs::{Dir, DirEntry};
use sanserve_core::{FsError, Path};

use super::numbers::{mix, since_1970};

/// `FILE_FLAG_BACKUP_SEMANTICS`, without which directories cannot be opened.
pub(super) const OPEN_FLAGS: u32 = 0x0200_0000;

/// Converts a [portable](Path::is_portable) path to one relative to the root, or `None` if no file can have
/// that name here.
pub(super) fn path(path: &Path) -> Option<Cow<'_, path::Path>> {
    let mut native = PathBuf::new();
    for segment in path.segments() {
        let name = str::from_utf8(segment).ok()?;
        let odd = |char: char| char.is_ascii_control() || r#":*?"<>|"#.contains(char);
        if name.contains(odd) {
            return None;
        }
        native.push(name);
    }
    if native.as_os_str().is_empty() {
        native.push(".");
    }
    Some(Cow::Owned(native))
}

/// Returns whether no name of the path is a short name such as `GIT~1`, which could be that of a hidden file. A name
/// that has this form is allowed if the directory lists it.
pub(super) fn has_long_names(root: &Dir, at: &path::Path) -> bool {
    let mut parent = PathBuf::from(".");
    at.iter().all(|name| {
        let is_named = |entry: io::Result<DirEntry>| {
            entry.is_ok_and(|entry| entry.file_name().eq_ignore_ascii_case(name))
        };
        let allowed = !name.to_str().is_some_and(is_short)
            || root
                .read_dir(&parent)
                .is_ok_and(|mut entries| entries.any(is_named));
        parent.push(name);
        allowed
    })
}

/// Returns whether a name may be a short name: up to eight characters that end with a tilde and digits, and an
/// extension of up to three characters.
fn is_short(name: &str) -> bool {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let start = stem.trim_end_matches(|char: char| char.is_ascii_digit());
    stem.len() <= 8 && extension.len() <= 3 && start.len() < stem.len() && start.ends_with('~')
}

/// Not needed: no other directory can take the place of an open one.
pub(super) fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Opens a path beneath the root, following all links.
pub(super) fn open_following(_: &Dir, root: &path::Path, at: &path::Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(OPEN_FLAGS);
    options.open(root.join(at))
}

/// Reads at an offset.
pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(into, at)
}

/// Windows has no executable bit.
pub(super) fn is_executable(_: &Metadata) -> bool {
    true
}

/// Returns a number for the state of a file, and when the state began. It is derived from the times when the
/// file was created and when its content was last changed. Windows also has the time of the status change, but
/// std does not expose it. A time without a fraction may stand for several states (FAT, unpacked archives).
pub(super) fn state(meta: &Metadata) -> Option<(u64, SystemTime)> {
    let modified = meta.modified().ok()?;
    let (seconds, nanos) = since_1970(modified);
    let number = mix(&[meta.creation_time(), seconds as u64, nanos.into()]);
    (nanos > 0).then_some((number, modified))
}

/// Converts an error that has no [`io::ErrorKind`].
pub(super) fn fs_error(_: &io::Error) -> FsError {
    FsError::Io
}
