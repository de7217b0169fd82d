//! [`Buffer`]: bytes on their way, filled at the end and eaten from the front.

use alloc::vec::Vec;
use core::fmt;

/// Bytes on their way. The room behind them is zeroed once, when it is allocated, so that it can
/// be lent to whoever fills it.
#[derive(Debug)]
pub struct Buffer {
    /// All that is allocated and zeroed; what counts is `start..end`.
    storage: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to here it grows by doubling, the last time by more, and then by little.
    typical_len: usize,
}

impl Buffer {
    /// An empty one, which allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Buffer::with_typical_len(usize::MAX)
    }

    /// The same for bytes of which there will seldom be more than so many: what it allocates follows
    /// from that.
    #[must_use]
    pub const fn with_typical_len(typical_len: usize) -> Self {
        Buffer {
            storage: Vec::new(),
            start: 0,
            end: 0,
            typical_len,
        }
    }

    /// What is in it.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// How many bytes are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes it has allocated.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.capacity()
    }

    /// Room for at least `least` bytes (and for one) at the end; [`commit`](Self::commit) then says how
    /// much of it was used. Moves what is inside, or allocates, only if there is no such room.
    pub fn reserve(&mut self, least: usize) -> &mut [u8] {
        let least = least.max(1);
        if self.storage.len() - self.end < least {
            self.storage.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.storage.len() - self.end < least {
            let len = self.storage.len();
            let more = match () {
                () if len < self.typical_len / 3 => (len * 2).max(FIRST).min(self.typical_len),
                () if len < self.typical_len => self.typical_len,
                () => len + len / 8,
            };
            let len = more.max(self.end + least);
            self.storage.reserve_exact(len - self.storage.len());
            self.storage.resize(len, 0);
        }
        &mut self.storage[self.end..]
    }

    /// The first `n` bytes of the last [`reserve`](Self::reserve), as they were filled.
    ///
    /// # Panics
    /// If that is more than was lent.
    #[must_use]
    pub fn reserved(&self, n: usize) -> &[u8] {
        &self.storage[self.end..][..n]
    }

    /// Takes in the first `n` bytes of the last [`reserve`](Self::reserve).
    ///
    /// # Panics
    /// If more was used than was lent.
    pub fn commit(&mut self, n: usize) {
        assert!(
            n <= self.storage.len() - self.end,
            "more bytes were answered than there was room for"
        );
        self.end += n;
    }

    /// Drops the first `n` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "more bytes were answered than were lent");
        self.start += n;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        match self.storage.get_mut(self.end..self.end + bytes.len()) {
            Some(room) => room.copy_from_slice(bytes),
            None => self.push_further(bytes),
        }
        self.end += bytes.len();
    }

    /// Puts bytes into room that has to be made. It seldom has, and then this is not what costs.
    #[cold]
    fn push_further(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    }

    /// Puts bytes in between, before offset `at` of what is in it.
    ///
    /// # Panics
    /// If `at` is beyond the end.
    pub fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.push(bytes);
        self.storage[self.start..self.end][at..].rotate_right(bytes.len());
    }

    /// Keeps the first `len` bytes only.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Gives the memory back, if nothing is in it.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Buffer::with_typical_len(self.typical_len);
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer::new()
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// The first allocation: enough for the head that most programs send.
const FIRST: usize = 512;
