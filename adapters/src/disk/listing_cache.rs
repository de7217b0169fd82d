//! [`ListingCache`]: keeps the entries of directories that are listed repeatedly, as long as the directories do
//! not change.
//!
//! A lookup checks whether anything has changed, which takes four system calls instead of one for each entry:
//! whether the path still names the directory, beneath the root, and whether its [`DirectoryWatch`] has an
//! event. The watch begins before the directory is read, so when a system call that changed something has
//! returned, the next listing shows it.
//!
//! Only directories that can be watched completely are cached: on file systems that only this machine changes,
//! directories of regular files with a single name and of directories. Even there inotify does not report
//! everything. It misses writes through a shared mapping, through a descriptor that was opened by a name that
//! is gone, and through another name that the file gets elsewhere. So no entry is older than a second, or ten
//! times the time that reading took, so that a directory of 200,000 entries is not read again all the time.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use rustix::fs::StatxFlags;
use sanserve_core::Entries;

use super::directory_watch::DirectoryWatch;
use super::file_stat::FileStat;
use super::fs_type::is_watchable;

/// Entries of directories by path.
#[derive(Debug, Default)]
pub(super) struct ListingCache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Most recently requested last.
    listings: Vec<CachedListing>,
    /// Directories that were requested and are not cached, with the time of the request.
    requested: Vec<(Box<[u8]>, Instant)>,
    idle: Vec<DirectoryWatch>,
    /// The number of watches that exist, in use or not.
    watches: usize,
}

#[derive(Debug)]
struct CachedListing {
    at: Box<[u8]>,
    device: u64,
    inode: u64,
    entries: Arc<Entries>,
    watch: DirectoryWatch,
    since: Instant,
    age_max: Duration,
}

impl ListingCache {
    /// Returns the entries of the directory at a path, if they are cached and have not changed.
    pub(super) fn find(&self, dir: &Dir, at: &path::Path) -> Option<Arc<Entries>> {
        let key = at.as_os_str().as_encoded_bytes();
        let mut state = self.state();
        let found = state.take(key)?;
        if found.is_current(dir, at) {
            let entries = Arc::clone(&found.entries);
            state.listings.push(found);
            return Some(entries);
        }
        state.record_request(key);
        state.recycle(found.watch);
        None
    }

    /// Watches a directory that is about to be read, if it was requested a short time ago, so that caching it
    /// is worthwhile.
    pub(super) fn watch(&self, at: &path::Path, directory: &File) -> Option<DirectoryWatch> {
        let key = at.as_os_str().as_encoded_bytes();
        if !self.state().record_request(key) || !is_watchable(directory) {
            return None;
        }
        let mut watch = self.state().watch()?;
        watch.directory(directory);
        Some(watch)
    }

    /// Caches the entries of a directory.
    pub(super) fn insert(
        &self,
        at: &path::Path,
        directory: &File,
        entries: &Arc<Entries>,
        watch: DirectoryWatch,
        began: Instant,
    ) {
        let key = at.as_os_str().as_encoded_bytes();
        let mut state = self.state();
        let found = directory.metadata().ok();
        let found = found.filter(|_| entries.len() <= ENTRIES_MAX && watch.is_unchanged());
        let Some(found) = found else {
            return state.recycle(watch);
        };
        if let Some(before) = state.take(key) {
            state.recycle(before.watch);
        }
        while state.entries() + entries.len() > ENTRIES_MAX {
            state.remove_oldest();
        }
        state.listings.push(CachedListing {
            at: key.into(),
            device: found.dev(),
            inode: found.ino(),
            entries: Arc::clone(entries),
            watch,
            since: Instant::now(),
            age_max: AGE_MAX.max(began.elapsed() * 10),
        });
    }

    /// Takes back the watch of a directory that could not be read.
    pub(super) fn discard(&self, watch: DirectoryWatch) {
        self.state().recycle(watch);
    }

    /// Removes old entries. Returns whether any are left.
    pub(super) fn evict_idle(&self) -> bool {
        let mut state = self.state();
        while let Some(at) = state
            .listings
            .iter()
            .position(|listing| !listing.is_fresh())
        {
            let old = state.listings.remove(at);
            state.recycle(old.watch);
        }
        !state.listings.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, key: &[u8]) -> Option<CachedListing> {
        let at = self
            .listings
            .iter()
            .position(|listing| *listing.at == *key)?;
        Some(self.listings.remove(at))
    }

    /// Records that a directory was requested. Returns whether it was already requested a short time ago.
    fn record_request(&mut self, key: &[u8]) -> bool {
        self.requested.retain(|(_, when)| is_fresh(*when));
        if self
            .requested
            .iter()
            .any(|(requested, _)| **requested == *key)
        {
            return true;
        }
        if self.requested.len() < DIRECTORIES_MAX {
            self.requested.push((key.into(), Instant::now()));
        }
        false
    }

    /// Returns an unused watch; if there are no more, that of the oldest listing.
    fn watch(&mut self) -> Option<DirectoryWatch> {
        if self.idle.is_empty() && self.watches < DIRECTORIES_MAX {
            let watch = DirectoryWatch::new()?;
            self.watches += 1;
            return Some(watch);
        }
        if self.idle.is_empty() {
            self.remove_oldest();
        }
        self.idle.pop()
    }

    fn remove_oldest(&mut self) {
        if !self.listings.is_empty() {
            let oldest = self.listings.remove(0);
            self.recycle(oldest.watch);
        }
    }

    fn recycle(&mut self, mut watch: DirectoryWatch) {
        watch.clear();
        self.idle.push(watch);
    }

    fn entries(&self) -> usize {
        self.listings
            .iter()
            .map(|listing| listing.entries.len())
            .sum()
    }
}

impl CachedListing {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < self.age_max
    }

    fn is_current(&self, dir: &Dir, at: &path::Path) -> bool {
        let names_it = || {
            FileStat::beneath(dir, at, StatxFlags::INO)
                .is_some_and(|found| (found.device, found.inode) == (self.device, self.inode))
        };
        self.is_fresh() && names_it() && self.watch.is_unchanged()
    }
}

fn is_fresh(since: Instant) -> bool {
    since.elapsed() < AGE_MAX
}

const AGE_MAX: Duration = Duration::from_secs(1);
/// Each needs an inotify descriptor, of which a user has 128 by default.
const DIRECTORIES_MAX: usize = 8;
/// The maximum number of entries in all cached directories.
const ENTRIES_MAX: usize = 300_000;
