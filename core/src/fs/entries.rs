//! [`Entries`]: stores the entries of a directory in two allocations, regardless of their number, and sorts them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

#[cfg(feature = "gzip")]
use super::piece_cache::PieceCache;
use crate::text::natural_order;

/// A name in a directory, with its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a file system writes it as a literal, with a default for the rest"
)]
pub struct Entry<'a> {
    /// The name: any bytes but `/` and NUL, not necessarily UTF-8.
    pub name: &'a [u8],
    /// Whether it is a directory, or a link to one.
    pub directory: bool,
    /// Whether it is a symbolic link.
    pub link: bool,
    /// Whether the entry cannot be served: a symbolic link that is broken or leads out of the root, a FIFO, a socket or
    /// a device. Listings omit it, except for CPython's page.
    pub unavailable: bool,
    /// Length in bytes, if it is a file and that is known.
    pub len: Option<u64>,
    /// Time of the last modification in whole seconds since 1970 (rounded down), if it is known.
    pub modified: Option<i64>,
}

/// The entries of a directory: their names in one allocation, and 24 bytes for each in another. File systems return it
/// in an `Arc`, so that they can cache it.
///
/// ```
/// use sanserve_core::{Entries, Entry};
///
/// let names: [&[u8]; 3] = [b"page10", b"page9", b"Page 1"];
/// let mut entries: Entries = names.iter().map(|name| Entry { name, ..Entry::default() }).collect();
/// entries.sort();
/// assert!(entries.iter().map(|entry| entry.name).eq([&b"Page 1"[..], b"page9", b"page10"]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Entries {
    names: Vec<u8>,
    records: Vec<Record>,
    sorted: bool,
    prepared: Option<Box<Prepared>>,
}

/// Sort orders and sums for listings, computed by [`listing::prepare`](crate::listing::prepare).
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The indices of the entries sorted by size, smallest first and largest first, and by time, oldest first and
    /// newest first.
    pub(crate) sorted: [Vec<u32>; 4],
    /// The number of directories, which come first.
    pub(crate) directories: usize,
    /// The indices of the entries in the order of CPython's page, if it differs from theirs.
    pub(crate) lowercase: Option<Vec<u32>>,
    /// The sums without and with names that begin with a dot.
    pub(crate) sums: [Sums; 2],
    #[cfg(feature = "gzip")]
    pub(crate) pieces: PieceCache,
}

/// Sums over the entries of a directory that may be shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    pub(crate) count: usize,
    /// The number of directories among them.
    pub(crate) directories: usize,
    /// The number of pictures among them.
    pub(crate) pictures: usize,
    /// The total length of all files in bytes.
    pub(crate) bytes: u64,
    /// A hash of the entries, from which the listing's `ETag` is made.
    pub(crate) version: u64,
    /// The length of all rows in bytes, for each format of a listing.
    pub(crate) lens: [u64; 5],
}

/// A packed [`Entry`], with the position of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    /// `u64::MAX` if it is unknown.
    len: u64,
    /// `i64::MIN` if it is unknown.
    modified: i64,
    start: u32,
    /// The length of the name, with the three flags in the highest bits.
    name_and_flags: u32,
}

impl Entries {
    /// Returns an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Entries {
            names: Vec::new(),
            records: Vec::new(),
            sorted: false,
            prepared: None,
        }
    }

    /// Adds an entry. An entry is ignored if its name has 512 MiB or more, or if the names together exceed 4 GiB.
    pub fn push(&mut self, entry: Entry<'_>) {
        let Entry {
            name,
            directory,
            link,
            unavailable,
            len,
            modified,
        } = entry;
        let (Ok(start), Ok(name_len @ ..UNAVAILABLE)) =
            (u32::try_from(self.names.len()), u32::try_from(name.len()))
        else {
            return;
        };
        let flag = |is: bool, flag: u32| if is { flag } else { 0 };
        let flags = flag(directory, DIRECTORY) | flag(link, LINK) | flag(unavailable, UNAVAILABLE);
        self.names.extend_from_slice(name);
        self.records.push(Record {
            len: len.unwrap_or(u64::MAX),
            modified: modified.unwrap_or(i64::MIN),
            start,
            name_and_flags: name_len | flags,
        });
        self.sorted = false;
        self.prepared = None;
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the entry with this index.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Entry<'_>> {
        self.records.get(at).map(|record| record.entry(&self.names))
    }

    /// Returns an iterator over the entries, in their current order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.records.iter().map(|record| record.entry(&self.names))
    }

    /// Sorts the entries in natural order: directories first, `file2` before `file10`, case-insensitively. Listings
    /// sort on their own, but a file system that caches entries should sort them once.
    pub fn sort(&mut self) {
        if self.sorted {
            return;
        }
        let Entries { names, records, .. } = self;
        records
            .sort_unstable_by(|one, other| compare_entries(&one.entry(names), &other.entry(names)));
        self.sorted = true;
        self.prepared = None;
    }

    /// Returns the number of bytes that are allocated.
    #[must_use]
    pub fn allocated(&self) -> usize {
        let orders = self.prepared.as_ref().map_or(0, |prepared| {
            let lowercase = prepared.lowercase.as_ref().map_or(0, Vec::capacity);
            lowercase + prepared.sorted.iter().map(Vec::capacity).sum::<usize>()
        });
        let records = self.records.capacity() * size_of::<Record>();
        self.names.capacity() + records + orders * size_of::<u32>()
    }

    /// Returns whether the entries are sorted.
    pub(crate) fn is_sorted(&self) -> bool {
        self.sorted
    }

    pub(crate) fn prepared(&self) -> Option<&Prepared> {
        self.prepared.as_deref()
    }

    pub(crate) fn set_prepared(&mut self, prepared: Box<Prepared>) {
        self.names.shrink_to_fit();
        self.records.shrink_to_fit();
        self.prepared = Some(prepared);
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.records == other.records && self.names == other.names
    }
}

impl Eq for Entries {}

impl Record {
    #[inline]
    fn entry(self, names: &[u8]) -> Entry<'_> {
        let start = self.start as usize;
        Entry {
            name: &names[start..start + (self.name_and_flags & !FLAGS) as usize],
            directory: self.name_and_flags & DIRECTORY != 0,
            link: self.name_and_flags & LINK != 0,
            unavailable: self.name_and_flags & UNAVAILABLE != 0,
            len: Some(self.len).filter(|len| *len != u64::MAX),
            modified: Some(self.modified).filter(|modified| *modified != i64::MIN),
        }
    }
}

impl<'a> Extend<Entry<'a>> for Entries {
    fn extend<I: IntoIterator<Item = Entry<'a>>>(&mut self, entries: I) {
        entries.into_iter().for_each(|entry| self.push(entry));
    }
}

impl<'a> FromIterator<Entry<'a>> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry<'a>>>(entries: I) -> Self {
        let mut all = Entries::new();
        all.extend(entries);
        all
    }
}

const UNAVAILABLE: u32 = 1 << 29;
const DIRECTORY: u32 = 1 << 30;
const LINK: u32 = 1 << 31;
const FLAGS: u32 = UNAVAILABLE | DIRECTORY | LINK;

/// Compares entries for a sort with directories first, then by name.
pub(crate) fn compare_entries(one: &Entry<'_>, other: &Entry<'_>) -> Ordering {
    let directories = other.directory.cmp(&one.directory);
    directories.then_with(|| natural_order::compare(one.name, other.name))
}
