//! [`LargeListings`]: limits the cost of directories with many entries, however many clients list them.
//!
//! Reading a directory of 200,000 entries takes a few tenths of a second and 10 MB. So only one large directory is read
//! at a time, clients share the entries if they are the same, and the memory of all entries that are in use is limited.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use sanserve_core::{Entries, listing};

/// The large directories that are being listed.
#[derive(Debug, Default)]
pub(super) struct LargeListings {
    reading: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Directories that were large when they were last read.
    large: VecDeque<Box<[u8]>>,
    /// Directories that are being read and have at least [`SHARED_MIN`] entries.
    reading: Vec<Box<[u8]>>,
    /// Entries that connections or the cache may still use.
    held: Vec<HeldEntries>,
}

#[derive(Debug)]
struct HeldEntries {
    at: Box<[u8]>,
    entries: Weak<Entries>,
    bytes: usize,
}

/// A directory that is being read.
pub(super) struct Reading<'a> {
    all: &'a LargeListings,
    at: &'a [u8],
    waits: bool,
    /// Whether it is registered in `reading`.
    is_registered: bool,
    /// The lock that prevents other large directories from being read.
    exclusive: Option<MutexGuard<'a, ()>>,
}

impl LargeListings {
    /// Begins to read a directory. Returns `None` if it is large and another large one is being read, or if it has many
    /// entries and is being read by another client, whose entries can be shared. With `waits` it waits instead.
    pub(super) fn begin<'a>(&'a self, at: &'a path::Path, waits: bool) -> Option<Reading<'a>> {
        let at = at.as_os_str().as_encoded_bytes();
        let mut reading = Reading {
            all: self,
            at,
            waits,
            is_registered: false,
            exclusive: None,
        };
        let state = self.state();
        let is_large = state.large.iter().any(|other| **other == *at);
        let is_read = state.reading.iter().any(|other| **other == *at);
        drop(state);
        let may = waits || !is_read;
        (may && (!is_large || reading.lock_exclusive())).then_some(reading)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading<'_> {
    /// Returns whether to continue after this many entries. Unless reading `waits`, it has to stop if another client is
    /// already reading the same directory, or if this one turns out to be large while another large one is being read.
    pub(super) fn may_continue(&mut self, entries: usize) -> bool {
        if entries >= SHARED_MIN && !self.is_registered {
            let mut state = self.all.state();
            if !self.waits && state.reading.iter().any(|other| **other == *self.at) {
                return false;
            }
            state.reading.push(self.at.into());
            self.is_registered = true;
        }
        if entries < LARGE_MIN || self.exclusive.is_some() {
            return true;
        }
        let mut state = self.all.state();
        if !state.large.iter().any(|large| **large == *self.at) {
            state.large.truncate(REMEMBERED_MAX - 1);
            state.large.push_front(self.at.into());
        }
        drop(state);
        self.lock_exclusive()
    }

    /// Returns the entries to share: those of an earlier read if they are the same. Prepares them for listings
    /// if there are many, or if they are `kept` in the cache.
    ///
    /// # Errors
    /// If all entries together would take too much memory.
    pub(super) fn end(self, mut entries: Entries, kept: bool) -> io::Result<Arc<Entries>> {
        if entries.len() < LARGE_MIN {
            self.all.state().large.retain(|at| **at != *self.at);
        }
        entries.sort();
        if entries.len() <= SMALL_MAX {
            if kept {
                listing::prepare(&mut entries);
            }
            return Ok(Arc::new(entries));
        }
        let same = self.all.state().find(self.at);
        if let Some(same) = same.into_iter().find(|same| **same == entries) {
            return Ok(same);
        }
        listing::prepare(&mut entries);
        let entries = Arc::new(entries);
        self.all.state().hold(self.at, &entries)?;
        Ok(entries)
    }

    fn lock_exclusive(&mut self) -> bool {
        let exclusive = if self.waits {
            Some(
                self.all
                    .reading
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            )
        } else {
            match self.all.reading.try_lock() {
                Ok(exclusive) => Some(exclusive),
                Err(TryLockError::Poisoned(exclusive)) => Some(exclusive.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        };
        self.exclusive = exclusive;
        self.exclusive.is_some()
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.is_registered {
            let mut state = self.all.state();
            let at = state.reading.iter().position(|other| **other == *self.at);
            at.map(|at| state.reading.swap_remove(at));
        }
    }
}

impl State {
    fn find(&self, at: &[u8]) -> Vec<Arc<Entries>> {
        let held = self.held.iter().filter(|held| *held.at == *at);
        held.filter_map(|held| held.entries.upgrade()).collect()
    }

    fn hold(&mut self, at: &[u8], entries: &Arc<Entries>) -> io::Result<()> {
        self.held.retain(|held| held.entries.strong_count() > 0);
        let bytes = entries.allocated();
        let all: usize = self.held.iter().map(|held| held.bytes).sum();
        if all > 0 && all + bytes > HELD_BYTES_MAX {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.held.push(HeldEntries {
            at: at.into(),
            entries: Arc::downgrade(entries),
            bytes,
        });
        Ok(())
    }
}

/// Directories with at least this many entries are read for one client at a time.
const SHARED_MIN: usize = 1_000;
/// Directories with at least this many entries are read one at a time.
const LARGE_MIN: usize = 10_000;
/// Directories with more entries are prepared for listings when they are read, and shared.
const SMALL_MAX: usize = 256;
/// The maximum number of directories that are remembered as large.
const REMEMBERED_MAX: usize = 64;
/// The maximum size in bytes of all entries in use, except that a single directory may have more.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use sanserve_core::{Entries, Entry};

    use super::{HELD_BYTES_MAX, LARGE_MIN, LargeListings};

    #[test]
    fn one_large_directory_is_read_at_a_time() {
        let all = LargeListings::default();
        let begin = |name: &'static str| all.begin(Path::new(name), false);
        let mut first = begin("first").expect("no other directory is being read");
        assert!(first.may_continue(LARGE_MIN - 1) && first.may_continue(LARGE_MIN));
        // A small directory is read at the same time, until it turns out to be large.
        assert!(begin("first").is_none(), "its entries will be shared");
        let mut second = begin("second").expect("it is not known to be large yet");
        assert!(second.may_continue(LARGE_MIN - 1) && !second.may_continue(LARGE_MIN));
        drop(second);
        assert!(begin("second").is_none(), "it is known to be large now");
        drop(first);
        assert!(begin("second").is_some());
    }

    #[test]
    fn the_memory_of_large_listings_is_limited() {
        let all = LargeListings::default();
        let name = vec![b'x'; HELD_BYTES_MAX / 2 + 1];
        let entries = || {
            Arc::new(Entries::from_iter([Entry {
                name: &name,
                ..Entry::default()
            }]))
        };
        let (first, second) = (entries(), entries());
        let hold = |entries: &_| all.state().hold(b"large", entries);
        assert!(hold(&first).is_ok());
        let refused = hold(&second).expect_err("both are more than the limit");
        assert_eq!(refused.kind(), std::io::ErrorKind::OutOfMemory);
        drop(first);
        assert!(hold(&second).is_ok(), "only one is in use now");
    }
}
