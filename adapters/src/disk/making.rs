//! [`Making`]: a file of a [`Disk`](super::Disk) that is being made.
//!
//! On Linux it has no name until it is complete, so that even a process that is killed leaves nothing of it.
//! Where that cannot be had it has a hidden one beside the one that it will get.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::{
    AtFlags, Mode, OFlags, fchmod, fstat, fstatvfs, linkat, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use sanserve_core::{Create, FsError, Got, Meta};

use super::{Open, native, plain, reason};

/// A file that is being made. To drop it leaves nothing of it, unless it was completed.
#[derive(Debug)]
pub struct Making {
    /// The directory that it will be in, wherever that is moved.
    dir: Dir,
    name: OsString,
    replaces: Option<Meta>,
    file: File,
    /// The name that it has until then, if it has one.
    hidden: Option<OsString>,
    /// Who holds it decides what has a name.
    turn: Arc<Mutex<()>>,
}

impl Making {
    /// Begins a file below `root`. All that is made there shares `turn`.
    pub(super) fn new(
        root: &Dir,
        create: &Create,
        turn: &Arc<Mutex<()>>,
    ) -> Result<Making, FsError> {
        let at = native::path(&create.path).ok_or(FsError::NotFound)?;
        let name = at.file_name().ok_or(FsError::NotPlain)?;
        let above = at.parent().filter(|above| !above.as_os_str().is_empty());
        let dir = root.open_dir(above.unwrap_or(path::Path::new(".")));
        let dir = dir.map_err(|error| why(&error))?;
        let old = look(&dir, name, create.replaces)?;
        // Told now, it need not be sent.
        let space = fstatvfs(&dir).map(|space| space.f_bavail.saturating_mul(space.f_frsize));
        if create
            .len
            .is_some_and(|len| space.is_ok_and(|space| space < len))
        {
            return Err(FsError::Full);
        }
        let (file, hidden) = begin(&dir).map_err(|error| why(&error))?;
        let making = Making {
            name: name.to_owned(),
            replaces: create.replaces,
            turn: Arc::clone(turn),
            dir,
            file,
            hidden,
        };
        if let Some(old) = old {
            restrict(&making.file, old).map_err(|error| why(&error.into()))?;
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

    /// Gives it its name.
    fn complete(&mut self) -> Result<(), FsError> {
        let turn = Arc::clone(&self.turn);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        look(&self.dir, &self.name, self.replaces)?;
        let named = match (&self.hidden, self.replaces) {
            (Some(hidden), None) => move_to(&self.dir, hidden, &self.name),
            (None, None) => link(&self.file, &self.dir, &self.name),
            (Some(hidden), Some(_)) => renameat(&self.dir, hidden, &self.dir, &self.name),
            (None, Some(_)) => {
                // Only what has a name can take another's place.
                let hidden = a_name();
                link(&self.file, &self.dir, &hidden).and_then(|()| {
                    self.hidden = Some(hidden);
                    let hidden = self.hidden.as_ref().expect("it was just set");
                    renameat(&self.dir, hidden, &self.dir, &self.name)
                })
            }
        };
        named.map_err(|error| why(&error.into()))?;
        self.hidden = None;
        Ok(())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            let _ = unlinkat(&self.dir, hidden, AtFlags::empty());
        }
    }
}

/// Looks whether what has that name is what should have it, and answers who may do what with it. A link
/// is no file, wherever it leads.
fn look(dir: &Dir, name: &OsStr, replaces: Option<Meta>) -> Result<Option<Mode>, FsError> {
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
    let mode = mode(&file).map_err(|error| why(&error.into()))?;
    Ok(Some(mode))
}

fn mode(file: &File) -> Result<Mode, Errno> {
    Ok(Mode::from_raw_mode(fstat(file)?.st_mode))
}

/// Lets nobody do more with a file than with the one whose place it takes, and nobody run it.
fn restrict(file: &File, old: Mode) -> Result<(), Errno> {
    let new = mode(file)? & MODE;
    if old.contains(new) {
        return Ok(());
    }
    fchmod(file, new & old)
}

/// A file in that directory, with the name that it has if it has one.
fn begin(dir: &Dir) -> io::Result<(File, Option<OsString>)> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    if path::Path::new("/proc/self/fd").exists()
        && let Ok(file) = openat(dir, ".", flags | OFlags::TMPFILE, MODE)
    {
        return Ok((file.into(), None));
    }
    loop {
        let name = a_name();
        match openat(dir, &name, flags | OFlags::CREATE | OFlags::EXCL, MODE) {
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
    unlinkat(dir, from, AtFlags::empty())
}

/// A hidden name that nothing has.
fn a_name() -> OsString {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_nanos());
    format!(".sanserve-{}-{now:x}-{count}", std::process::id()).into()
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

/// Less what the process's mask takes away.
const MODE: Mode = Mode::from_raw_mode(0o666);
