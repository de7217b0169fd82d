//! [`Cache`]: keeps files that were requested before, small ones in memory and large ones open, and uses them
//! as long as they do not change.
//!
//! Nothing is served from it without a check. Each time it asks the system which file has the path, which takes
//! one call instead of three or four, and for files below the first level a second one, see [`AncestorWatch`].
//! The cached file is used only if it is the same file with the same length and times. A file that was changed
//! just now is not cached, because it could change again without a change of its times. So a client gets every
//! change that `stat` shows with the next request. If the path leads out of the root by now, no file is found,
//! even if it is the same one.
//!
//! A process that writes through a shared mapping may change a file before its times change; no other process
//! can see that with `stat` either.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
#[cfg(feature = "mio")]
use portable_atomic::AtomicU64;
use rustix::fs::{AtFlags, StatxFlags, fstat};
use sanserve_core::{Got, Meta};

use super::ancestor_watch::{AncestorWatch, WatchList};
use super::file_stat::FileStat;
use super::fs_type::{is_local, is_watchable};
use super::page_cache::read_cached;
use super::two_generation_cache::TwoGenerationCache;

/// A cached file.
#[derive(Debug)]
pub(super) struct CachedFile {
    state: FileState,
    link_check: LinkCheck,
    pub(super) meta: Meta,
    content: Content,
    /// One more than the offset of the last byte that was found in the system's page cache; 0 at first.
    #[cfg(feature = "mio")]
    read: AtomicU64,
}

/// How to ensure that no symbolic link leads to the file from outside the root.
#[derive(Debug, Clone, Copy, PartialEq)]
enum LinkCheck {
    /// The file is directly in the root.
    Root,
    /// The directories on the way are watched.
    Watched,
    /// The path is resolved beneath the root each time.
    Resolved,
}

#[derive(Debug)]
enum Content {
    Bytes(Box<[u8]>),
    File(File),
}

impl CachedFile {
    /// Returns the file, if it is open.
    pub(super) fn file(&self) -> Option<&File> {
        match &self.content {
            Content::File(file) => Some(file),
            Content::Bytes(_) => None,
        }
    }

    #[cfg(feature = "mio")]
    pub(super) fn was_read(&self, at: u64) -> bool {
        self.read.load(Ordering::Relaxed) == at + 1
    }

    #[cfg(feature = "mio")]
    pub(super) fn note_read(&self, at: u64) {
        self.read.store(at + 1, Ordering::Relaxed);
    }

    /// Returns the content, if it is in memory.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::File(_) => None,
            Content::Bytes(bytes) => Some(bytes),
        }
    }
}

/// Cached files by path.
#[derive(Debug, Default)]
pub(super) struct Cache {
    maps: Mutex<CacheMaps>,
    watch: AncestorWatch,
    /// Whether an evictor runs, so that files are not held open for long.
    evictor_running: AtomicBool,
}

#[derive(Debug, Default)]
struct CacheMaps {
    small: TwoGenerationCache<Arc<CachedFile>>,
    large: TwoGenerationCache<Arc<CachedFile>>,
    watched: WatchList,
}

