//! [`JSON`] and [`TEXT`]: write listings in JSON, and in plain text with one name per line.

use alloc::vec::Vec;

use super::Renderer;
use super::text::{href, is_plain, number};
use crate::fs::Entry;
use crate::text::date;
use crate::text::decimal::Digits;
use crate::text::escape::{Json, is_invisible};

/// The JSON format: an array with one object per entry, each on a line of its own.
pub(super) const JSON: Renderer = Renderer {
    number: 2,
    top: |_, out| out.push(b'['),
    row: json,
    len: |_| None,
    between: b",",
    group: b"",
    rows_end: b"",
    foot: b"\n]\n",
    unavailable: false,
};

/// The text format: one name per line.
pub(super) const TEXT: Renderer = Renderer {
    number: 3,
    top: |_, _| (),
    row: text,
    len: |_| None,
    between: b"",
    group: b"",
    rows_end: b"",
    foot: b"",
    unavailable: false,
};

/// Writes the object for an entry.
fn json(entry: &Entry<'_>, _: &[u8], out: &mut Vec<u8>) {
    out.push(b'\n');
    out.extend_from_slice(b"{\"name\":\"");
    string(entry.name, out);
    out.extend_from_slice(b"\",\"href\":\"");
    href(entry.name, out);
    out.extend_from_slice(if entry.directory {
        b"/\",\"kind\":\"directory\",\"link\":"
    } else {
        b"\",\"kind\":\"file\",\"link\":"
    });
    out.extend_from_slice(if entry.link { b"true" } else { b"false" });
    out.extend_from_slice(b",\"size\":");
    match entry.len {
        Some(len) => number(len, out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"modified\":");
    match entry.modified {
        Some(modified) => {
            out.push(b'"');
            out.extend_from_slice(&date::format_utc(modified));
            out.extend_from_slice(b"\"}");
        }
        None => out.extend_from_slice(b"null}"),
    }
}

/// Writes a name as a JSON string. Bytes that are not UTF-8 become U+FFFD; the member `href` is exact.
fn string(name: &[u8], out: &mut Vec<u8>) {
    if is_plain(name) {
        return out.extend_from_slice(name);
    }
    for chunk in name.utf8_chunks() {
        let mut escaped = alloc::string::String::new();
        core::fmt::Write::write_str(&mut Json(&mut escaped), chunk.valid())
            .expect("a string takes everything");
        out.extend_from_slice(escaped.as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
}

/// Writes a name and a line break, with a slash after that of a directory. Invisible characters, which could break the
/// line or reorder it, and bytes that are not UTF-8 are written as `\x0a`, and `\` as `\x5c`, so that no two names look
/// the same.
fn text(entry: &Entry<'_>, _: &[u8], out: &mut Vec<u8>) {
    for chunk in entry.name.utf8_chunks() {
        for char in chunk.valid().chars() {
            if is_invisible(char) || char == '\\' {
                let mut bytes = [0; 4];
                char.encode_utf8(&mut bytes)
                    .bytes()
                    .for_each(|byte| hexadecimal(byte, out));
            } else {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        chunk
            .invalid()
            .iter()
            .for_each(|byte| hexadecimal(*byte, out));
    }
    out.extend_from_slice(if entry.directory { b"/\n" } else { b"\n" });
}

fn hexadecimal(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(if byte < 16 { b"\\x0" } else { b"\\x" });
    out.extend_from_slice(Digits::hexadecimal(byte.into()).as_bytes());
}
