//! Formats names and numbers in listings: as links, for display, and sizes in readable units.

use alloc::vec::Vec;

use crate::fs::Entry;
use crate::text::decimal::Digits;

/// Writes the name of an entry as a link target, followed by `query` if it is a directory, then `between`, then the name
/// as `text` writes it. Most names need no escaping in either.
pub(super) fn write_link(
    entry: &Entry<'_>,
    query: &[u8],
    between: &[u8],
    text: fn(&[u8], &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let name = entry.name;
    let len = href_len(name);
    match len {
        Some(len) if len == name.len() => put(name, out),
        _ => href(name, out),
    }
    if entry.directory {
        out.push(b'/');
        put(query, out);
    }
    put(between, out);
    match len {
        Some(_) => put(name, out),
        None => text(name, out),
    }
}

/// Appends bytes. Not inlined, to save code size.
#[inline(never)]
pub(super) fn put(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes);
}

/// Returns at most `max` bytes of the start of a text, cut between two characters.
pub(super) fn excerpt(text: &[u8], max: usize) -> &[u8] {
    if text.len() <= max {
        return text;
    }
    let is_start = |end: &usize| text[*end] & 0xC0 != 0x80;
    let end = (max.saturating_sub(3)..=max).rev().find(is_start);
    &text[..end.unwrap_or(max)]
}

/// The number of bytes of a path in the title of a page: the longest path of most systems.
pub(super) const TITLE_MAX: usize = 4096;

/// Writes text with HTML escapes. Bytes that are not UTF-8 are written unchanged.
pub(super) fn html(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            byte => out.push(byte),
        }
    }
}

/// Writes a name as a link target. Bytes that are not UTF-8 are written as the surrogates that CPython uses for them,
/// which [`Path::parse`](crate::Path::parse) decodes.
pub(super) fn href(name: &[u8], out: &mut Vec<u8>) {
    if name.is_ascii() {
        return quote(name, out);
    }
    for chunk in name.utf8_chunks() {
        quote(chunk.valid().as_bytes(), out);
        for &byte in chunk.invalid() {
            quote(&[0xED, 0xB0 | byte >> 6, 0x80 | byte & 0x3F], out);
        }
    }
}

/// Percent-encodes like Python's `quote`.
fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        if LENGTHS[usize::from(byte)] == 1 || byte == b'/' {
            out.push(byte);
        } else {
            let digit = |digit: u8| b"0123456789ABCDEF"[usize::from(digit)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// Returns the length of a name in a link, if it needs no escaping in text.
#[inline]
pub(super) fn href_len(name: &[u8]) -> Option<usize> {
    let lens = name.iter().map(|byte| LENGTHS[usize::from(*byte)]);
    let (len, hard) = lens.fold((0, false), |(len, hard), one| {
        (len + usize::from(one), hard | (one == 0))
    });
    (!hard).then_some(len)
}

/// Returns whether the name needs no escaping in any context.
#[inline]
pub(super) fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| LENGTHS[usize::from(*byte)] == 1)
}

/// Writes text for display: control characters as their Unicode pictures.
pub(super) fn write_display(text: &[u8], out: &mut Vec<u8>) {
    for piece in text.chunk_by(|one, other| !one.is_ascii_control() && !other.is_ascii_control()) {
        match piece {
            [0x7F] => out.extend_from_slice("\u{2421}".as_bytes()),
            [byte @ ..0x20] => out.extend_from_slice(&[0xE2, 0x90, 0x80 | byte]),
            piece => html(piece, out),
        }
    }
}

/// Writes a number.
pub(super) fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(Digits::decimal(number).as_bytes());
}

/// Writes a length in a readable unit: `6 B`, `1.2 KiB`, `340 MiB`.
pub(super) fn size(len: u64, out: &mut Vec<u8>) {
    const UNITS: [&[u8]; 7] = [b" B", b" KiB", b" MiB", b" GiB", b" TiB", b" PiB", b" EiB"];
    if len < 1024 {
        number(len, out);
        return out.extend_from_slice(UNITS[0]);
    }
    let unit = len.ilog2() as usize / 10;
    // In 1024ths of the unit.
    let parts = len >> (10 * (unit - 1));
    let (tenths, whole) = ((parts * 10 + 512) >> 10, (parts + 512) >> 10);
    if whole >= 1024 {
        out.extend_from_slice(b"1.0");
        return out.extend_from_slice(UNITS[unit + 1]);
    }
    if tenths < 1000 {
        number(tenths / 10, out);
        out.extend_from_slice(&[b'.', b'0' + (tenths % 10) as u8]);
    } else {
        number(whole, out);
    }
    out.extend_from_slice(UNITS[unit]);
}

/// Returns the length of what `size` writes.
pub(super) fn size_len(len: u64) -> usize {
    let mut text = Vec::with_capacity(8);
    size(len, &mut text);
    text.len()
}

/// Writes a length exactly.
pub(super) fn exact_size(len: u64, out: &mut Vec<u8>) {
    number(len, out);
    out.extend_from_slice(if len == 1 { b" byte" } else { b" bytes" });
}

/// Returns the length of what `exact_size` writes.
pub(super) fn exact_size_len(len: u64) -> usize {
    let digits = len.checked_ilog10().unwrap_or(0) as usize + 1;
    digits + if len == 1 { 5 } else { 6 }
}

/// The length of each byte in a link: 1 for bytes that Python's `quote` does not escape, except `/`, which no name
/// contains; 0 for bytes that are not ASCII or need escaping in text.
static LENGTHS: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut byte = b' ';
    while byte < 0x7F {
        lengths[byte as usize] = match byte {
            b'&' | b'<' | b'>' => 0,
            b'_' | b'.' | b'-' | b'~' => 1,
            byte if byte.is_ascii_alphanumeric() => 1,
            _ => 3,
        };
        byte += 1;
    }
    lengths
};

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        for (len, wanted) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10_188, "9.9 KiB"),
            (102_348, "99.9 KiB"),
            (102_400, "100 KiB"),
            (1_048_063, "1023 KiB"),
            (1_048_064, "1.0 MiB"),
            (1_048_576, "1.0 MiB"),
            (1 << 40, "1.0 TiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(written(|out| super::size(len, out)), wanted, "{len}");
        }
    }

    #[test]
    fn control_characters_are_pictures() {
        let shown = written(|out| super::write_display(b"\na\x1b\x7f<b", out));
        assert_eq!(shown, "\u{240A}a\u{241B}\u{2421}&lt;b");
    }
}
