//! Puts a site on a disk, for ports that serve from one.
//!
//! Names that are not UTF-8, symbolic links and times before 1970 want a Unix; elsewhere there is
//! no [`Site::write_to`].

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
    /// Makes the tree in a temporary folder, which everybody may read and which goes when it is
    /// dropped.
    ///
    /// # Errors
    /// Those of the filesystem.
    pub fn in_temp_dir(&self) -> io::Result<SiteFolder> {
        let all = TempDir::new()?;
        // Whoever runs scripts as another user needs that.
        fs::set_permissions(all.path(), Permissions::from_mode(0o755))?;
        let root = all.path().join("site");
        self.write_to(&root)?;
        let site = self.clone();
        Ok(SiteFolder { all, root, site })
    }

    /// Makes the tree in `root`, which is made too if it is not there.
    ///
    /// Unreadable entries are left readable: the recordings were made by a user who may read
    /// everything, and so the cases come out alike for every user.
    ///
    /// # Errors
    /// Those of the filesystem; an entry that exists already is one of them.
    pub fn write_to(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        self.entries
            .iter()
            .try_for_each(|entry| entry.write_to(root))?;
        // What is made in a directory changes it.
        let directories = self.entries.iter().filter(|entry| entry.is_directory());
        for entry in directories {
            File::open(root.join(OsStr::from_bytes(entry.path())))?
                .set_modified(time((Site::DIRECTORIES, 0)))?;
        }
        Ok(())
    }
}

/// A site on a disk, in a temporary folder.
#[derive(Debug)]
pub struct SiteFolder {
    all: TempDir,
    root: PathBuf,
    site: Site,
}

impl SiteFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where a server has to find it for this case: elsewhere and anew if it stores something, so that
    /// no other conversation sees that.
    ///
    /// # Errors
    /// Those of the filesystem.
    pub fn root_for(&self, case: &Case) -> io::Result<PathBuf> {
        if !case.stores {
            return Ok(self.root.clone());
        }
        let root = TempDir::new_in(&self.all)?.keep();
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
        let place = root.join(OsStr::from_bytes(self.path()));
        match self {
            Self::File {
                modified,
                body,
                executable,
                ..
            } => {
                let mut file = File::create_new(place)?;
                file.write_all(body)?;
                file.set_permissions(Permissions::from_mode(if *executable {
                    0o755
                } else {
                    0o644
                }))?;
                file.set_modified(time(*modified))
            }
            Self::Directory { .. } => fs::create_dir(place),
            Self::Link { target, .. } => symlink(OsStr::from_bytes(target), place),
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
