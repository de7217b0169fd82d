//! What a [`Disk`](super::Disk) does in its own way on Windows.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::windows::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{self, PathBuf};
use std::str;
use std::time::SystemTime;

use cap_std::fs::Dir;
use sanserve_core::{FsError, Path};

use super::numbers::{mix, since_1970};

/// `FILE_FLAG_BACKUP_SEMANTICS`: without it no directory can be opened.
pub(super) const OPEN_FLAGS: u32 = 0x0200_0000;

/// The path, which is [portable](Path::is_portable), relative to the root, or `None` if no file can have that name here, or
/// if it may be a short name, which is that of another file, hidden perhaps: `GIT~1`.
pub(super) fn path(path: &Path) -> Option<Cow<'_, path::Path>> {
    let mut native = PathBuf::new();
    for segment in path.segments() {
        let name = str::from_utf8(segment).ok()?;
        let odd = |char: char| char.is_ascii_control() || r#":*?"<>|"#.contains(char);
        if name.contains(odd) || is_short(name) {
            return None;
        }
        native.push(name);
    }
    if native.as_os_str().is_empty() {
        native.push(".");
    }
    Some(Cow::Owned(native))
}

/// Whether it may be the short name of something: up to eight characters, of which the last are a
/// tilde and digits, and up to three behind a dot.
fn is_short(name: &str) -> bool {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let start = stem.trim_end_matches(|char: char| char.is_ascii_digit());
    stem.len() <= 8 && extension.len() <= 3 && start.len() < stem.len() && start.ends_with('~')
}

/// Nothing: no other directory can take the place of one that is open.
pub(super) fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Opens what has a path below the root, wherever links lead.
pub(super) fn open_following(_: &Dir, root: &path::Path, at: &path::Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(OPEN_FLAGS);
    options.open(root.join(at))
}

/// Reads at an offset.
pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(into, at)
}

/// Windows has no such mark.
pub(super) fn is_executable(_: &Metadata) -> bool {
    true
}

/// A number for the state that a file is in, and when it came to be: when it was created and when its content was
/// changed. Windows also knows when its entry was changed, and std does not tell. A time without a fraction may
/// be that of several states (FAT, archives that were unpacked).
pub(super) fn state(meta: &Metadata) -> Option<(u64, SystemTime)> {
    let modified = meta.modified().ok()?;
    let (seconds, nanos) = since_1970(modified);
    let number = mix(&[meta.creation_time(), seconds as u64, nanos.into()]);
    (nanos > 0).then_some((number, modified))
}

/// What an error means that has no [`io::ErrorKind`] of its own.
pub(super) fn reason(_: &io::Error) -> FsError {
    FsError::Io
}
