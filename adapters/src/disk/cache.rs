//! [`Cache`]: files that were asked for before, small ones in memory and large ones open.
//!
//! Nothing in it is believed. Each time the system is asked what the path names, which takes one call in
//! place of three or four, and for files below the first level a second one, see [`Ways`]; only if that
//! is the same file, of the same length, with the same times, it is what was read or opened before. A
//! file that was changed just now is not kept: it could change again without its times telling. So
//! whoever can see a change by `stat` gets it with the next request. A path that leads out of the root
//! by now names nothing, also if that is the same file.
//!
//! A program that writes through a shared mapping may change a file without changing its times for a
//! while; nobody else sees such a change by `stat` either.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path;
use std::sync::atomic::AtomicBool;
#[cfg(feature = "mio")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, StatxFlags, fstat};
use sanserve_core::{Got, Meta};

use super::generations::Generations;
use super::page_cache::read_cached;
use super::stat::Found;
use super::system::{is_local, is_watchable};
use super::ways::{Watched, Ways};

/// A file that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    state: State,
    way: Way,
    pub(super) meta: Meta,
    content: Content,
    /// One more than the last byte that was found in the system's cache; 0 at first.
    #[cfg(feature = "mio")]
    read: AtomicU64,
}

/// How it is made sure that no link leads to a file from outside of the root.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// It lies in the root itself.
    Root,
    /// The directories on the way are watched.
    Watched,
    /// The path is resolved inside of the root each time.
    Resolved,
}

#[derive(Debug)]
enum Content {
    Bytes(Box<[u8]>),
    File(File),
}

impl Kept {
    /// The file, if it is open.
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

    /// What is in memory of it, if it is not open.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::File(_) => None,
            Content::Bytes(bytes) => Some(bytes),
        }
    }
}

/// Files that are kept, by their paths.
#[derive(Debug, Default)]
pub(super) struct Cache {
    shelves: Mutex<Shelves>,
    ways: Ways,
    /// Whether somebody sees to it that nothing is held open for long.
    tended: AtomicBool,
}

#[derive(Debug, Default)]
struct Shelves {
    small: Generations<Arc<Kept>>,
    large: Generations<Arc<Kept>>,
    watched: Watched,
}

