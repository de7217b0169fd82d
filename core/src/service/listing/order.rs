//! [`Order`]: sorts the rows of a listing. Also computes sums over the entries, such as the length of all rows.
//!
//! An order is a list of indices into [`Entries`], so that several readers can share the entries. For a large directory
//! [`prepare`] computes all orders and sums once, where blocking is allowed.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::negotiate::{Key, Sorting};
use super::pictures::is_picture;
use super::{Renderer, html, json, mix_bytes, python};
use crate::fs::entries::{Prepared, Sums, compare_entries};
use crate::fs::{Entries, Entry, Path};
use crate::text::decimal::mix;

/// Sorts the entries of a directory, and computes everything that its listings need.
///
/// Without it, each request for a listing sorts and measures the directory on the thread of its connection, in some 0.5
/// µs per entry. A [`FileSystem`](crate::FileSystem) with large directories, or with a cache of listings, should call
/// this where blocking is allowed. It takes about as long as two such requests, and 16 to 20 bytes of memory per entry.
///
/// ```
/// use std::sync::Arc;
/// use sanserve_core::{Entries, Entry, listing};
///
/// let names: [&[u8]; 2] = [b"b", b"a"];
/// let mut entries: Entries = names.iter().map(|name| Entry { name, ..Entry::default() }).collect();
/// listing::prepare(&mut entries);
/// let answer = Arc::new(entries); // for FileSystem::list
/// # assert_eq!(answer.get(0).unwrap().name, b"a");
/// ```
pub fn prepare(entries: &mut Entries) {
    entries.sort();
    let all = || (0..entries.len() as u32).collect::<Vec<_>>();
    let sorted = [Key::Size, Key::Time].map(|key| {
        [false, true].map(|descending| {
            let mut indices = all();
            sort(entries, &mut indices, Sorting { key, descending });
            indices
        })
    });
    let [[size, size_down], [time, time_down]] = sorted;
    let sums = [false, true].map(|hidden| {
        let listed = entries
            .iter()
            .filter(|entry| Path::is_listed(entry.name, hidden));
        sums(listed, &RENDERERS, true)
    });
    let mut lowercase = all();
    python::sort(entries, &mut lowercase);
    let directories = entries.iter().take_while(|entry| entry.directory).count();
    entries.set_prepared(Box::new(Prepared {
        sorted: [size, size_down, time, time_down],
        directories,
        lowercase: (!lowercase.is_sorted()).then_some(lowercase),
        sums,
        #[cfg(feature = "gzip")]
        pieces: Default::default(),
    }));
}

/// An order of the entries of a listing.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// The order of the entries themselves, sorted by name.
    Unchanged,
    /// By name in descending order: first this many directories, then files.
    Reversed(usize),
    /// The order with this index in [`Prepared::sorted`].
    Sorted(usize),
    /// The order of [`Prepared::lowercase`].
    Lowercase,
    /// The indices of the entries that are shown.
    Indices(Vec<u32>),
}

impl Order {
    /// Returns the requested order, or that of CPython's page, and the sums over all entries that are shown.
    pub(super) fn of(
        entries: &Entries,
        sorting: Option<Sorting>,
        hidden: bool,
        renderer: &Renderer,
    ) -> (Order, Sums) {
        if let Some(prepared) = entries.prepared() {
            let sums = prepared.sums[usize::from(hidden)];
            return (Order::prepared(prepared, sorting), sums);
        }
        let listed = entries.iter().zip(0..);
        let listed = listed
            .filter(|(entry, _)| Path::is_listed(entry.name, hidden) && renderer.shows(entry));
        let mut indices: Vec<u32> = listed.map(|(_, place)| place).collect();
        match sorting {
            Some(sorting) => sort(entries, &mut indices, sorting),
            None => python::sort(entries, &mut indices),
        }
        let shown = indices
            .iter()
            .filter_map(|place| entries.get(*place as usize));
        let sums = sums(shown, &[renderer], sorting.is_some());
        (Order::Indices(indices), sums)
    }

    fn prepared(prepared: &Prepared, sorting: Option<Sorting>) -> Order {
        let Some(Sorting { key, descending }) = sorting else {
            return Order::Lowercase;
        };
        let first = match key {
            Key::Name if descending => return Order::Reversed(prepared.directories),
            Key::Name => return Order::Unchanged,
            Key::Size => 0,
            Key::Time => 2,
        };
        Order::Sorted(first + usize::from(descending))
    }

