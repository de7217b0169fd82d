//! Renames a file without replacing another one.
//!
//! Some file systems have no rename that fails if the new name exists, and some have no hard links. But all can
//! create a file exclusively: an empty file claims the name, and the file is then renamed over it.

use std::ffi::OsStr;
use std::fs::File;

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, OFlags, fstat, linkat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::native;

/// A name in a directory.
type Name<'a> = (&'a Dir, &'a OsStr);

/// Renames a file, if the new name is free; otherwise the error is `EXIST`.
pub(super) fn rename_without_replacing(from: Name<'_>, to: Name<'_>) -> Result<(), Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
            Err(error) if error != Errno::EXIST => {}
            renamed => return renamed,
        }
    }
    match linkat(from.0, from.1, to.0, to.1, AtFlags::empty()) {
        // The file has its new name. If the temporary one remains, no request can reach it.
        Ok(()) => _ = unlinkat(from.0, from.1, AtFlags::empty()),
        Err(Errno::EXIST) => return Err(Errno::EXIST),
        Err(_) => rename_over_claim(from, to)?,
    }
    Ok(())
}

/// Claims the name with an empty file, and renames the file over it. The empty file is briefly visible.
fn rename_over_claim(from: Name<'_>, to: Name<'_>) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    let claim: File = openat(to.0, to.1, flags, Mode::RUSR | Mode::WUSR)?.into();
    if !is_named(&claim, to) {
        return Err(Errno::EXIST);
    }
    renameat(from.0, from.1, to.0, to.1).inspect_err(|_| {
        if is_named(&claim, to) {
            let _ = unlinkat(to.0, to.1, AtFlags::empty());
        }
    })
}

/// Returns whether the name refers to this file, and not to one that has replaced it.
pub(super) fn is_named(file: &File, (dir, name): Name<'_>) -> bool {
    let (Ok(found), Ok(own)) = (statat(dir, name, AtFlags::SYMLINK_NOFOLLOW), fstat(file)) else {
        return false;
    };
    native::is_same(&found, &own)
}