/// What tells a file, as it is, from every other, and from itself at another time.
#[derive(Debug, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Cache {
    /// The file at a path, if it is kept and what it was.
    pub(super) fn find(&self, dir: &Dir, at: &path::Path) -> Option<Arc<Kept>> {
        let key = at.as_os_str().as_encoded_bytes();
        let number = self.ways.number();
        let kept = self.shelves().find(key)?;
        let found = match kept.way {
            Way::Root | Way::Watched => State::at(dir, at),
            Way::Resolved => State::beneath(dir, at),
        };
        if found.is_none_or(|state| state != kept.state) {
            self.shelves().forget(key);
            return None;
        }
        // Asked last, so that it is true of the moment at which the path was followed.
        if kept.way == Way::Watched && !self.ways.are_quiet(number) {
            self.shelves().clear(&self.ways);
            return None;
        }
        Some(kept)
    }

    /// Keeps a file that was opened at that path, or gives it back if it is none of those that can be
    /// kept. Waits for no disk.
    pub(super) fn keep(
        &self,
        dir: &Dir,
        at: &path::Path,
        file: File,
        found: &Metadata,
        meta: Meta,
    ) -> Result<Arc<Kept>, File> {
        let small = found.len() <= LEN_MAX;
        let can_be = small || self.tended.load(Ordering::Relaxed);
        if !can_be || !is_settled(found) || !is_local(&file) {
            return Err(file);
        }
        let state = State::of(found);
        let alike = fstat(dir).is_ok_and(|root| root.st_dev == state.device);
        let may_watch = alike && is_watchable(&file);
        let content = if small {
            Content::Bytes(read_whole(&file, found.len() as usize).ok_or(file)?)
        } else {
            Content::File(file)
        };
        let mut shelves = self.shelves();
        let way = shelves.way(dir, at, &state, may_watch.then_some(&self.ways));
        let kept = Arc::new(Kept {
            state,
            way,
            meta,
            content,
            #[cfg(feature = "mio")]
            read: AtomicU64::new(0),
        });
        let key = at.as_os_str().as_encoded_bytes();
        shelves.insert(key.into(), Arc::clone(&kept));
        Ok(kept)
    }

    /// Closes what was not asked for since the last but one time. Whether something is still open.
    pub(super) fn evict_idle(&self) -> bool {
        self.tended.store(true, Ordering::Relaxed);
        let mut shelves = self.shelves();
        let old = shelves.large.age();
        let left = !shelves.large.old.is_empty();
        drop(shelves);
        drop(old);
        left
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn find(&mut self, key: &[u8]) -> Option<Arc<Kept>> {
        let small = self.small.find(key, SMALL_MAX);
        small.or_else(|| self.large.find(key, LARGE_MAX))
    }

    fn insert(&mut self, key: Box<[u8]>, kept: Arc<Kept>) {
        match kept.content {
            Content::Bytes(_) => self.small.insert(key, kept, SMALL_MAX),
            Content::File(_) => self.large.insert(key, kept, LARGE_MAX),
        }
    }

    fn forget(&mut self, key: &[u8]) {
        self.small.forget(key);
        self.large.forget(key);
    }

    /// Forgets everything, and what was watched for it.
    fn clear(&mut self, ways: &Ways) {
        (self.small, self.large) = Default::default();
        ways.forget(&mut self.watched);
    }

    /// How to make sure that no link leads to a file from outside.
    fn way(&mut self, dir: &Dir, at: &path::Path, state: &State, ways: Option<&Ways>) -> Way {
        // The path itself may be a link.
        if State::at(dir, at).is_none_or(|found| found != *state) {
            return Way::Resolved;
        }
        if at.components().count() == 1 {
            return Way::Root;
        }
        let Some(ways) = ways else {
            return Way::Resolved;
        };
        if ways.watch(dir, at, &mut self.watched) {
            return Way::Watched;
        }
        if self.watched.are_too_many() {
            self.clear(ways);
        }
        Way::Resolved
    }
}

impl State {
    /// Of what the path names now, if that is not a link, wherever the directories before it lead.
    fn at(dir: &Dir, at: &path::Path) -> Option<State> {
        let flags = AtFlags::NO_AUTOMOUNT | AtFlags::SYMLINK_NOFOLLOW;
        let found = Found::at(dir, at, flags, StatxFlags::BASIC_STATS).ok()?;
        Some(State::from(found))
    }

    /// Of what the path names now inside of the root.
    fn beneath(dir: &Dir, at: &path::Path) -> Option<State> {
        let found = Found::beneath(dir, at, StatxFlags::BASIC_STATS)?;
        Some(State::from(found))
    }

    /// Of what is open.
    fn of(found: &Metadata) -> State {
        State {
            device: found.dev(),
            inode: found.ino(),
            len: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl From<Found> for State {
    fn from(found: Found) -> State {
        State {
            device: found.device,
            inode: found.inode,
            len: found.len,
            modified: found.modified,
            changed: found.changed,
        }
    }
}

/// All of a file that has this length, if that is in the system's cache.
fn read_whole(file: &File, len: usize) -> Option<Box<[u8]>> {
    let mut bytes = vec![0; len].into_boxed_slice();
    if len > 0 && !matches!(read_cached::<()>(file, 0, &mut bytes), Got::Bytes(n) if n == len) {
        return None;
    }
    Some(bytes)
}

/// Whether a further change will show, however coarse the clock of the file system is.
fn is_settled(found: &Metadata) -> bool {
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return false;
    };
    found.mtime().max(found.ctime()).saturating_add(GRAIN) < now.as_secs() as i64
}

/// Seconds: a clock of FAT has no finer ones.
const GRAIN: i64 = 2;
/// Bytes: what goes into one write with its head.
const LEN_MAX: u64 = 16 * 1024;
/// There are at most twice as many in memory.
const SMALL_MAX: usize = 128;
/// And twice as many open.
const LARGE_MAX: usize = 16;
