//! In which order a listing shows what a directory holds, and what is known of all of it together.
//!
//! A permutation of places in [`Entries`] stands for an order, so that readers share the entries. For a large
//! directory all orders and sums are worked out once, by [`prepare`], where waiting harms no other connection.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::asked::{Key, Sorting};
use super::{Form, data, html, mix_bytes, python};
use crate::entries::{Prepared, Sums};
use crate::natural::compare_entries;
use crate::number::mix;
use crate::{Entries, Entry, Path};

/// Sorts what a directory holds and works out all that its listings need.
///
/// Without it each request for a listing sorts and measures the directory, on the thread of its connection: some
/// 0.5 µs an entry. A [`FileSystem`](crate::FileSystem) whose directories may be large, or which keeps what they
/// hold, calls it where waiting harms no other connection. It takes about as long as two such requests, and 16 to
/// 20 bytes an entry.
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
    let sorted = [Key::Size, Key::Time].map(|key| {
        [false, true].map(|descending| permutation(entries, Sorting { key, descending }))
    });
    let [[size, size_down], [time, time_down]] = sorted;
    let sums = [false, true].map(|hidden| sums(entries, hidden, &FORMS));
    let lowercase = python::order(entries);
    let directories = entries.iter().take_while(|entry| entry.directory).count();
    entries.set_prepared(Box::new(Prepared {
        sorted: [size, size_down, time, time_down],
        directories,
        lowercase,
        sums,
    }));
}

/// The order of a listing.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// That of the entries, sorted by name.
    AsTheyAre,
    /// By name from the last on, first so many directories and then files.
    Reversed(usize),
    /// That with this number among [`Prepared::sorted`].
    Sorted(usize),
    /// That of [`Prepared::lowercase`].
    Lowercase,
    /// That of this listing alone.
    Own(Vec<u32>),
}

impl Order {
    /// The order that a request asks for.
    pub(super) fn of(entries: &Entries, sorting: Sorting) -> Order {
        let Sorting { key, descending } = sorting;
        match (key, entries.prepared()) {
            (Key::Name, _) if entries.is_sorted() && !descending => Order::AsTheyAre,
            (Key::Name, Some(prepared)) => Order::Reversed(prepared.directories),
            (key, Some(_)) => {
                let by_time = usize::from(key == Key::Time);
                Order::Sorted(2 * by_time + usize::from(descending))
            }
            (_, None) => Order::Own(permutation(entries, sorting)),
        }
    }

    /// The order of CPython's page.
    pub(super) fn lowercase(entries: &Entries) -> Order {
        match entries.prepared() {
            Some(_) => Order::Lowercase,
            None => python::order(entries).map_or(Order::AsTheyAre, Order::Own),
        }
    }

    /// Returns the entry at a place in this order.
    pub(super) fn entry<'a>(&self, entries: &'a Entries, place: usize) -> Option<Entry<'a>> {
        let prepared = || entries.prepared();
        let order = match self {
            Order::AsTheyAre => None,
            Order::Reversed(_) if place >= entries.len() => return None,
            Order::Reversed(directories) => {
                let end = match place < *directories {
                    true => *directories,
                    false => entries.len() + directories,
                };
                return entries.get(end - place - 1);
            }
            Order::Own(order) => Some(order),
            Order::Sorted(number) => prepared().map(|prepared| &prepared.sorted[*number]),
            Order::Lowercase => prepared().and_then(|prepared| prepared.lowercase.as_ref()),
        };
        match order {
            Some(order) => entries.get(*order.get(place)? as usize),
            None => entries.get(place),
        }
    }
}

/// Returns what is known of all entries that may be shown, with the length of their rows in some forms.
pub(super) fn sums(entries: &Entries, hidden: bool, forms: &[&Form]) -> Sums {
    let mut sums = Sums::default();
    let mut row = Vec::new();
    for entry in entries
        .iter()
        .filter(|entry| Path::is_listed(entry.name, hidden))
    {
        sums.count += 1;
        sums.bytes = sums.bytes.saturating_add(entry.len.unwrap_or(0));
        let marks = u64::from(entry.directory) | u64::from(entry.link) << 1;
        let version = mix(mix_bytes(0, entry.name), marks);
        let version = mix(version, entry.len.unwrap_or(u64::MAX));
        let version = mix(version, entry.modified.unwrap_or(i64::MIN) as u64);
        // A sum, since the order in which a file system tells them says nothing.
        sums.version = sums.version.wrapping_add(version);
        for form in forms {
            let len = (form.len)(&entry).unwrap_or_else(|| {
                row.clear();
                (form.row)(&entry, &mut row);
                row.len()
            });
            sums.lens[form.number] += len as u64;
        }
    }
    sums
}

/// Sorts the places of all entries. Directories come first, and equal entries by name.
fn permutation(entries: &Entries, sorting: Sorting) -> Vec<u32> {
    let Sorting { key, descending } = sorting;
    let entry = |at: &u32| entries.get(*at as usize).unwrap_or_default();
    let mut order: Vec<u32> = (0..entries.len() as u32).collect();
    if !entries.is_sorted() {
        order.sort_unstable_by(|one, other| compare_entries(&entry(one), &entry(other)));
    }
    if key == Key::Name {
        if descending {
            let directories = order.partition_point(|at| entry(at).directory);
            order[..directories].reverse();
            order[directories..].reverse();
        }
        return order;
    }
    // A stable sort: by name they are sorted.
    order.sort_by(|one, other| {
        let (one, other) = (entry(one), entry(other));
        let by_key = compare(key, &one, &other);
        let by_key = if descending { by_key.reverse() } else { by_key };
        other.directory.cmp(&one.directory).then(by_key)
    });
    order
}

fn compare(key: Key, one: &Entry<'_>, other: &Entry<'_>) -> Ordering {
    match key {
        Key::Size => one.len.cmp(&other.len),
        _ => one.modified.cmp(&other.modified),
    }
}

/// Each at the place of its number.
const FORMS: [&Form; 4] = [&html::PAGE, &python::PAGE, &data::JSON, &data::TEXT];
