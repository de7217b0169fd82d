//! [`Entries`]: what a directory holds, in two allocations however much that is.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::text::natural_order;

/// One name in a directory, and what is known of it.
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
    /// Whether nothing can be had under the name: it is a link that leads nowhere or out of the tree, a FIFO, a socket or a
    /// device. Listings leave it out, but for CPython's page.
    pub unavailable: bool,
    /// Length in bytes, if it is a file and that is known.
    pub len: Option<u64>,
    /// Time of the last change in whole seconds since 1970 (rounded down), if it is known.
    pub modified: Option<i64>,
}

/// What a directory holds: names one behind the other, and 24 bytes for each. An answer holds it in
/// an `Arc`, so that a file system can keep it and give it again.
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

/// What listings need beyond the entries, worked out by [`listing::prepare`](crate::listing::prepare).
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The places of the entries by size, by size with the largest first, by time, by time with the newest first.
    pub(crate) sorted: [Vec<u32>; 4],
    /// How many of them are directories, which come first.
    pub(crate) directories: usize,
    /// Their places in the order of CPython's page, if that is another than their own.
    pub(crate) lowercase: Option<Vec<u32>>,
    /// What is known of all of them together: without names that begin with a dot, and with these.
    pub(crate) sums: [Sums; 2],
}

/// What is known of all entries of a directory that may be shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    pub(crate) count: usize,
    /// The lengths of all files together.
    pub(crate) bytes: u64,
    /// A number that another state of the directory has not.
    pub(crate) version: u64,
    /// The bytes of all rows, in each form of a listing.
    pub(crate) lens: [u64; 4],
}

/// Where the name is, and the rest of an [`Entry`], packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    /// `u64::MAX` if it is unknown.
    len: u64,
    /// `i64::MIN` if it is unknown.
    modified: i64,
    start: u32,
    /// The length of the name, and the three marks above it.
    name: u32,
}

impl Entries {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Entries {
            names: Vec::new(),
            records: Vec::new(),
            sorted: false,
            prepared: None,
        }
    }

    /// Adds an entry. There is room for 4 GiB of names, the longest of 512 MiB; what is beyond is left out.
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
        let mark = |is: bool, mark: u32| if is { mark } else { 0 };
        let marks = mark(directory, DIRECTORY) | mark(link, LINK) | mark(unavailable, UNAVAILABLE);
        self.names.extend_from_slice(name);
        self.records.push(Record {
            len: len.unwrap_or(u64::MAX),
            modified: modified.unwrap_or(i64::MIN),
            start,
            name: name_len | marks,
        });
        self.sorted = false;
        self.prepared = None;
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entry at this place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Entry<'_>> {
        self.records.get(at).map(|record| record.entry(&self.names))
    }

    /// All of them, in their order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.records.iter().map(|record| record.entry(&self.names))
    }

    /// Sorts them by name as people do: directories first, `file2` before `file10`, whatever is a
    /// capital. It need not be done, but a file system that keeps them saves it each time.
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

    /// Returns how many bytes of memory the entries take.
    #[must_use]
    pub fn allocated(&self) -> usize {
        let orders = self.prepared.as_ref().map_or(0, |prepared| {
            let lowercase = prepared.lowercase.as_ref().map_or(0, Vec::capacity);
            lowercase + prepared.sorted.iter().map(Vec::capacity).sum::<usize>()
        });
        let records = self.records.capacity() * size_of::<Record>();
        self.names.capacity() + records + orders * size_of::<u32>()
    }

    /// Whether they were sorted, and nothing was added since.
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
            name: &names[start..start + (self.name & !MARKS) as usize],
            directory: self.name & DIRECTORY != 0,
            link: self.name & LINK != 0,
            unavailable: self.name & UNAVAILABLE != 0,
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
const MARKS: u32 = UNAVAILABLE | DIRECTORY | LINK;

/// Directories first, then by name.
pub(crate) fn compare_entries(one: &Entry<'_>, other: &Entry<'_>) -> Ordering {
    let directories = other.directory.cmp(&one.directory);
    directories.then_with(|| natural_order::compare(one.name, other.name))
}
