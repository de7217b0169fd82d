//! Writes the rows of the HTML page, with a name as a link, a size and a time, and computes their lengths.

use alloc::vec::Vec;

use super::text::{
    exact_size, exact_size_len, href_len, size, size_len, write_display, write_link,
};
use crate::fs::Entry;
use crate::text::date;

/// Returns the length of an entry's row with an empty query, if its name needs no escaping.
pub(super) fn len(entry: &Entry<'_>) -> Option<usize> {
    let mut len = "<tr><th scope=\"row\"><a href=\"\"><bdi></bdi></a><td><td>\n".len();
    len += usize::from(entry.directory) + usize::from(entry.directory || entry.link);
    len += href_len(entry.name)? + entry.name.len();
    if let Some(bytes) = entry.len {
        len += " title=\"\"".len() + exact_size_len(bytes) + size_len(bytes);
    }
    if entry.modified.is_some() {
        len += TIME.len();
    }
    Some(len)
}

/// Writes an entry's row. `query` is added to the link of a directory.
pub(super) fn row(entry: &Entry<'_>, query: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(START);
    rest(entry, query, out);
}

/// Writes what follows [`START`] in an entry's row.
#[inline]
pub(super) fn rest(entry: &Entry<'_>, query: &[u8], out: &mut Vec<u8>) {
    write_link(entry, query, b"\"><bdi>", write_display, out);
    out.extend_from_slice(match (entry.link, entry.directory) {
        (true, _) => b"</bdi>@</a><td",
        (_, true) => b"</bdi>/</a><td",
        _ => b"</bdi></a><td",
    });
    if let Some(len) = entry.len {
        out.extend_from_slice(b" title=\"");
        exact_size(len, out);
        out.extend_from_slice(b"\">");
        size(len, out);
        out.extend_from_slice(b"<td>");
    } else {
        out.extend_from_slice(b"><td>");
    }
    if let Some(modified) = entry.modified {
        let utc = date::format_utc(modified);
        let mut time = *TIME;
        time[16..36].copy_from_slice(&utc);
        time[38..48].copy_from_slice(&utc[..10]);
        time[49..54].copy_from_slice(&utc[11..16]);
        out.extend_from_slice(&time);
    }
    out.push(b'\n');
}

/// The start of each row, up to the link.
pub(super) const START: &[u8] = b"<tr><th scope=\"row\"><a href=\"";

const TIME: &[u8; 61] = b"<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00</time>";
