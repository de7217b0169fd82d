//! [`LargeListings`]: bounds on what directories with many entries cost, however many clients list them.
//!
//! To read a directory of 200,000 entries takes some tenths of a second and 10 MB. So only one of the large ones is read
//! at a time, readers of the same state share its entries, and there is a limit to what all readers hold together.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use sanserve_core::{Entries, listing};

/// Which large directories are being listed.
#[derive(Debug, Default)]
pub(super) struct LargeListings {
    reading: Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Directories that were large when they were read last.
    large: VecDeque<Box<[u8]>>,
    /// Directories that are being read, and have [`NOTED`] entries or more.
    reading: Vec<Box<[u8]>>,
    /// What connections or the cache may still hold.
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    at: Box<[u8]>,
    entries: Weak<Entries>,
    bytes: usize,
}

/// A directory that is being read.
pub(super) struct Reading<'a> {
    all: &'a LargeListings,
    at: &'a [u8],
    waits: bool,
    /// Whether it is among those that are known to be read.
    is_noted: bool,
    /// That no other large directory is read.
    alone: Option<MutexGuard<'a, ()>>,
}

impl LargeListings {
    /// Begins to read a directory, or returns `None` if it is large and another large one is being read, or if it is
    /// being read itself and has many entries: its reader will share them. With `waits` that is waited for.
    pub(super) fn begin<'a>(&'a self, at: &'a path::Path, waits: bool) -> Option<Reading<'a>> {
        let at = at.as_os_str().as_encoded_bytes();
        let mut reading = Reading {
            all: self,
            at,
            waits,
            is_noted: false,
            alone: None,
        };
        let known = self.known();
        let is_large = known.large.iter().any(|other| **other == *at);
        let is_read = known.reading.iter().any(|other| **other == *at);
        drop(known);
        let may = waits || !is_read;
        (may && (!is_large || reading.is_alone())).then_some(reading)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading<'_> {
    /// Returns whether more entries may be read after this many: not if the directory turns out to be large while
    /// another large one is being read.
    pub(super) fn may_go_on(&mut self, entries: usize) -> bool {
        if entries >= NOTED && !self.is_noted {
            let mut known = self.all.known();
            if !self.waits && known.reading.iter().any(|other| **other == *self.at) {
                return false;
            }
            known.reading.push(self.at.into());
            self.is_noted = true;
        }
        if entries < LARGE || self.alone.is_some() {
            return true;
        }
        let mut known = self.all.known();
        if !known.large.iter().any(|large| **large == *self.at) {
            known.large.truncate(KNOWN_MAX - 1);
            known.large.push_front(self.at.into());
        }
        drop(known);
        self.is_alone()
    }

    /// Returns the entries that were read, to be shared: those of an earlier reader if they are the same. Prepares
    /// them for listings if there are many, or `kept` says that they will be asked for again.
    ///
    /// # Errors
    /// If all readers would hold too much.
    pub(super) fn end(self, mut entries: Entries, kept: bool) -> io::Result<Arc<Entries>> {
        if entries.len() < LARGE {
            self.all.known().large.retain(|at| **at != *self.at);
        }
        entries.sort();
        if entries.len() <= MANY {
            if kept {
                listing::prepare(&mut entries);
            }
            return Ok(Arc::new(entries));
        }
        let same = self.all.known().find(self.at);
        if let Some(same) = same.into_iter().find(|same| **same == entries) {
            return Ok(same);
        }
        listing::prepare(&mut entries);
        let entries = Arc::new(entries);
        self.all.known().hold(self.at, &entries)?;
        Ok(entries)
    }

    fn is_alone(&mut self) -> bool {
        let alone = if self.waits {
            Some(
                self.all
                    .reading
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            )
        } else {
            match self.all.reading.try_lock() {
                Ok(alone) => Some(alone),
                Err(TryLockError::Poisoned(alone)) => Some(alone.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        };
        self.alone = alone;
        self.alone.is_some()
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.is_noted {
            let mut known = self.all.known();
            let place = known.reading.iter().position(|other| **other == *self.at);
            place.map(|place| known.reading.swap_remove(place));
        }
    }
}

impl Known {
    fn find(&self, at: &[u8]) -> Vec<Arc<Entries>> {
        let held = self.held.iter().filter(|held| *held.at == *at);
        held.filter_map(|held| held.entries.upgrade()).collect()
    }

    fn hold(&mut self, at: &[u8], entries: &Arc<Entries>) -> io::Result<()> {
        self.held.retain(|held| held.entries.strong_count() > 0);
        let bytes = entries.allocated();
        let all: usize = self.held.iter().map(|held| held.bytes).sum();
        if all > 0 && all + bytes > HELD_MAX {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.held.push(Held {
            at: at.into(),
            entries: Arc::downgrade(entries),
            bytes,
        });
        Ok(())
    }
}

/// Entries from which on a directory is read for one client at a time.
const NOTED: usize = 1_000;
/// Entries from which on a directory is read alone.
const LARGE: usize = 10_000;
/// Entries from which on a directory is prepared for listings where it is read, and shared by its readers.
const MANY: usize = 256;
/// How many large directories are known to be so.
const KNOWN_MAX: usize = 64;
/// Bytes of all entries of such directories that are held, but for a single directory that has more.
const HELD_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use sanserve_core::{Entries, Entry};

    use super::{HELD_MAX, LARGE, LargeListings};

    #[test]
    fn one_large_directory_is_read_at_a_time() {
        let all = LargeListings::default();
        let begin = |name: &'static str| all.begin(Path::new(name), false);
        let mut first = begin("first").expect("nothing else is read");
        assert!(first.may_go_on(LARGE - 1) && first.may_go_on(LARGE));
        // A small one is read beside it, until it turns out to be large.
        assert!(begin("first").is_none(), "its reader will share it");
        let mut second = begin("second").expect("it is not known to be large");
        assert!(second.may_go_on(LARGE - 1) && !second.may_go_on(LARGE));
        drop(second);
        assert!(begin("second").is_none(), "it is known to be large now");
        drop(first);
        assert!(begin("second").is_some());
    }

    #[test]
    fn what_all_readers_of_large_directories_hold_has_a_limit() {
        let all = LargeListings::default();
        let name = vec![b'x'; HELD_MAX / 2 + 1];
        let entries = || {
            Arc::new(Entries::from_iter([Entry {
                name: &name,
                ..Entry::default()
            }]))
        };
        let (first, second) = (entries(), entries());
        let hold = |entries: &_| all.known().hold(b"large", entries);
        assert!(hold(&first).is_ok());
        let refused = hold(&second).expect_err("both are more than the limit");
        assert_eq!(refused.kind(), std::io::ErrorKind::OutOfMemory);
        drop(first);
        assert!(hold(&second).is_ok(), "only one is held now");
    }
}
