//! [`Generations`]: what was asked for lately, and what was not, by its path.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Those that were asked for lately, and those that were not: when there are too many of the first,
/// the second are forgotten.
#[derive(Debug)]
pub(super) struct Generations<T> {
    young: Files<T>,
    pub(super) old: Files<T>,
}

pub(super) type Files<T> = HashMap<Box<[u8]>, T, BuildHasherDefault<Words>>;

impl<T> Default for Generations<T> {
    fn default() -> Generations<T> {
        Generations {
            young: Files::default(),
            old: Files::default(),
        }
    }
}

impl<T: Clone> Generations<T> {
    /// What is kept at that path, young again. There are at most so many of the young.
    pub(super) fn find(&mut self, key: &[u8], most: usize) -> Option<T> {
        if let Some(kept) = self.young.get(key) {
            return Some(kept.clone());
        }
        if self.old.is_empty() {
            return None;
        }
        let (key, kept) = self.old.remove_entry(key)?;
        self.insert(key, kept.clone(), most);
        Some(kept)
    }

    pub(super) fn insert(&mut self, key: Box<[u8]>, kept: T, most: usize) {
        if self.young.len() >= most {
            self.age();
        }
        self.young.insert(key, kept);
    }

    pub(super) fn forget(&mut self, key: &[u8]) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Makes the young old. Those that were are forgotten, and handed out.
    pub(super) fn age(&mut self) -> Files<T> {
        let young = std::mem::take(&mut self.young);
        std::mem::replace(&mut self.old, young)
    }
}

/// A hash of whole words at a time. Nobody can fill the table with names that collide: there are few,
/// and all of them are names of files.
#[derive(Debug, Default)]
pub(super) struct Words(u64);

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            let mixed = (self.0 ^ u64::from_le_bytes(padded)).wrapping_mul(ODD);
            self.0 = mixed ^ (mixed >> 32);
        }
    }

    fn write_usize(&mut self, len: usize) {
        self.0 ^= len as u64;
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(ODD)
    }
}

/// 2^64 divided by the golden ratio.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
