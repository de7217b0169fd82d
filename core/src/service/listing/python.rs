//! [`python`]: replies with the listing page of CPython 3.13, byte for byte.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::text::{TITLE_MAX, excerpt, href_len, html, put, write_link};
use super::{Directory, Listing, Renderer, head};
use crate::engine::{Exchange, Next};
use crate::fs::{Entries, Entry, percent_decode};
use crate::text::lowercase::lower;

/// Replies with CPython 3.13's page, which shows only names, sorted by their lower case, code point by code point.
pub fn python(ex: &mut Exchange<'_>, directory: Directory<'_>) -> Next {
    let listing = Listing::new(ex, &directory, &PAGE, None);
    let len = listing.len(&listing.top());
    head::send_python(ex, len, directory.fields);
    directory.send(ex, listing)
}

/// Sorts indices of entries in the order of the page.
pub(super) fn sort(entries: &Entries, indices: &mut Vec<u32>) {
    let name = |at: &u32| Name(entries.get(*at as usize).unwrap_or_default().name, *at);
    if !indices.is_sorted_by_key(name) {
        // A heap, since the library's sort takes three times as much flash.
        let names = indices.iter().map(name);
        let names = names.collect::<BinaryHeap<_>>().into_sorted_vec();
        *indices = names.iter().map(|name| name.1).collect();
    }
}

fn top(listing: &Listing, out: &mut Vec<u8>) {
    let mut title = percent_decode(&listing.target);
    let slashes = title.iter().take_while(|&&byte| byte == b'/').count();
    title.drain(..slashes.saturating_sub(1));
    let title = excerpt(&title, TITLE_MAX);
    put(TOP, out);
    html(title, out);
    put(MIDDLE, out);
    html(title, out);
    put(b"</h1>\n<hr>\n<ul>\n", out);
}

fn row(entry: &Entry<'_>, _: &[u8], out: &mut Vec<u8>) {
    put(b"<li><a href=\"", out);
    write_link(entry, &[], b"\">", html, out);
    let mark: &[u8] = match (entry.link, entry.directory) {
        (true, _) => b"@</a></li>\n",
        (_, true) => b"/</a></li>\n",
        _ => b"</a></li>\n",
    };
    put(mark, out);
}

/// Returns the length of an entry's line, if its name needs no escaping.
fn len(entry: &Entry<'_>) -> Option<usize> {
    let around = b"<li><a href=\"\"></a></li>\n".len();
    let mark = usize::from(entry.directory || entry.link) + usize::from(entry.directory);
    Some(around + mark + href_len(entry.name)? + entry.name.len())
}

pub(super) const PAGE: Renderer = Renderer {
    number: 1,
    top,
    row,
    len,
    between: b"",
    group: b"",
    rows_end: b"",
    foot: b"</ul>\n<hr>\n</body>\n</html>\n",
    unavailable: true,
};

/// A name, ordered by its lower case, with its index.
struct Name<'a>(&'a [u8], u32);

impl Ord for Name<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Name<'_> {}

/// Compares names in lower case, then unchanged.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    compare_lower(one, other).then_with(|| one.cmp(other))
}

fn compare_lower(one_name: &[u8], other_name: &[u8]) -> Ordering {
    for (one, other) in one_name.iter().zip(other_name) {
        if !(one.is_ascii() && other.is_ascii()) {
            // Characters that are not ASCII may follow.
            return characters(one_name).cmp(characters(other_name));
        }
        if one != other {
            let order = one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase());
            if order.is_ne() {
                return order;
            }
        }
    }
    one_name.len().cmp(&other_name.len())
}

/// Returns the characters of a name in lower case.
fn characters(name: &[u8]) -> impl Iterator<Item = char> {
    name.utf8_chunks().flat_map(|chunk| {
        let replaced = !chunk.invalid().is_empty();
        lower(chunk.valid()).chain(replaced.then_some(char::REPLACEMENT_CHARACTER))
    })
}

const TOP: &[u8] = b"<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Directory listing for ";
const MIDDLE: &[u8] = b"</title>\n</head>\n<body>\n<h1>Directory listing for ";