/// Identifies a file and its state: differs from every other file, and from itself at another time.
#[derive(Debug, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Cache {
    /// Returns the file at a path, if it is cached and has not changed.
    pub(super) fn find(&self, dir: &Dir, at: &path::Path) -> Option<Arc<CachedFile>> {
        let key = at.as_os_str().as_encoded_bytes();
        let epoch = self.watch.epoch();
        let cached = self.maps().find(key)?;
        let found = match cached.link_check {
            LinkCheck::Root | LinkCheck::Watched => FileState::at(dir, at),
            LinkCheck::Resolved => FileState::beneath(dir, at),
        };
        if found.is_none_or(|state| state != cached.state) {
            self.maps().remove(key);
            return None;
        }
        // Checked last, so that it holds for the moment when the path was followed.
        if cached.link_check == LinkCheck::Watched && !self.watch.is_unchanged_since(epoch) {
            self.maps().clear(&self.watch);
            return None;
        }
        Some(cached)
    }

    /// Caches a file that was opened at a path, or returns it if it cannot be cached. Does not wait for a disk.
    pub(super) fn insert(
        &self,
        dir: &Dir,
        at: &path::Path,
        file: File,
        found: &Metadata,
        meta: Meta,
    ) -> Result<Arc<CachedFile>, File> {
        let small = found.len() <= SMALL_LEN_MAX;
        let is_allowed = small || self.evictor_running.load(Ordering::Relaxed);
        if !is_allowed || !is_settled(found) || !is_local(&file) {
            return Err(file);
        }
        let state = FileState::of(found);
        let alike = fstat(dir).is_ok_and(|root| root.st_dev == state.device);
        let may_watch = alike && is_watchable(&file);
        let content = if small {
            Content::Bytes(read_whole(&file, found.len() as usize).ok_or(file)?)
        } else {
            Content::File(file)
        };
        let mut maps = self.maps();
        let link_check = maps.link_check(dir, at, &state, may_watch.then_some(&self.watch));
        let cached = Arc::new(CachedFile {
            state,
            link_check,
            meta,
            content,
            #[cfg(feature = "mio")]
            read: AtomicU64::new(0),
        });
        let key = at.as_os_str().as_encoded_bytes();
        maps.insert(key.into(), Arc::clone(&cached));
        Ok(cached)
    }

    /// Closes files that have not been requested since the second to last call. Returns whether some are still
    /// open.
    pub(super) fn evict_idle(&self) -> bool {
        self.evictor_running.store(true, Ordering::Relaxed);
        let mut maps = self.maps();
        let old = maps.large.rotate();
        let left = !maps.large.previous.is_empty();
        drop(maps);
        drop(old);
        left
    }

    fn maps(&self) -> MutexGuard<'_, CacheMaps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheMaps {
    fn find(&mut self, key: &[u8]) -> Option<Arc<CachedFile>> {
        let small = self.small.find(key, SMALL_MAX);
        small.or_else(|| self.large.find(key, LARGE_MAX))
    }

    fn insert(&mut self, key: Box<[u8]>, cached: Arc<CachedFile>) {
        match cached.content {
            Content::Bytes(_) => self.small.insert(key, cached, SMALL_MAX),
            Content::File(_) => self.large.insert(key, cached, LARGE_MAX),
        }
    }

    fn remove(&mut self, key: &[u8]) {
        self.small.remove(key);
        self.large.remove(key);
    }

    /// Removes everything, including the watches.
    fn clear(&mut self, watch: &AncestorWatch) {
        (self.small, self.large) = Default::default();
        watch.clear(&mut self.watched);
    }

    /// Returns how to ensure that no link leads to a file from outside.
    fn link_check(
        &mut self,
        dir: &Dir,
        at: &path::Path,
        state: &FileState,
        watch: Option<&AncestorWatch>,
    ) -> LinkCheck {
        // The last component itself may be a link.
        if FileState::at(dir, at).is_none_or(|found| found != *state) {
            return LinkCheck::Resolved;
        }
        if at.components().count() == 1 {
            return LinkCheck::Root;
        }
        let Some(watch) = watch else {
            return LinkCheck::Resolved;
        };
        if watch.watch(dir, at, &mut self.watched) {
            return LinkCheck::Watched;
        }
        if self.watched.is_full() {
            self.clear(watch);
        }
        LinkCheck::Resolved
    }
}

impl FileState {
    /// Returns the state of the file at a path, without following a link in its last component.
    fn at(dir: &Dir, at: &path::Path) -> Option<FileState> {
        let flags = AtFlags::NO_AUTOMOUNT | AtFlags::SYMLINK_NOFOLLOW;
        let found = FileStat::at(dir, at, flags, StatxFlags::BASIC_STATS).ok()?;
        Some(FileState::from(found))
    }

    /// Returns the state of the file at a path that must not lead out of the root.
    fn beneath(dir: &Dir, at: &path::Path) -> Option<FileState> {
        let found = FileStat::beneath(dir, at, StatxFlags::BASIC_STATS)?;
        Some(FileState::from(found))
    }

    /// Returns the state of an open file.
    fn of(found: &Metadata) -> FileState {
        FileState {
            device: found.dev(),
            inode: found.ino(),
            len: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl From<FileStat> for FileState {
    fn from(found: FileStat) -> FileState {
        FileState {
            device: found.device,
            inode: found.inode,
            len: found.len,
            modified: found.modified,
            changed: found.changed,
        }
    }
}

/// Reads a whole file of this length, if it is in the system's page cache.
fn read_whole(file: &File, len: usize) -> Option<Box<[u8]>> {
    let mut bytes = vec![0; len].into_boxed_slice();
    if len > 0 && !matches!(read_cached::<()>(file, 0, &mut bytes), Got::Bytes(n) if n == len) {
        return None;
    }
    Some(bytes)
}

/// Returns whether a further change would be visible, however coarse the clock of the file system is.
fn is_settled(found: &Metadata) -> bool {
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return false;
    };
    found
        .mtime()
        .max(found.ctime())
        .saturating_add(CLOCK_GRANULARITY)
        < now.as_secs() as i64
}

/// The granularity of FAT's clock in seconds.
const CLOCK_GRANULARITY: i64 = 2;
/// The maximum length in memory, in bytes: it is sent in one write with its head.
const SMALL_LEN_MAX: u64 = 16 * 1024;
/// At most twice as many are in memory.
const SMALL_MAX: usize = 128;
/// At most twice as many are open.
const LARGE_MAX: usize = 16;
