//! [`Tree`]: the files below one directory that is open, whatever its name is by now.

use std::fs::File;
use std::io;
use std::path::{self, PathBuf};
use std::sync::Arc;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use sanserve_core::{FsError, Opened};

#[cfg(target_os = "linux")]
use super::cache::Cache;
use super::large_listings::LargeListings;
#[cfg(unix)]
use super::leads_out;
#[cfg(target_os = "linux")]
use super::listings::Listings;
use super::native::{self, OPEN_FLAGS};
use super::reason;
use super::regular_file::RegularFile;
use super::settings::Settings;
#[cfg(target_os = "linux")]
use super::system::is_local;

/// The files below a directory.
#[derive(Debug)]
pub(super) struct Tree {
    /// What the directory was called when it was opened.
    pub(super) path: PathBuf,
    /// The same, as it was given: links may have brought it there.
    #[cfg(unix)]
    pub(super) name: PathBuf,
    pub(super) dir: Arc<Dir>,
    pub(super) settings: Settings,
    identity: (u64, u64),
    pub(super) large: LargeListings,
    #[cfg(target_os = "linux")]
    local: bool,
    #[cfg(target_os = "linux")]
    pub(super) cache: Cache,
    #[cfg(target_os = "linux")]
    pub(super) listings: Listings,
}

impl Tree {
    /// Opens a directory.
    pub(super) fn open_root(name: &path::Path, settings: Settings) -> io::Result<Tree> {
        let path = name.canonicalize()?;
        let dir = Dir::open_ambient_dir(&path, cap_std::ambient_authority())?;
        let file = dir.into_std_file();
        Ok(Tree {
            path,
            #[cfg(unix)]
            name: name.to_owned(),
            settings,
            identity: native::identity(&file.metadata()?),
            large: LargeListings::default(),
            #[cfg(target_os = "linux")]
            local: is_local(&file),
            #[cfg(target_os = "linux")]
            cache: Cache::default(),
            #[cfg(target_os = "linux")]
            listings: Listings::default(),
            dir: Arc::new(Dir::from_std_file(file)),
        })
    }

    /// The same directory with other settings. Nothing is kept of it.
    pub(super) fn with(&self, settings: Settings) -> Tree {
        Tree {
            path: self.path.clone(),
            #[cfg(unix)]
            name: self.name.clone(),
            dir: Arc::clone(&self.dir),
            settings,
            identity: self.identity,
            large: LargeListings::default(),
            #[cfg(target_os = "linux")]
            local: self.local,
            #[cfg(target_os = "linux")]
            cache: Cache::default(),
            #[cfg(target_os = "linux")]
            listings: Listings::default(),
        }
    }

    /// What tells it from every other tree that is open: its device and inode.
    pub(super) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Whether this machine alone changes the file system that the directory is on.
    #[cfg(target_os = "linux")]
    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    /// What has that path, opened if it is a file.
    pub(super) fn open(&self, at: &path::Path) -> Result<Opened<RegularFile>, FsError> {
        if let Some(kept) = self.find_kept(at) {
            return Ok(kept);
        }
        let file = match self.open_file(at) {
            Ok(file) => file,
            // To pass through a directory needs less than to read it.
            Err(error) => match reason(&error) {
                FsError::Forbidden if self.is_directory(at) => return Ok(Opened::Directory),
                reason => return Err(reason),
            },
        };
        self.describe(at, file)
    }

    pub(super) fn open_file(&self, at: &path::Path) -> io::Result<File> {
        if self.settings.follow {
            return native::open_following(&self.dir, &self.path, at);
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OPEN_FLAGS);
        let file = self.inside(at, |at| self.dir.open_with(at, &options));
        Ok(file?.into_std())
    }

    /// Opens a directory inside of the root.
    #[cfg(unix)]
    pub(super) fn open_directory(&self, at: &path::Path) -> io::Result<Dir> {
        self.inside(at, |at| self.dir.open_dir(at))
    }

    /// Does something with a path inside of the root. If it fails since an absolute link is on the way, which leads back
    /// into the root, it is done with the path that this means.
    pub(super) fn inside<T>(
        &self,
        at: &path::Path,
        act: impl Fn(&path::Path) -> io::Result<T>,
    ) -> io::Result<T> {
        match act(at) {
            #[cfg(unix)]
            Err(error) if leads_out(&error) => match self.inner_path(at) {
                Some(at) => act(&at),
                None => Err(error),
            },
            done => done,
        }
    }

    fn is_directory(&self, at: &path::Path) -> bool {
        self.about(at).is_ok_and(|about| about.directory)
    }

    /// Lets go of what nobody asks for. Whether something is left.
    #[cfg(target_os = "linux")]
    pub(super) fn evict_idle(&self) -> bool {
        let (files, listings) = (self.cache.evict_idle(), self.listings.evict_idle());
        files || listings
    }

    /// What was opened there, whatever its name may mean by now.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "only Linux has the cache")
    )]
    pub(super) fn describe(
        &self,
        at: &path::Path,
        file: File,
    ) -> Result<Opened<RegularFile>, FsError> {
        let found = file.metadata().map_err(|error| reason(&error))?;
        if found.is_dir() {
            return Ok(Opened::Directory);
        }
        let meta = self.settings.versions.plain(&found)?;
        #[cfg(target_os = "linux")]
        let file = if self.settings.follow {
            file
        } else {
            match self.cache.keep(&self.dir, at, file, &found, meta) {
                Ok(kept) => return Ok(RegularFile::opened(kept)),
                Err(file) => file,
            }
        };
        Ok(Opened::File {
            file: RegularFile::File(file),
            meta,
            sendable: cfg!(target_os = "linux"),
        })
    }

    /// The file at a path, if it is in memory and has not changed.
    #[cfg(target_os = "linux")]
    pub(super) fn find_kept(&self, at: &path::Path) -> Option<Opened<RegularFile>> {
        let kept = (!self.settings.follow).then(|| self.cache.find(&self.dir, at))??;
        Some(RegularFile::opened(kept))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn find_kept(&self, _: &path::Path) -> Option<Opened<RegularFile>> {
        None
    }
}
