//! [`TwoGenerationCache`]: an approximate LRU cache with keys that are paths.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Recently used values, and values that were recent before. When there are too many recent ones, they replace
/// the previous ones, which are dropped.
#[derive(Debug)]
pub(super) struct TwoGenerationCache<T> {
    recent: Map<T>,
    pub(super) previous: Map<T>,
}

pub(super) type Map<T> = HashMap<Box<[u8]>, T, BuildHasherDefault<WordHasher>>;

impl<T> Default for TwoGenerationCache<T> {
    fn default() -> TwoGenerationCache<T> {
        TwoGenerationCache {
            recent: Map::default(),
            previous: Map::default(),
        }
    }
}

impl<T: Clone> TwoGenerationCache<T> {
    /// Returns the value of a key and marks it as recent. There are at most `limit` recent ones.
    pub(super) fn find(&mut self, key: &[u8], limit: usize) -> Option<T> {
        if let Some(value) = self.recent.get(key) {
            return Some(value.clone());
        }
        if self.previous.is_empty() {
            return None;
        }
        let (key, value) = self.previous.remove_entry(key)?;
        self.insert(key, value.clone(), limit);
        Some(value)
    }

    pub(super) fn insert(&mut self, key: Box<[u8]>, value: T, limit: usize) {
        if self.recent.len() >= limit {
            self.rotate();
        }
        self.recent.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        self.recent.remove(key);
        self.previous.remove(key);
    }

    /// Makes the recent values the previous ones. The values that were previous are removed and returned.
    pub(super) fn rotate(&mut self) -> Map<T> {
        let recent = std::mem::take(&mut self.recent);
        std::mem::replace(&mut self.previous, recent)
    }
}

/// Hashes eight bytes at a time. Clients cannot fill the table with colliding names: there are only a few keys,
/// and all are names of existing files.
#[derive(Debug, Default)]
pub(super) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            let mixed = (self.0 ^ u64::from_le_bytes(padded)).wrapping_mul(GOLDEN_RATIO);
            self.0 = mixed ^ (mixed >> 32);
        }
    }

    fn write_usize(&mut self, len: usize) {
        self.0 ^= len as u64;
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(GOLDEN_RATIO)
    }
}

/// 2^64 divided by the golden ratio.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
