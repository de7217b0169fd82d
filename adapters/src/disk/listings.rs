//! [`Listings`]: what directories hold that are asked for again and again, for as long as nothing happens in
//! them.
//!
//! Each time it is asked whether anything has, which takes four calls in place of one for each entry:
//! whether the path still names that directory, inside of the root, and whether its [`Watch`] was told
//! of anything. It
//! watches before the directory is read. So once the call that changed something has returned, the
//! next listing shows it.
//!
//! Only what can be watched so is kept: on file systems that this machine alone changes, directories of
//! regular files with one name and of directories. inotify is not told of all that may happen even
//! there: of writes through a shared mapping, of those through a file that was opened under another
//! name which is gone, or that is given a second one elsewhere. So nothing is kept for more than a
//! second, or for ten times as long as it took to read: a directory of 200,000 entries is not read all the time.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use rustix::fs::StatxFlags;
use sanserve_core::Entries;

use super::stat::Found;
use super::system::is_watchable;
use super::watch::Watch;

/// What directories hold, by their paths.
#[derive(Debug, Default)]
pub(super) struct Listings(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    /// Those that were asked for last are at the end.
    kept: Vec<Listing>,
    /// What was asked for and is not kept, and when.
    asked: Vec<(Box<[u8]>, Instant)>,
    idle: Vec<Watch>,
    /// How many watches there are, wherever they are.
    watches: usize,
}

#[derive(Debug)]
struct Listing {
    at: Box<[u8]>,
    device: u64,
    inode: u64,
    entries: Arc<Entries>,
    watch: Watch,
    since: Instant,
    young_for: Duration,
}

impl Listings {
    /// What is in the directory at a path, if it is kept and nothing has happened.
    pub(super) fn find(&self, dir: &Dir, at: &path::Path) -> Option<Arc<Entries>> {
        let key = at.as_os_str().as_encoded_bytes();
        let mut shelf = self.shelf();
        let found = shelf.take(key)?;
        if found.is_current(dir, at) {
            let entries = Arc::clone(&found.entries);
            shelf.kept.push(found);
            return Some(entries);
        }
        shelf.note(key);
        shelf.put_away(found.watch);
        None
    }

    /// Watches a directory that is about to be read, if that is worth it: if it was asked for a moment
    /// ago.
    pub(super) fn watch(&self, at: &path::Path, directory: &File) -> Option<Watch> {
        let key = at.as_os_str().as_encoded_bytes();
        if !self.shelf().note(key) || !is_watchable(directory) {
            return None;
        }
        let mut watch = self.shelf().watch()?;
        watch.directory(directory);
        Some(watch)
    }

    /// Keeps what was read of a directory.
    pub(super) fn keep(
        &self,
        at: &path::Path,
        directory: &File,
        entries: &Arc<Entries>,
        watch: Watch,
        began: Instant,
    ) {
        let key = at.as_os_str().as_encoded_bytes();
        let mut shelf = self.shelf();
        let found = directory.metadata().ok();
        let found = found.filter(|_| entries.len() <= ENTRIES_MAX && watch.is_quiet());
        let Some(found) = found else {
            return shelf.put_away(watch);
        };
        if let Some(before) = shelf.take(key) {
            shelf.put_away(before.watch);
        }
        while shelf.entries() + entries.len() > ENTRIES_MAX {
            shelf.forget_oldest();
        }
        shelf.kept.push(Listing {
            at: key.into(),
            device: found.dev(),
            inode: found.ino(),
            entries: Arc::clone(entries),
            watch,
            since: Instant::now(),
            young_for: AGE_MAX.max(began.elapsed() * 10),
        });
    }

    /// Gives back what watches a directory that could not be read.
    pub(super) fn give_up(&self, watch: Watch) {
        self.shelf().put_away(watch);
    }

    /// Forgets what is too old. Whether anything is left.
    pub(super) fn evict_idle(&self) -> bool {
        let mut shelf = self.shelf();
        while let Some(at) = shelf.kept.iter().position(|listing| !listing.is_young()) {
            let old = shelf.kept.remove(at);
            shelf.put_away(old.watch);
        }
        !shelf.kept.is_empty()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn take(&mut self, key: &[u8]) -> Option<Listing> {
        let at = self.kept.iter().position(|listing| *listing.at == *key)?;
        Some(self.kept.remove(at))
    }

    /// Notes that a directory was asked for. Whether it was a moment ago.
    fn note(&mut self, key: &[u8]) -> bool {
        self.asked.retain(|(_, when)| is_young(*when));
        if self.asked.iter().any(|(asked, _)| **asked == *key) {
            return true;
        }
        if self.asked.len() < DIRECTORIES_MAX {
            self.asked.push((key.into(), Instant::now()));
        }
        false
    }

    /// Something to watch with: that of the oldest listing, if there are no more.
    fn watch(&mut self) -> Option<Watch> {
        if self.idle.is_empty() && self.watches < DIRECTORIES_MAX {
            let watch = Watch::new()?;
            self.watches += 1;
            return Some(watch);
        }
        if self.idle.is_empty() {
            self.forget_oldest();
        }
        self.idle.pop()
    }

    fn forget_oldest(&mut self) {
        if !self.kept.is_empty() {
            let oldest = self.kept.remove(0);
            self.put_away(oldest.watch);
        }
    }

    fn put_away(&mut self, mut watch: Watch) {
        watch.clear();
        self.idle.push(watch);
    }

    fn entries(&self) -> usize {
        self.kept.iter().map(|listing| listing.entries.len()).sum()
    }
}

impl Listing {
    fn is_young(&self) -> bool {
        self.since.elapsed() < self.young_for
    }

    fn is_current(&self, dir: &Dir, at: &path::Path) -> bool {
        let names_it = || {
            Found::beneath(dir, at, StatxFlags::INO)
                .is_some_and(|found| (found.device, found.inode) == (self.device, self.inode))
        };
        self.is_young() && names_it() && self.watch.is_quiet()
    }
}

fn is_young(since: Instant) -> bool {
    since.elapsed() < AGE_MAX
}

const AGE_MAX: Duration = Duration::from_secs(1);
/// Each has a descriptor of inotify, of which a user has 128.
const DIRECTORIES_MAX: usize = 8;
/// Of all that are kept.
const ENTRIES_MAX: usize = 300_000;
