//! Makes a [`Change`] to a [`Disk`]: creates a directory, or removes a file or an empty directory.

use std::ffi::OsStr;
use std::io;
use std::path;
use std::sync::PoisonError;

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;
use sanserve_core::{Change, FsError, Meta};

use super::new_directories::{NewDirectories, Parent, parent_path};
use super::pending_file::find_replaced;
use super::tree::Tree;
use super::{Disk, write_error};

/// Makes the change. Other changes, and files that get their names, wait meanwhile.
pub(super) fn change(disk: &Disk, change: &Change) -> Result<(), FsError> {
    let at = disk.root.settings.locate(change.path())?;
    let name = at.file_name().ok_or(FsError::NotRegularFile)?;
    let tree = disk.root.look_up()?;
    let _guard = disk
        .naming_lock
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    match change {
        Change::CreateDirectory {
            directories_max, ..
        } => create_directory(&tree, &at, name, *directories_max),
        Change::RemoveFile { meta, .. } => remove_file(&tree, &at, name, meta),
        Change::RemoveDirectory { .. } => remove_directory(&open_parent(&tree, &at)?, name),
        _ => Err(FsError::Unsupported),
    }
}

fn create_directory(
    tree: &Tree,
    at: &path::Path,
    name: &OsStr,
    directories_max: usize,
) -> Result<(), FsError> {
    let mut parent = Parent::find(tree, parent_path(at), directories_max)?;
    if parent.missing.is_empty()
        && let Ok(found) = parent.dir.symlink_metadata(name)
    {
        return Err(match found.is_dir() {
            true => FsError::Exists,
            false => FsError::NotRegularFile,
        });
    }
    parent.missing.push(name.to_owned());
    let new = NewDirectories::create(&parent).map_err(|error| write_error(&error.into()))?;
    if !new.is_last_new() {
        return Err(FsError::Exists);
    }
    new.keep();
    Ok(())
}

fn remove_file(tree: &Tree, at: &path::Path, name: &OsStr, meta: &Meta) -> Result<(), FsError> {
    let dir = open_parent(tree, at)?;
    match find_replaced(&dir, name, true) {
        Ok(Some((_, found))) if tree.settings.versions.regular_file(&found)? == *meta => {}
        Err(FsError::Exists) => return Err(FsError::NotFound),
        Err(error) => return Err(error),
        Ok(_) => return Err(FsError::Exists),
    }
    unlinkat(&dir, name, AtFlags::empty()).map_err(|error| write_error(&error.into()))
}

fn remove_directory(parent: &Dir, name: &OsStr) -> Result<(), FsError> {
    let found = parent.symlink_metadata(name);
    if !found.map_err(|error| write_error(&error))?.is_dir() {
        return Err(FsError::NotRegularFile);
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(|error| match error {
        Errno::NOTEMPTY | Errno::EXIST => FsError::Exists,
        error => write_error(&io::Error::from(error)),
    })
}

/// Opens the directory that contains a path.
fn open_parent(tree: &Tree, at: &path::Path) -> Result<Dir, FsError> {
    let opened = tree.open_directory(parent_path(at));
    opened.map_err(|error| write_error(&error))
}
