//! A row of the page: a name that is a link, a size, a time.

use alloc::vec::Vec;

use super::text::{exact, href, is_plain, shown, size};
use crate::{Entry, date};

/// Writes the row of an entry.
pub(super) fn row(entry: &Entry<'_>, out: &mut Vec<u8>) {
    let &Entry {
        name,
        directory,
        link,
        len,
        modified,
    } = entry;
    out.extend_from_slice(b"<tr><th scope=\"row\"><a href=\"");
    let plain = is_plain(name);
    if plain {
        out.extend_from_slice(name);
    } else {
        href(name, out);
    }
    out.extend_from_slice(if directory { b"/\"><bdi>" } else { b"\"><bdi>" });
    if plain {
        out.extend_from_slice(name);
    } else {
        shown(name, out);
    }
    out.extend_from_slice(match (link, directory) {
        (true, _) => b"</bdi>@</a><td",
        (_, true) => b"</bdi>/</a><td",
        _ => b"</bdi></a><td",
    });
    if let Some(len) = len {
        out.extend_from_slice(b" title=\"");
        exact(len, out);
        out.extend_from_slice(b"\">");
        size(len, out);
        out.extend_from_slice(b"<td>");
    } else {
        out.extend_from_slice(b"><td>");
    }
    if let Some(modified) = modified {
        let utc = date::format_utc(modified);
        out.extend_from_slice(b"<time datetime=\"");
        out.extend_from_slice(&utc);
        out.extend_from_slice(b"\">");
        out.extend_from_slice(&utc[..10]);
        out.push(b' ');
        out.extend_from_slice(&utc[11..16]);
        out.extend_from_slice(b"</time>");
    }
    out.push(b'\n');
}
