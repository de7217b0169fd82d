//! [`PendingFile`]: a file of a [`Disk`] that is being created. It is invisible until it is complete, and
//! then gets its name in one step, or takes the place of an older file.
//!
//! On Linux it has no name until it is complete, so that even a killed process leaves nothing behind. If the file
//! system does not support unnamed files, or cannot name them later, the file has a temporary name in the same
//! directory, which is random and reserved ([`Path::TEMPORARY_PREFIX`](sanserve_core::Path::TEMPORARY_PREFIX)), so that
//! no request can reach it. A rename then gives it its final
//! name; it replaces another file only if it was created to do so.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::{AtFlags, Mode, OFlags, StatVfs, fstat, fstatvfs, openat, renameat, unlinkat};
use rustix::io::Errno;
use sanserve_core::{Create, FsError};

use super::access::Access;
use super::new_directories::{NewDirectories, Parent, parent_path};
use super::rename::{is_named, rename_without_replacing};
use super::temporary_name::temporary_name;
use super::tree::Tree;
use super::unnamed_files::{UnnamedFiles, name_file};
use super::{Disk, fs_error, native, write_error};

/// A file that is being created. On drop it is removed, unless it was committed.
#[derive(Debug)]
pub(super) struct PendingFile {
    /// The tree that it belongs to.
    tree: Arc<Tree>,
    /// The directory that it will be in.
    parent: Parent,
    name: OsString,
    replaces: Option<FileState>,
    file: File,
    /// Its temporary name, if it has one.
    temporary: Option<OsString>,
    /// Held while the final name is checked and given.
    naming_lock: Arc<Mutex<()>>,
}

impl PendingFile {
    /// Begins a new file.
    pub(super) fn new(disk: &Disk, create: &Create) -> Result<PendingFile, FsError> {
        let at = disk.root.settings.locate(&create.path)?;
        let name = at.file_name().ok_or(FsError::NotRegularFile)?;
        let tree = disk.root.look_up()?;
        let parent = Parent::find(&tree, parent_path(&at), create.directories_max)?;
        let dir = &parent.dir;
        let old = match parent.missing.is_empty() {
            true => find_replaced(dir, name, create.replaces.is_some())?,
            false if create.replaces.is_some() => return Err(FsError::Exists),
            false => None,
        };
        if let Some((_, found)) = &old
            && create.replaces != Some(tree.settings.versions.regular_file(found)?)
        {
            return Err(FsError::Exists);
        }
        let space = fstatvfs(dir).ok();
        if space
            .as_ref()
            .is_some_and(|space| is_too_long(&parent, name, space))
        {
            return Err(FsError::TooLong);
        }
        // If the client learns this now, it need not send the content.
        if space.is_some_and(|space| !has_room(&space, create.len)) {
            return Err(FsError::NoSpace);
        }
        let mode = if old.is_some() {
            PRIVATE_MODE
        } else {
            NEW_FILE_MODE
        };
        let begun = create_temporary(dir, mode, &disk.unnamed);
        let (file, temporary) = begun.map_err(|error| write_error(&error))?;
        let pending = PendingFile {
            tree,
            name: name.to_owned(),
            replaces: old.as_ref().map(|(_, found)| FileState::of(found)),
            naming_lock: Arc::clone(&disk.naming_lock),
            parent,
            file,
            temporary,
        };
        if let Some((old, _)) = old {
            old.apply_to(&pending.file)
                .map_err(|error| write_error(&error))?;
        }
        Ok(pending)
    }

