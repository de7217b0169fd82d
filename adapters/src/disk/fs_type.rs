//! Tells from the type of a file system (its magic number in statfs(2)) whether only this machine changes it,
//! and whether inotify reports all changes.

use std::fs::File;

use rustix::fs::fstatfs;

/// Returns whether only this machine changes the file system, and the file system records the times of changes.
pub(super) fn is_local(file: &File) -> bool {
    watched(file).is_some()
}

/// Returns whether inotify also reports all changes.
pub(super) fn is_watchable(directory: &File) -> bool {
    watched(directory) == Some(true)
}

/// For a local file system, returns whether inotify reports all changes.
fn watched(file: &File) -> Option<bool> {
    let number = fstatfs(file).ok()?.f_type as u32;
    let found = LOCAL.iter().find(|(local, _)| *local == number);
    found.map(|(_, watched)| *watched)
}

/// ext4, XFS, Btrfs, tmpfs, F2FS, bcachefs, SquashFS, EROFS, ISO 9660; and overlayfs and ZFS, which can change
/// from below, for example by a rollback.
const LOCAL: [(u32, bool); 11] = [
    (0xef53, true),
    (0x5846_5342, true),
    (0x9123_683e, true),
    (0x0102_1994, true),
    (0xf2f5_2010, true),
    (0xca45_1a4e, true),
    (0x7371_7368, true),
    (0xe0f5_e1e2, true),
    (0x9660, true),
    (0x794c_7630, false),
    (0x2fc1_2fc1, false),
];
