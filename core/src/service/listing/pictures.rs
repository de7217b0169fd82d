//! The cards of the view of the HTML page that shows pictures: one for each entry, with the picture itself if it is one.
//!
//! The browser loads only the pictures that are in sight, in full size: the server makes no smaller ones.

use alloc::vec::Vec;

use super::rows;
use super::text::{href, href_len, put};
use crate::fs::Entry;

/// Returns whether an entry is a file whose name ends with the extension of a picture that browsers show.
pub(super) fn is_picture(entry: &Entry<'_>) -> bool {
    let start = entry.name.len().saturating_sub(LEN_MAX);
    let end = &entry.name[start..];
    let dot = end.iter().rposition(|byte| *byte == b'.');
    let is_extension = |dot: usize| {
        let extension = &end[dot + 1..];
        let mut all = EXTENSIONS.iter();
        all.any(|one| extension.eq_ignore_ascii_case(one.as_bytes()))
    };
    !entry.directory && dot.is_some_and(is_extension)
}

/// Returns the length of an entry's row with an empty query, if its name needs no escaping.
pub(super) fn len(entry: &Entry<'_>) -> Option<usize> {
    let picture = match is_picture(entry) {
        true => IMAGE.len() + href_len(entry.name)?,
        false => 0,
    };
    Some(rows::len(entry)? + picture)
}

/// Writes an entry's row. `query` is added to the link of a directory.
pub(super) fn row(entry: &Entry<'_>, query: &[u8], out: &mut Vec<u8>) {
    put(rows::START, out);
    if is_picture(entry) {
        href(entry.name, out);
        put(IMAGE, out);
    }
    rows::rest(entry, query, out);
}

/// What is between the link and the source of a picture. The name is its description.
const IMAGE: &[u8] = b"\"><img loading=\"lazy\" alt=\"\" src=\"";

/// The extensions of pictures that browsers show.
const EXTENSIONS: [&str; 10] = [
    "avif", "bmp", "gif", "ico", "jpeg", "jpg", "jxl", "png", "svg", "webp",
];

/// The length of the longest extension with its dot.
const LEN_MAX: usize = 5;

/// The style of the cards, which follows that of the table.
pub(super) const STYLE: &str = "<style>\
    tbody{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(10.5rem,45%),1fr));align-items:start;gap:.75rem;margin-top:.75rem}\
    tbody tr,[data-delete] tbody tr{position:relative;flex-flow:row wrap;padding:0 0 .25rem!important;border:1px solid var(--line);border-radius:8px;text-align:start;overflow:hidden}\
    tbody th{flex:none;width:100%;margin:0}\
    th img{display:block;width:100%;height:10rem;object-fit:contain;background:var(--over)}\
    tbody th a{padding:.375rem .75rem 0;padding-inline-start:2.5rem}\
    tbody th a:has(img){padding:0}\
    th a:has(img):before{display:none}\
    [data-delete] tbody th a:not(:has(img)){padding-inline-end:2.5rem}\
    th img+bdi{display:block;padding:.375rem .75rem 0}\
    tbody td{width:auto;padding:0 .75rem;margin:0;font-size:.875rem}\
    td:empty{display:none}\
    td button{border-radius:6px;background:var(--back)}\
    </style>\n";
