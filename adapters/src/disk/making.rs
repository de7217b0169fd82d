//! [`Making`]: a file of a [`Disk`](super::Disk) that is being made.
//!
//! On Linux it has no name until it is complete, so that even a process that is killed leaves nothing of it.
//! Where the file system has no files without a name, it has a temporary one in the same directory, which is random
//! and reserved ([`Path::TEMPORARY`]): no request can name it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{self, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::{
    AtFlags, Mode, OFlags, Stat, fstat, fstatvfs, linkat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use sanserve_core::{Create, FsError, Got, Meta, Path};

use super::access::Access;
use super::{Disk, Open, native, plain, reason};

/// A file that is being made. To drop it leaves nothing of it, unless it was completed.
#[derive(Debug)]
pub struct Making {
    /// What is served.
    root: Arc<Dir>,
    /// The directory that it will be in, as a path below that.
    above: PathBuf,
    /// The same, open.
    dir: Dir,
    name: OsString,
    replaces: Option<Meta>,
    file: File,
    /// The name that it has until then, if it has one.
    temporary: Option<OsString>,
    /// Held while a name is checked and given.
    turn: Arc<Mutex<()>>,
}

impl Making {
    /// Begins a file of a disk.
    pub(super) fn new(disk: &Disk, create: &Create) -> Result<Making, FsError> {
        let at = disk.locate(&create.path)?;
        let name = at.file_name().ok_or(FsError::NotPlain)?;
        let above = at.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(path::Path::new("."));
        let dir = disk.dir.open_dir(above).map_err(|error| why(&error))?;
        let old = look(&dir, name, create.replaces)?;
        // Told now, it need not be sent.
        let space = fstatvfs(&dir).map(|space| space.f_bavail.saturating_mul(space.f_frsize));
        if create
            .len
            .is_some_and(|len| space.is_ok_and(|space| space < len))
        {
            return Err(FsError::Full);
        }
        let mode = if old.is_some() { PRIVATE } else { MODE };
        let begun = begin(&dir, mode, disk.named_temporary_files);
        let (file, temporary) = begun.map_err(|error| why(&error))?;
        let making = Making {
            root: Arc::clone(&disk.dir),
            above: above.to_owned(),
            name: name.to_owned(),
            replaces: create.replaces,
            turn: Arc::clone(&disk.turn),
            dir,
            file,
            temporary,
        };
        if let Some(old) = old {
            old.give_to(&making.file).map_err(|error| why(&error))?;
        }
        Ok(making)
    }

    /// Adds to it, or completes it.
    pub(super) fn give(&mut self, from: &[u8]) -> Got<Open> {
        let done = match from {
            [] => self.complete(),
            from => self.file.write_all(from).map_err(|error| why(&error)),
        };
        match done {
            Ok(()) => Got::Bytes(from.len()),
            Err(error) => Got::Opened(Err(error)),
        }
    }

    /// Gives it its name, if nothing has changed that it depends on.
    fn complete(&mut self) -> Result<(), FsError> {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.find_directory()?;
        if let Some(old) = look(&self.dir, &self.name, self.replaces)? {
            old.give_to(&self.file).map_err(|error| why(&error))?;
        }
        self.give_name().map_err(|error| why(&error.into()))
    }

    /// Checks that the directory still has the path that it was found by. It may have been moved, even out of
    /// the root.
    fn find_directory(&self) -> Result<(), FsError> {
        let now = self
            .root
            .open_dir(&self.above)
            .map_err(|error| why(&error))?;
        let same = fstat(&now).and_then(|now| Ok(is_same(&now, &fstat(&self.dir)?)));
        match same {
            Ok(true) => Ok(()),
            Ok(false) => Err(FsError::NotFound),
            Err(error) => Err(why(&error.into())),
        }
    }

    fn give_name(&mut self) -> Result<(), Errno> {
        if self.temporary.is_none() {
            if self.replaces.is_none() {
                return link(&self.file, &self.dir, &self.name);
            }
            // Only a file with a name can take the place of another.
            let name = temporary_name()?;
            link(&self.file, &self.dir, &name)?;
            self.temporary = Some(name);
        }
        let Some(temporary) = self.temporary.as_ref().filter(|name| self.has_name(name)) else {
            return Err(Errno::STALE);
        };
        match self.replaces {
            None => move_to(&self.dir, temporary, &self.name)?,
            Some(_) => renameat(&self.dir, temporary, &self.dir, &self.name)?,
        }
        self.temporary = None;
        Ok(())
    }

    /// Whether it is this file that has the name, and not one that was put in its place.
    fn has_name(&self, name: &OsStr) -> bool {
        let found = statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW);
        let own = fstat(&self.file);
        found.is_ok_and(|found| own.is_ok_and(|own| is_same(&found, &own)))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(name) = self.temporary.take().filter(|name| self.has_name(name)) {
            let _ = unlinkat(&self.dir, name, AtFlags::empty());
        }
    }
}

/// Whether both are of one file.
fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Checks that the file to be replaced, or none, has that name, and returns the access to it. A link is not a
/// file, wherever it leads.
fn look(dir: &Dir, name: &OsStr, replaces: Option<Meta>) -> Result<Option<Access>, FsError> {
    let found = match dir.symlink_metadata(name) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound && replaces.is_none() => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(FsError::Exists),
        Err(error) => return Err(why(&error)),
    };
    if !found.is_file() {
        return Err(FsError::NotPlain);
    }
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(native::OPEN_FLAGS);
    let file = dir.open_with(name, &options);
    let file = file.map_err(|error| reason(&error))?.into_std();
    let found = file.metadata().map_err(|error| reason(&error))?;
    if replaces != Some(plain(&found)?) {
        return Err(FsError::Exists);
    }
    Access::of(&file).map(Some).map_err(|error| why(&error))
}

/// Creates a file in that directory. Returns its temporary name if it needs one, or if that is wanted.
fn begin(dir: &Dir, mode: Mode, _wanted: bool) -> io::Result<(File, Option<OsString>)> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    if !_wanted
        && path::Path::new("/proc/self/fd").exists()
        && let Ok(file) = openat(dir, ".", flags | OFlags::TMPFILE, mode)
    {
        return Ok((file.into(), None));
    }
    loop {
        let name = temporary_name()?;
        match openat(dir, &name, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Ok(file) => return Ok((file.into(), Some(name))),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives a name to a file that has none.
fn link(file: &File, dir: &Dir, name: &OsStr) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;

    let at = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(rustix::fs::CWD, at, dir, name, AtFlags::SYMLINK_FOLLOW)
}

/// Renames a file, if nothing has the other name.
fn move_to(dir: &Dir, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => {}
            moved => return moved,
        }
    }
    linkat(dir, from, dir, to, AtFlags::empty())?;
    // The file has its name. If the other one stays no request can reach it.
    let _ = unlinkat(dir, from, AtFlags::empty());
    Ok(())
}

/// A name that nobody can guess.
fn temporary_name() -> Result<OsString, Errno> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| Errno::IO)?;
    let random = u128::from_ne_bytes(random);
    Ok(format!("{}{random:032x}", Path::TEMPORARY).into())
}

/// What an error means where something is written.
fn why(error: &io::Error) -> FsError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            FsError::Full
        }
        ErrorKind::AlreadyExists => FsError::Exists,
        ErrorKind::ReadOnlyFilesystem => FsError::Forbidden,
        ErrorKind::InvalidFilename => FsError::TooLong,
        _ => reason(error),
    }
}

/// Of a new file, less what the process's mask takes away.
const MODE: Mode = Mode::from_raw_mode(0o666);
/// Of a file that replaces another, until it has the access of that one.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);