    /// Returns whether the order includes entries that are not shown.
    pub(super) fn includes_unshown(&self) -> bool {
        !matches!(self, Order::Indices(_))
    }

    /// Returns the indices of the entries in this order, if they are stored.
    pub(super) fn indices<'a>(&'a self, entries: &'a Entries) -> Option<&'a [u32]> {
        match self {
            Order::Unchanged | Order::Reversed(_) => None,
            Order::Indices(indices) => Some(indices),
            Order::Sorted(number) => Some(&entries.prepared()?.sorted[*number]),
            Order::Lowercase => entries.prepared()?.lowercase.as_deref(),
        }
    }

    /// Returns the index of the entry at position `at` of this order, if [`indices`](Self::indices) returns `None`.
    pub(super) fn index(&self, at: usize, count: usize) -> usize {
        match self {
            Order::Reversed(directories) if at < *directories => directories - at - 1,
            Order::Reversed(directories) if at < count => count + directories - at - 1,
            _ => at,
        }
    }
}

/// Returns the sums over these entries, with the length of their rows in some formats. Unavailable entries affect only
/// the row lengths. `version` determines whether the hash is computed, too.
fn sums<'a>(
    entries: impl Iterator<Item = Entry<'a>>,
    renderers: &[&Renderer],
    version: bool,
) -> Sums {
    let mut sums = Sums::default();
    let mut row = Vec::new();
    for entry in entries {
        if !entry.unavailable {
            sums.count += 1;
            sums.directories += usize::from(entry.directory);
            sums.bytes = sums.bytes.saturating_add(entry.len.unwrap_or(0));
            if version {
                // A sum, as it does not depend on the order in which a file system returns them.
                sums.version = sums.version.wrapping_add(version_of(&entry));
                sums.pictures += usize::from(is_picture(&entry));
            }
        }
        for renderer in renderers.iter().filter(|renderer| renderer.shows(&entry)) {
            let len = (renderer.len)(&entry).unwrap_or_else(|| {
                row.clear();
                (renderer.row)(&entry, &[], &mut row);
                row.len()
            });
            sums.lens[renderer.number] += len as u64;
        }
    }
    sums
}

fn version_of(entry: &Entry<'_>) -> u64 {
    let marks = u64::from(entry.directory) | u64::from(entry.link) << 1;
    let version = mix(mix_bytes(0, entry.name), marks);
    let version = mix(version, entry.len.unwrap_or(u64::MAX));
    mix(version, entry.modified.unwrap_or(i64::MIN) as u64)
}

/// Sorts indices of entries. Directories come first, and equal entries are sorted by name.
fn sort(entries: &Entries, indices: &mut [u32], sorting: Sorting) {
    let Sorting { key, descending } = sorting;
    let entry = |at: &u32| entries.get(*at as usize).unwrap_or_default();
    let by_name = |one: &u32, other: &u32| match entries.is_sorted() {
        true => one.cmp(other),
        false => compare_entries(&entry(one), &entry(other)),
    };
    if key != Key::Name || !entries.is_sorted() {
        indices.sort_unstable_by(|one, other| {
            let (first, second) = (entry(one), entry(other));
            let by_key = compare(key, &first, &second);
            let by_key = if descending { by_key.reverse() } else { by_key };
            let directories = second.directory.cmp(&first.directory);
            directories.then(by_key).then_with(|| by_name(one, other))
        });
    }
    if key == Key::Name && descending {
        let directories = indices.partition_point(|at| entry(at).directory);
        indices[..directories].reverse();
        indices[directories..].reverse();
    }
}

fn compare(key: Key, one: &Entry<'_>, other: &Entry<'_>) -> Ordering {
    match key {
        Key::Name => Ordering::Equal,
        Key::Size => one.len.cmp(&other.len),
        Key::Time => one.modified.cmp(&other.modified),
    }
}

/// Each renderer at the index `Renderer::number`.
const RENDERERS: [&Renderer; 5] = [
    &html::PAGE,
    &python::PAGE,
    &json::JSON,
    &json::TEXT,
    &html::PICTURES,
];
