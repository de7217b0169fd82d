//! [`Tree`]: an open directory, whatever its path is by now. Opens and describes the files beneath it, and
//! holds their cache.

use std::fs::File;
use std::io;
#[cfg(windows)]
use std::io::ErrorKind;
use std::path::{self, PathBuf};
use std::sync::Arc;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use sanserve_core::{FsError, Opened};

#[cfg(target_os = "linux")]
use super::cache::Cache;
use super::fs_error;
#[cfg(target_os = "linux")]
use super::fs_type::is_local;
use super::large_listings::LargeListings;
#[cfg(unix)]
use super::leads_out;
#[cfg(target_os = "linux")]
use super::listing_cache::ListingCache;
use super::native::{self, OPEN_FLAGS};
use super::regular_file::RegularFile;
use super::settings::Settings;

/// The files beneath a directory.
#[derive(Debug)]
pub(super) struct Tree {
    /// The path of the directory when it was opened.
    pub(super) path: PathBuf,
    /// The path that was given, before links were resolved.
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
    pub(super) listings: ListingCache,
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
            listings: ListingCache::default(),
            dir: Arc::new(Dir::from_std_file(file)),
        })
    }

    /// Returns the same directory with other settings and an empty cache.
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
            listings: ListingCache::default(),
        }
    }

    /// Returns what identifies the directory: its device and inode.
    pub(super) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Returns whether only this machine changes the file system of the directory.
    #[cfg(target_os = "linux")]
    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    /// Opens a path.
    pub(super) fn open(&self, at: &path::Path) -> Result<Opened<RegularFile>, FsError> {
        if let Some(cached) = self.find_cached(at) {
            return Ok(cached);
        }
        let file = match self.open_file(at) {
            Ok(file) => file,
            // Passing through a directory needs fewer permissions than reading it.
            Err(error) => match fs_error(&error) {
                FsError::Forbidden if self.is_directory(at) => return Ok(Opened::Directory),
                fs_error => return Err(fs_error),
            },
        };
        self.describe(at, file)
    }

    pub(super) fn open_file(&self, at: &path::Path) -> io::Result<File> {
        #[cfg(windows)]
        if !native::has_long_names(&self.dir, at) {
            return Err(ErrorKind::NotFound.into());
        }
        if self.settings.follow {
            return native::open_following(&self.dir, &self.path, at);
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OPEN_FLAGS);
        let file = self.inside(at, |at| self.dir.open_with(at, &options));
        Ok(file?.into_std())
    }

    /// Opens a directory beneath the root.
    #[cfg(unix)]
    pub(super) fn open_directory(&self, at: &path::Path) -> io::Result<Dir> {
        self.inside(at, |at| self.dir.open_dir(at))
    }

    /// Calls `act` with a path beneath the root. If it fails because of an absolute link that leads back into
    /// the root, calls it with the resolved path.
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
        self.info(at).is_ok_and(|info| info.directory)
    }

    /// Evicts idle cache entries. Returns whether any are left.
    #[cfg(target_os = "linux")]
    pub(super) fn evict_idle(&self) -> bool {
        let (files, listings) = (self.cache.evict_idle(), self.listings.evict_idle());
        files || listings
    }

    /// Describes an open file, whatever its path names by now.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "only Linux has the cache")
    )]
    pub(super) fn describe(
        &self,
        at: &path::Path,
        file: File,
    ) -> Result<Opened<RegularFile>, FsError> {
        let found = file.metadata().map_err(|error| fs_error(&error))?;
        if found.is_dir() {
            return Ok(Opened::Directory);
        }
        let meta = self.settings.versions.regular_file(&found)?;
        #[cfg(target_os = "linux")]
        let file = if self.settings.follow {
            file
        } else {
            match self.cache.insert(&self.dir, at, file, &found, meta) {
                Ok(cached) => return Ok(RegularFile::opened(cached)),
                Err(file) => file,
            }
        };
        Ok(Opened::File {
            file: RegularFile::File(file),
            meta,
            sendable: cfg!(target_os = "linux"),
        })
    }

    /// Returns the file at a path, if it is cached and has not changed.
    #[cfg(target_os = "linux")]
    pub(super) fn find_cached(&self, at: &path::Path) -> Option<Opened<RegularFile>> {
        let cached = (!self.settings.follow).then(|| self.cache.find(&self.dir, at))??;
        Some(RegularFile::opened(cached))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn find_cached(&self, _: &path::Path) -> Option<Opened<RegularFile>> {
        None
    }
}
