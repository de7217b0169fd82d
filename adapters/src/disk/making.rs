//! [`Making`]: a file of a [`Disk`](super::Disk) that is being made.
//!
//! On Linux it has no name until it is complete, so that even a process that is killed leaves nothing of it.
//! Where the file system has no files without a name, or gives them none later, it has a temporary one in the same
//! directory, which is random and reserved ([`Path::TEMPORARY_PREFIX`](sanserve_core::Path::TEMPORARY_PREFIX)): no request can name it. How it then gets its own
//! name without taking the place of another file is in [`rename`](super::rename).

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
use super::directories::{NewDirectories, Place, above};
use super::nameless::{Nameless, link};
use super::rename::{is_named, rename_to_new};
use super::temporary_name::temporary_name;
use super::tree::Tree;
use super::{Disk, native, reason, write_error};

/// A file that is being made. To drop it leaves nothing of it, unless it was completed.
#[derive(Debug)]
pub(super) struct Making {
    /// What is served.
    tree: Arc<Tree>,
    /// The directory that it will be in.
    place: Place,
    name: OsString,
    replaces: Option<Content>,
    file: File,
    /// The name that it has until then, if it has one.
    temporary: Option<OsString>,
    /// Held while a name is checked and given.
    turn: Arc<Mutex<()>>,
}

impl Making {
    /// Begins a file of a disk.
    pub(super) fn new(disk: &Disk, create: &Create) -> Result<Making, FsError> {
        let at = disk.root.settings.locate(&create.path)?;
        let name = at.file_name().ok_or(FsError::NotRegularFile)?;
        let tree = disk.root.look_up()?;
        let place = Place::find(&tree, above(&at), create.directories_max)?;
        let dir = &place.dir;
        let old = match place.missing.is_empty() {
            true => look(dir, name, create.replaces.is_some())?,
            false if create.replaces.is_some() => return Err(FsError::Exists),
            false => None,
        };
        if let Some((_, found)) = &old
            && create.replaces != Some(tree.settings.versions.plain(found)?)
        {
            return Err(FsError::Exists);
        }
        let space = fstatvfs(dir).ok();
        if space
            .as_ref()
            .is_some_and(|space| is_too_long(&place, name, space))
        {
            return Err(FsError::TooLong);
        }
        // Told now, it need not be sent.
        if space.is_some_and(|space| !has_room(&space, create.len)) {
            return Err(FsError::NoSpace);
        }
        let mode = if old.is_some() { PRIVATE } else { MODE };
        let begun = begin(dir, mode, &disk.nameless);
        let (file, temporary) = begun.map_err(|error| write_error(&error))?;
        let making = Making {
            tree,
            name: name.to_owned(),
            replaces: old.as_ref().map(|(_, found)| Content::of(found)),
            turn: Arc::clone(&disk.turn),
            place,
            file,
            temporary,
        };
        if let Some((old, _)) = old {
            old.give_to(&making.file)
                .map_err(|error| write_error(&error))?;
        }
        Ok(making)
    }

