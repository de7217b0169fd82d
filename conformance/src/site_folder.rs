//! Writes a site to a folder on disk, for servers that serve files from there. [`SiteFolder`] is a temporary folder
//! with the site; cases that store files get a copy of their own.
//!
//! Windows has no place for names such as `a\b` or `aux.c`, nor for both `a.z` and `a.Z`, and symbolic links need a
//! privilege there, so such entries are missing on it.

use crate::Case;
use crate::site::{Entry, Site};
use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

impl Site {
    /// Writes the site to a temporary folder, which is readable for all users and removed when dropped. If the
    /// environment variable `SANSERVE_COPIES` names a folder, the copies for conversations that store files are there:
    /// in memory, such as in `/dev/shm`, they are made eight times as fast, and take up to 2 GB.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn in_temp_dir(&self) -> io::Result<SiteFolder> {
        // For servers that run CGI scripts as another user.
        let readable = |folder: TempDir| system::set_mode(folder.path(), 0o755).map(|()| folder);
        let temp_dir = readable(TempDir::new()?)?;
        let copies = match env::var_os("SANSERVE_COPIES") {
            Some(folder) => Some(readable(TempDir::new_in(folder)?)?),
            None => None,
        };
        let root = temp_dir.path().join("site");
        self.write_to(&root)?;
        let site = self.clone();
        Ok(SiteFolder {
            temp_dir,
            copies,
            root,
            site,
        })
    }

    /// Writes the site to `root`, which is created if it is missing.
    ///
    /// All entries are readable, including those that are `unreadable`: the recordings were made by root, so the cases
    /// have the same result for every user.
    ///
    /// # Errors
    /// The errors of the file system, including that an entry already exists.
    pub fn write_to(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        self.entries
            .iter()
            .try_for_each(|entry| entry.write_to(root))?;
        // Creating entries has changed the modification times of their directories.
        let directories = self.entries.iter().filter(|entry| entry.is_directory());
        for entry in directories {
            if let Some(path) = system::native(entry.path()) {
                system::open_directory(&root.join(path))?
                    .set_modified(time((Site::DIRECTORIES, 0)))?;
            }
        }
        Ok(())
    }
}

/// A site in a temporary folder.
#[derive(Debug)]
pub struct SiteFolder {
    temp_dir: TempDir,
    /// The folder for copies, if it is another one.
    copies: Option<TempDir>,
    root: PathBuf,
    site: Site,
}

impl SiteFolder {
    /// Returns the path of the site.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns the root for a conversation of this case: a new copy of the site if the case stores files, so that no
    /// other conversation sees them.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn root_for(&self, case: &Case) -> io::Result<PathBuf> {
        if !case.stores {
            return Ok(self.root.clone());
        }
        let copies = self.copies.as_ref().unwrap_or(&self.temp_dir);
        let root = TempDir::new_in(copies)?.keep();
        system::set_mode(&root, 0o755)?;
        self.site.write_to(&root)?;
        Ok(root)
    }
}

impl AsRef<Path> for SiteFolder {
    fn as_ref(&self) -> &Path {
        &self.root
    }
}

impl Entry {
    fn write_to(&self, root: &Path) -> io::Result<()> {
        let Some(path) = system::native(self.path()) else {
            return Ok(());
        };
        let path = root.join(path);
        match self {
            Self::File {
                modified,
                body,
                executable,
                ..
            } => {
                let mut file = match File::create_new(&path) {
                    // Windows takes names that differ only in case for the same.
                    Err(error) if cfg!(windows) && error.kind() == ErrorKind::AlreadyExists => {
                        return Ok(());
                    }
                    created => created?,
                };
                file.write_all(body)?;
                system::set_mode(&path, if *executable { 0o755 } else { 0o644 })?;
                file.set_modified(time(*modified))
            }
            Self::Directory { .. } => fs::create_dir(path),
            Self::Link { target, .. } => system::link(target, &path),
        }
    }
}

fn time((seconds, nanos): (i64, u32)) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let whole = match seconds {
        0.. => SystemTime::UNIX_EPOCH + distance,
        _ => SystemTime::UNIX_EPOCH - distance,
    };
    whole + Duration::from_nanos(nanos.into())
}

#[cfg(unix)]
mod system {
    use std::ffi::OsStr;
    use std::fs::{self, File, Permissions};
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    /// Returns the path as the system spells it.
    pub(super) fn native(path: &[u8]) -> Option<&Path> {
        Some(OsStr::from_bytes(path).as_ref())
    }

    pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    pub(super) fn link(target: &[u8], path: &Path) -> io::Result<()> {
        symlink(OsStr::from_bytes(target), path)
    }

    /// Opens a directory so that its time can be set.
    pub(super) fn open_directory(path: &Path) -> io::Result<File> {
        File::open(path)
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::Path;
    use std::str;

    /// Returns the path as the system spells it, or `None` if no file can have it here.
    pub(super) fn native(path: &[u8]) -> Option<&Path> {
        let text = str::from_utf8(path).ok()?;
        let odd = |char: char| char.is_ascii_control() || r#":*?"<>|"#.contains(char);
        let portable = sanserve_core::Path::from_bytes(path.to_vec())?.is_portable();
        (portable && !text.contains(odd)).then(|| Path::new(text))
    }

    /// Windows has no modes.
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn set_mode(_: &Path, _: u32) -> io::Result<()> {
        Ok(())
    }

    /// Links need a privilege, and wine cannot create them.
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn link(_: &[u8], _: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Opens a directory so that its time can be set.
    pub(super) fn open_directory(path: &Path) -> io::Result<File> {
        let mut options = File::options();
        options.write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
        options.open(path)
    }

    /// Without it, directories cannot be opened.
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
}