    /// Appends to the file.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, FsError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| write_error(&error))?;
        Ok(bytes.len())
    }

    /// Gives the file its final name, unless something has changed in the meantime.
    pub(super) fn commit(&mut self, disk: &Disk) -> Result<(), FsError> {
        let naming_lock = Arc::clone(&self.naming_lock);
        let _guard = naming_lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_directory(disk)?;
        let new =
            NewDirectories::create(&self.parent).map_err(|error| write_error(&error.into()))?;
        if let Some((old, found)) = find_replaced(new.last(), &self.name, self.replaces.is_some())?
        {
            if self.replaces != Some(FileState::of(&found)) {
                return Err(FsError::Exists);
            }
            old.apply_to(&self.file)
                .map_err(|error| write_error(&error))?;
        }
        let named = self.give_name(new.last());
        named.map_err(|error| write_error(&error.into()))?;
        new.keep();
        self.temporary = None;
        Ok(())
    }

    /// Checks that the directory still has the path by which it was found. It may have been moved, even out of
    /// the root, or together with it.
    fn check_directory(&self, disk: &Disk) -> Result<(), FsError> {
        if disk.root.look_up()?.identity() != self.tree.identity() {
            return Err(FsError::NotFound);
        }
        let now = self.tree.open_directory(&self.parent.path);
        let now = now.map_err(|error| write_error(&error))?;
        let same = fstat(&now).and_then(|now| Ok(native::is_same(&now, &fstat(&self.parent.dir)?)));
        match same {
            Ok(true) => Ok(()),
            Ok(false) => Err(FsError::NotFound),
            Err(error) => Err(write_error(&error.into())),
        }
    }

    fn give_name(&self, dir: &Dir) -> Result<(), Errno> {
        match (&self.temporary, &self.replaces) {
            (Some(temporary), _) => self.rename(temporary, dir),
            (None, None) => name_file(&self.file, dir, &self.name),
            // Only a rename can replace another file, and that needs a name.
            (None, Some(_)) => {
                let temporary = temporary_name()?;
                name_file(&self.file, &self.parent.dir, &temporary)?;
                let renamed = self.rename(&temporary, dir);
                renamed.inspect_err(|_| self.remove(&temporary))
            }
        }
    }

    /// Renames the file from its temporary name, if that is still its name.
    fn rename(&self, temporary: &OsStr, dir: &Dir) -> Result<(), Errno> {
        let from = (&self.parent.dir, temporary);
        if !is_named(&self.file, from) {
            return Err(Errno::STALE);
        }
        match self.replaces {
            None => rename_without_replacing(from, (dir, &self.name)),
            Some(_) => renameat(from.0, from.1, dir, &self.name),
        }
    }

    /// Removes a temporary name.
    fn remove(&self, temporary: &OsStr) {
        if is_named(&self.file, (&self.parent.dir, temporary)) {
            let _ = unlinkat(&self.parent.dir, temporary, AtFlags::empty());
        }
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(name) = self.temporary.take() {
            self.remove(&name);
        }
    }
}

/// Identifies a file and its content. The time of the last status change is not included, because permissions
/// may change while another file is being created to replace it.
#[derive(Debug, PartialEq, Eq)]
struct FileState {
    identity: (u64, u64),
    len: u64,
    modified: (i64, i64),
}

impl FileState {
    fn of(found: &Metadata) -> FileState {
        FileState {
            identity: native::identity(found),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

/// Checks that a file has this name, or none if `replaces` is false, and returns its access and metadata. A
/// symbolic link is not a file, whatever its target is.
pub(super) fn find_replaced(
    dir: &Dir,
    name: &OsStr,
    replaces: bool,
) -> Result<Option<(Access, Metadata)>, FsError> {
    let found = match dir.symlink_metadata(name) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound && !replaces => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(FsError::Exists),
        Err(error) => return Err(write_error(&error)),
    };
    if !found.is_file() {
        return Err(FsError::NotRegularFile);
    }
    if !replaces {
        return Err(FsError::Exists);
    }
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(native::OPEN_FLAGS);
    let file = dir.open_with(name, &options);
    let file = file.map_err(|error| fs_error(&error))?.into_std();
    let found = file.metadata().map_err(|error| fs_error(&error))?;
    if !found.is_file() {
        return Err(FsError::NotRegularFile);
    }
    let access = Access::of(&file).map_err(|error| write_error(&error))?;
    Ok(Some((access, found)))
}

/// Returns whether one of the new names is too long. For missing directories the system would report that too late.
fn is_too_long(parent: &Parent, name: &OsStr, space: &StatVfs) -> bool {
    let mut names = parent.missing.iter().map(|name| &**name).chain([name]);
    space.f_namemax > 0 && names.any(|name| name.len() as u64 > space.f_namemax)
}

/// Returns whether there is space for this many bytes. A file system that reports no blocks at all may have space.
fn has_room(space: &StatVfs, len: Option<u64>) -> bool {
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    space.f_blocks == 0 || len.is_none_or(|len| len <= free)
}

/// Creates a file in a directory. Returns its temporary name, if it needs one.
fn create_temporary(
    dir: &Dir,
    mode: Mode,
    unnamed: &UnnamedFiles,
) -> io::Result<(File, Option<OsString>)> {
    if let Some(file) = unnamed.create(dir, mode) {
        return Ok((file, None));
    }
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    loop {
        let name = temporary_name()?;
        match openat(dir, &name, flags, mode) {
            Ok(file) => return Ok((file.into(), Some(name))),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The mode of a new file, before the umask.
const NEW_FILE_MODE: Mode = Mode::from_raw_mode(0o666);
/// The mode of a file that replaces another, until it gets the access of that one.
const PRIVATE_MODE: Mode = Mode::from_raw_mode(0o600);
