//! What a [`Disk`](super::Disk) does in its own way on Windows.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::windows::fs::FileExt;
use std::path::{self, PathBuf};
use std::str;

use sanserve_core::{FsError, Path};

pub(super) use std::os::windows::fs::OpenOptionsExt;

/// `FILE_FLAG_BACKUP_SEMANTICS`: without it no directory can be opened.
pub(super) const OPEN_FLAGS: u32 = 0x0200_0000;

/// The path, relative to the root, or `None` if no file can have that name here, or if Windows
/// would read something else into it: another drive, a stream, a device, a shorter name.
pub(super) fn path(path: &Path) -> Option<Cow<'_, path::Path>> {
    let mut native = PathBuf::new();
    for segment in path.segments() {
        let name = str::from_utf8(segment).ok()?;
        let odd = |char: char| char.is_ascii_control() || r#"\/:*?"<>|"#.contains(char);
        if name.contains(odd) || name.ends_with(['.', ' ']) || is_device(name) {
            return None;
        }
        native.push(name);
    }
    if native.as_os_str().is_empty() {
        native.push(".");
    }
    Some(Cow::Owned(native))
}

/// Whether the name means a device in whatever directory it stands: `nul`, `COM1.txt`.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end().to_ascii_uppercase();
    match stem.strip_prefix("COM").or(stem.strip_prefix("LPT")) {
        Some("¹" | "²" | "³") => true,
        Some(port) => port.len() == 1 && port.as_bytes()[0].is_ascii_digit(),
        None => matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"),
    }
}

/// Reads at an offset.
pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(into, at)
}

/// Windows has no such mark.
pub(super) fn is_executable(_: &Metadata) -> bool {
    true
}

/// What an error means that has no [`io::ErrorKind`] of its own.
pub(super) fn reason(_: &io::Error) -> FsError {
    FsError::Broken
}
