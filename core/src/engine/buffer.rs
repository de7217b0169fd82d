//! [`Buffer`]: a byte queue that is filled at the end and consumed from the front.

use alloc::vec::Vec;
use core::fmt;

/// A queue of bytes in one allocation. Its spare capacity is zeroed once, when it is allocated, so that it can be lent
/// as a plain `&mut [u8]` to read into.
#[derive(Debug)]
pub struct Buffer {
    /// The whole allocation, zeroed; the content is `start..end`.
    storage: Vec<u8>,
    start: usize,
    end: usize,
    /// Below this length the buffer grows by doubling (the last step may be larger), above it by an eighth.
    typical_len: usize,
}

impl Buffer {
    /// Returns an empty buffer, which allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Buffer::with_typical_len(usize::MAX)
    }

    /// Returns an empty buffer for content that is seldom longer than `typical_len` bytes, which determines how its
    /// allocation grows.
    #[must_use]
    pub const fn with_typical_len(typical_len: usize) -> Self {
        Buffer {
            storage: Vec::new(),
            start: 0,
            end: 0,
            typical_len,
        }
    }

    /// Returns the content.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// Returns the length of the content in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Returns whether there is no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Returns the number of bytes that are allocated.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.capacity()
    }

    /// Returns the spare capacity after the content, at least `least` bytes and never empty. After writing to it, call
    /// [`commit`](Self::commit). The content is moved, or memory allocated, only if the spare capacity is too small.
    pub fn reserve(&mut self, least: usize) -> &mut [u8] {
        let least = least.max(1);
        if self.storage.len() - self.end < least {
            self.storage.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.storage.len() - self.end < least {
            let len = self.storage.len();
            let more = match () {
                () if len < self.typical_len / 3 => {
                    (len * 2).max(FIRST_ALLOCATION).min(self.typical_len)
                }
                () if len < self.typical_len => self.typical_len,
                () => len + len / 8,
            };
            let len = more.max(self.end + least);
            self.storage.reserve_exact(len - self.storage.len());
            self.storage.resize(len, 0);
        }
        &mut self.storage[self.end..]
    }

    /// Returns the first `n` bytes of the spare capacity that the last [`reserve`](Self::reserve) lent, without
    /// committing them.
    ///
    /// # Panics
    /// If `n` is larger than the spare capacity.
    #[must_use]
    pub fn reserved(&self, n: usize) -> &[u8] {
        &self.storage[self.end..][..n]
    }

    /// Appends the first `n` bytes of the spare capacity that the last [`reserve`](Self::reserve) lent to the content.
    ///
    /// # Panics
    /// If `n` is larger than the spare capacity.
    pub fn commit(&mut self, n: usize) {
        assert!(
            n <= self.storage.len() - self.end,
            "more bytes were committed than were reserved"
        );
        self.end += n;
    }

    /// Removes the first `n` bytes.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "more bytes were consumed than there are");
        self.start += n;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        match self.storage.get_mut(self.end..self.end + bytes.len()) {
            Some(room) => room.copy_from_slice(bytes),
            None => self.push_further(bytes),
        }
        self.end += bytes.len();
    }

    /// Grows the buffer and copies bytes after the content. Kept out of `push`, since it seldom happens.
    #[cold]
    fn push_further(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    }

    /// Inserts bytes at offset `at` of the content.
    ///
    /// # Panics
    /// If `at` is beyond the end.
    pub fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.push(bytes);
        self.storage[self.start..self.end][at..].rotate_right(bytes.len());
    }

    /// Moves the `n` bytes at offset `at` of the content behind the rest of it.
    pub(crate) fn move_to_end(&mut self, at: usize, n: usize) {
        self.storage[self.start..self.end][at..].rotate_left(n);
    }

    /// Keeps the first `len` bytes only.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Frees the memory if there is no content.
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

/// The size of the first allocation in bytes: enough for the head of a typical request.
const FIRST_ALLOCATION: usize = 512;

#[cfg(test)]
mod tests {
    use super::Buffer;

    #[test] // truncate ignores start
    fn a_buffer_counts_from_its_remaining_content() {
        let mut buffer = Buffer::new();
        buffer.push(b"abcdef");
        buffer.consume(2);
        buffer.truncate(3);
        assert_eq!(buffer.filled(), b"cde");
        buffer.insert(1, b"XY");
        assert_eq!(buffer.filled(), b"cXYde");
    }
}
