//! Writes a site to a folder on disk, for servers that serve files from there. [`SiteFolder`] is a temporary folder with
//! the site; cases that store files get a copy of their own.
//!
//! Only on Unix, because the site has names that are not UTF-8, symbolic links and times before 1970.

use crate::Case;
use crate::site::{Entry, Site};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

impl Site {
    /// Writes the site to a temporary folder, which is readable for all users and removed when dropped.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn in_temp_dir(&self) -> io::Result<SiteFolder> {
        let temp_dir = TempDir::new()?;
        // For servers that run CGI scripts as another user.
        fs::set_permissions(temp_dir.path(), Permissions::from_mode(0o755))?;
        let root = temp_dir.path().join("site");
        self.write_to(&root)?;
        let site = self.clone();
        Ok(SiteFolder {
            temp_dir,
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
            File::open(root.join(OsStr::from_bytes(entry.path())))?
                .set_modified(time((Site::DIRECTORIES, 0)))?;
        }
        Ok(())
    }
}

/// A site in a temporary folder.
#[derive(Debug)]
pub struct SiteFolder {
    temp_dir: TempDir,
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
        let root = TempDir::new_in(&self.temp_dir)?.keep();
        fs::set_permissions(&root, Permissions::from_mode(0o755))?;
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
        let path = root.join(OsStr::from_bytes(self.path()));
        match self {
            Self::File {
                modified,
                body,
                executable,
                ..
            } => {
                let mut file = File::create_new(path)?;
                file.write_all(body)?;
                file.set_permissions(Permissions::from_mode(if *executable {
                    0o755
                } else {
                    0o644
                }))?;
                file.set_modified(time(*modified))
            }
            Self::Directory { .. } => fs::create_dir(path),
            Self::Link { target, .. } => symlink(OsStr::from_bytes(target), path),
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