    /// Adds to it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, FsError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| write_error(&error))?;
        Ok(bytes.len())
    }

    /// Gives it its name, if nothing has changed that it depends on.
    pub(super) fn commit(&mut self, disk: &Disk) -> Result<(), FsError> {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.find_directory(disk)?;
        let new = NewDirectories::make(&self.place).map_err(|error| write_error(&error.into()))?;
        if let Some((old, found)) = look(new.last(), &self.name, self.replaces.is_some())? {
            if self.replaces != Some(Content::of(&found)) {
                return Err(FsError::Exists);
            }
            old.give_to(&self.file)
                .map_err(|error| write_error(&error))?;
        }
        let named = self.give_name(new.last());
        named.map_err(|error| write_error(&error.into()))?;
        new.keep();
        self.temporary = None;
        Ok(())
    }

    /// Checks that the directory still has the path that it was found by. It may have been moved, even out of
    /// the root, or with it.
    fn find_directory(&self, disk: &Disk) -> Result<(), FsError> {
        if disk.root.look_up()?.identity() != self.tree.identity() {
            return Err(FsError::NotFound);
        }
        let now = self.tree.open_directory(&self.place.path);
        let now = now.map_err(|error| write_error(&error))?;
        let same = fstat(&now).and_then(|now| Ok(native::is_same(&now, &fstat(&self.place.dir)?)));
        match same {
            Ok(true) => Ok(()),
            Ok(false) => Err(FsError::NotFound),
            Err(error) => Err(write_error(&error.into())),
        }
    }

    fn give_name(&self, dir: &Dir) -> Result<(), Errno> {
        match (&self.temporary, &self.replaces) {
            (Some(temporary), _) => self.rename(temporary, dir),
            (None, None) => link(&self.file, dir, &self.name),
            // Only a file with a name can take the place of another.
            (None, Some(_)) => {
                let temporary = temporary_name()?;
                link(&self.file, &self.place.dir, &temporary)?;
                let renamed = self.rename(&temporary, dir);
                renamed.inspect_err(|_| self.remove(&temporary))
            }
        }
    }

    /// Gives it its name in place of a temporary one, if that is still its own.
    fn rename(&self, temporary: &OsStr, dir: &Dir) -> Result<(), Errno> {
        let from = (&self.place.dir, temporary);
        if !is_named(&self.file, from) {
            return Err(Errno::STALE);
        }
        match self.replaces {
            None => rename_to_new(from, (dir, &self.name)),
            Some(_) => renameat(from.0, from.1, dir, &self.name),
        }
    }

    /// Takes a temporary name from it.
    fn remove(&self, temporary: &OsStr) {
        if is_named(&self.file, (&self.place.dir, temporary)) {
            let _ = unlinkat(&self.place.dir, temporary, AtFlags::empty());
        }
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(name) = self.temporary.take() {
            self.remove(&name);
        }
    }
}

/// Which file it is, and when its content was changed. The time of its entry does not count: its access may be changed
/// while another file is made for its place.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    identity: (u64, u64),
    len: u64,
    modified: (i64, i64),
}

impl Content {
    fn of(found: &Metadata) -> Content {
        Content {
            identity: native::identity(found),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

/// Checks that a file, or none, has that name, and returns the access to it and what is known of it. A link is not a
/// file, wherever it leads.
fn look(dir: &Dir, name: &OsStr, replaces: bool) -> Result<Option<(Access, Metadata)>, FsError> {
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
    let file = file.map_err(|error| reason(&error))?.into_std();
    let found = file.metadata().map_err(|error| reason(&error))?;
    if !found.is_file() {
        return Err(FsError::NotRegularFile);
    }
    let access = Access::of(&file).map_err(|error| write_error(&error))?;
    Ok(Some((access, found)))
}

/// Whether one of the new names is longer than one can be. Of directories that are missing the system says so too late.
fn is_too_long(place: &Place, name: &OsStr, space: &StatVfs) -> bool {
    let mut names = place.missing.iter().map(|name| &**name).chain([name]);
    space.f_namemax > 0 && names.any(|name| name.len() as u64 > space.f_namemax)
}

/// Whether there is room for this number of bytes. A file system that counts no blocks at all may have room.
fn has_room(space: &StatVfs, len: Option<u64>) -> bool {
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    space.f_blocks == 0 || len.is_none_or(|len| len <= free)
}

/// Creates a file in that directory. Returns its temporary name if it needs one.
fn begin(dir: &Dir, mode: Mode, nameless: &Nameless) -> io::Result<(File, Option<OsString>)> {
    if let Some(file) = nameless.create(dir, mode) {
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

/// Of a new file, less what the process's mask takes away.
const MODE: Mode = Mode::from_raw_mode(0o666);
/// Of a file that replaces another, until it has the access of that one.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);
