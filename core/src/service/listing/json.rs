//! Listings for programs: JSON, and a name a line.

use alloc::vec::Vec;

use super::Form;
use super::text::{href, is_plain, number};
use crate::fs::Entry;
use crate::text::date;
use crate::text::decimal::Digits;
use crate::text::escape::{Json, is_invisible};

/// For programs: an array with an object for each entry, each in a line of its own.
pub(super) const JSON: Form = Form {
    number: 2,
    top: |_, out| out.push(b'['),
    row: json,
    len: |_| None,
    between: b",",
    foot: b"\n]\n",
    unavailable: false,
};

/// For scripts: a name a line.
pub(super) const TEXT: Form = Form {
    number: 3,
    top: |_, _| (),
    row: text,
    len: |_| None,
    between: b"",
    foot: b"",
    unavailable: false,
};

/// Writes the object of an entry.
fn json(entry: &Entry<'_>, out: &mut Vec<u8>) {
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

/// Writes a name between quotes. What is not UTF-8 becomes U+FFFD; `href` says it exactly.
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

/// Writes a name a line, with a slash behind that of a directory. Characters that are not
/// seen, but end the line or turn it round, and bytes that are not UTF-8 are written as `\x0a`. A `\` is written as `\x5c`, so
/// that no two names are written in the same way.
fn text(entry: &Entry<'_>, out: &mut Vec<u8>) {
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
