//! [`Buffer`]: bytes on their way, filled at the end and eaten from the front.

use alloc::vec::Vec;
use core::fmt;

/// Bytes on their way. The room behind them is zeroed once, when it is allocated, so that it can
/// be lent to whoever fills it.
#[derive(Debug)]
pub struct Buffer {
    /// All that is allocated and zeroed; what counts is `start..end`.
    room: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to here it grows by doubling, the last time by more, and then by little.
    usual: usize,
}

impl Buffer {
    /// An empty one, which allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Buffer::up_to(usize::MAX)
    }

    /// The same for bytes of which there will seldom be more than so many: what it allocates follows
    /// from that.
    #[must_use]
    pub const fn up_to(usual: usize) -> Self {
        Buffer {
            room: Vec::new(),
            start: 0,
            end: 0,
            usual,
        }
    }

    /// What is in it.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.room[self.start..self.end]
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
        self.room.capacity()
    }

    /// Room for at least `least` bytes (and for one) at the end; [`grew`](Self::grew) then says how
    /// much of it was used. Moves what is inside, or allocates, only if there is no such room.
    pub fn space(&mut self, least: usize) -> &mut [u8] {
        let least = least.max(1);
        if self.room.len() - self.end < least {
            self.room.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.room.len() - self.end < least {
            let len = self.room.len();
            let more = match () {
                () if len < self.usual / 3 => (len * 2).max(FIRST).min(self.usual),
                () if len < self.usual => self.usual,
                () => len + len / 8,
            };
            let len = more.max(self.end + least);
            self.room.reserve_exact(len - self.room.len());
            self.room.resize(len, 0);
        }
        &mut self.room[self.end..]
    }

    /// The first `n` bytes of the last [`space`](Self::space), as they were filled.
    ///
    /// # Panics
    /// If that is more than was lent.
    #[must_use]
    pub fn lent(&self, n: usize) -> &[u8] {
        &self.room[self.end..][..n]
    }

    /// Takes in the first `n` bytes of the last [`space`](Self::space).
    ///
    /// # Panics
    /// If more was used than was lent.
    pub fn grew(&mut self, n: usize) {
        assert!(
            n <= self.room.len() - self.end,
            "more bytes were answered than there was room for"
        );
        self.end += n;
    }

    /// Drops the first `n` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn eat(&mut self, n: usize) {
        assert!(n <= self.len(), "more bytes were answered than were lent");
        self.start += n;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        match self.room.get_mut(self.end..self.end + bytes.len()) {
            Some(room) => room.copy_from_slice(bytes),
            None => self.push_further(bytes),
        }
        self.end += bytes.len();
    }

    /// Puts bytes into room that has to be made. It seldom has, and then this is not what costs.
    #[cold]
    fn push_further(&mut self, bytes: &[u8]) {
        self.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    }

    /// Puts bytes in between, before offset `at` of what is in it.
    ///
    /// # Panics
    /// If `at` is beyond the end.
    pub fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.push(bytes);
        self.room[self.start..self.end][at..].rotate_right(bytes.len());
    }

    /// Keeps the first `len` bytes only.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Gives the memory back, if nothing is in it.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Buffer::up_to(self.usual);
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
