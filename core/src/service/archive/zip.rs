//! Writes the headers of a zip (PKWARE's APPNOTE.TXT 6.3.10, whose sections are cited): one before each file, a data
//! descriptor after it, and a central directory at the end.
//!
//! Zips are often unpacked on Windows, by programs that use their names unchanged. So all names are made portable:
//! characters with a special meaning on Windows become `_`.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use super::entry::Entry;
use crate::fs::Path;
use crate::text::date;

/// Writes the local file header (§4.3.7). The checksum and the lengths follow the content.
pub(super) fn head((entry, name): (&Entry, &[u8]), out: &mut Vec<u8>) {
    let name = &*portable(name);
    let large = is_large(entry);
    let mut extra = time(entry);
    if large {
        // §4.5.3: its presence means that the lengths after the content have eight bytes.
        put(&mut extra, &[(1, 2), (16, 2), (0, 8), (0, 8)]);
    }
    let len = if large { u32::MAX.into() } else { 0 };
    put(out, &[(0x0403_4b50, 4), (version_needed(large), 2)]);
    common(entry, name, out);
    put(out, &[(0, 4), (len, 4), (len, 4)]);
    put(out, &[(name.len() as u64, 2), (extra.len() as u64, 2)]);
    out.extend_from_slice(name);
    out.extend_from_slice(&extra);
}

/// Writes the data descriptor (§4.3.9), which follows the content, if there is any.
pub(super) fn tail(entry: &Entry, out: &mut Vec<u8>) {
    if entry.len > 0 {
        let width = if is_large(entry) { 8 } else { 4 };
        put(out, &[(0x0807_4b50, 4), (sum(entry), 4)]);
        put(out, &[(entry.len, width), (entry.len, width)]);
    }
}

/// Writes the record in the central directory (§4.3.12).
pub(super) fn record((entry, name): (&Entry, &[u8]), out: &mut Vec<u8>) {
    let name = &*portable(name);
    let (len, start) = (clamp_to_u32(entry.len), clamp_to_u32(entry.start));
    let mut large = Vec::new();
    if is_large(entry) {
        put(&mut large, &[(entry.len, 8), (entry.len, 8)]);
    }
    if start == LARGE {
        put(&mut large, &[(entry.start, 8)]);
    }
    let mut extra = time(entry);
    if !large.is_empty() {
        put(&mut extra, &[(1, 2), (large.len() as u64, 2)]);
        extra.append(&mut large);
    }
    let mode = match entry.directory {
        true => 0o040_755 << 16 | 0x10,
        false if entry.executable => 0o100_755 << 16,
        false => 0o100_644 << 16,
    };
    let needs = version_needed(is_large(entry) || start == LARGE);
    put(out, &[(0x0201_4b50, 4), (UNIX | needs, 2), (needs, 2)]);
    common(entry, name, out);
    put(out, &[(sum(entry), 4), (len, 4), (len, 4)]);
    put(
        out,
        &[
            (name.len() as u64, 2),
            (extra.len() as u64, 2),
            (0, 2),
            (0, 2),
            (0, 2),
        ],
    );
    put(out, &[(mode, 4), (start, 4)]);
    out.extend_from_slice(name);
    out.extend_from_slice(&extra);
}

/// Writes the end of the central directory (§4.3.14 to §4.3.16).
pub(super) fn end(count: u64, records: Range<u64>, out: &mut Vec<u8>) {
    let len = records.end - records.start;
    let few = count.min(0xffff);
    if few == 0xffff || clamp_to_u32(records.start) == LARGE || clamp_to_u32(len) == LARGE {
        put(
            out,
            &[
                (0x0606_4b50, 4),
                (44, 8),
                (UNIX | 45, 2),
                (45, 2),
                (0, 4),
                (0, 4),
            ],
        );
        put(out, &[(count, 8), (count, 8), (len, 8), (records.start, 8)]);
        put(out, &[(0x0706_4b50, 4), (0, 4), (records.end, 8), (1, 4)]);
    }
    put(out, &[(0x0605_4b50, 4), (0, 2), (0, 2), (few, 2), (few, 2)]);
    put(
        out,
        &[
            (clamp_to_u32(len), 4),
            (clamp_to_u32(records.start), 4),
            (0, 2),
        ],
    );
}

/// Returns a portable name (§4.4.17.1: no drive, no backslash) of the same length as `name`.
fn portable(name: &[u8]) -> Cow<'_, [u8]> {
    let is_fine = |segment: &[u8]| segment.is_empty() || Path::is_portable_name(segment);
    if name.split(|&byte| byte == b'/').all(is_fine) {
        return Cow::Borrowed(name);
    }
    let mut name = name.to_vec();
    for segment in name.split_mut(|&byte| byte == b'/') {
        if !is_fine(segment) {
            make_portable(segment);
        }
    }
    Cow::Owned(name)
}

/// Replaces by `_` the separators of directories, drives and streams on Windows, characters that Windows drops at the
/// end of a name, and the first character of a device name.
fn make_portable(segment: &mut [u8]) {
    let is_dropped = |byte: &&mut u8| matches!(byte, b'.' | b' ');
    let end = segment.iter_mut().rev().take_while(is_dropped);
    end.for_each(|byte| *byte = b'_');
    let special = segment
        .iter_mut()
        .filter(|byte| matches!(byte, b'\\' | b':'));
    special.for_each(|byte| *byte = b'_');
    if !Path::is_portable_name(segment) {
        // Otherwise it is a device name.
        segment[..1].fill(b'_');
    }
}

/// Writes the values that header and record have in common: flags, method, time and date.
fn common(entry: &Entry, name: &[u8], out: &mut Vec<u8>) {
    // §4.4.4: the lengths follow the content; the name is UTF-8, which ASCII need not declare.
    let behind = u64::from(entry.len > 0) << 3;
    let named = u64::from(!name.is_ascii() && str::from_utf8(name).is_ok()) << 11;
    // §4.4.6: in units of two seconds, from 1980 to 2107.
    let clock = date::parts(entry.modified.unwrap_or(FIRST).clamp(FIRST, LAST));
    let [year, month, day, hour, minute, second] = clock.map(|part| part as u64);
    put(out, &[(behind | named, 2), (0, 2)]);
    put(out, &[(hour << 11 | minute << 5 | (second / 2), 2)]);
    put(out, &[((year - 1980) << 9 | month << 5 | day, 2)]);
}

/// Writes the time as an extra field, since the one above has no time zone and a limited range. From 1970 to 2106 it is
/// in seconds since 1970 (Info-ZIP's extra field `UT`), as readers do not agree on whether it is signed. Otherwise it
/// is in units of 100 ns since 1601 (§4.5.5, the NTFS field); readers that do not know that field use the nearest time
/// above.
fn time(entry: &Entry) -> Vec<u8> {
    let mut extra = Vec::new();
    let Some(modified) = entry.modified else {
        return extra;
    };
    if let Ok(modified) = u32::try_from(modified) {
        put(
            &mut extra,
            &[(0x5455, 2), (5, 2), (1, 1), (modified.into(), 4)],
        );
    } else if let Some(time) = since_1601(modified) {
        put(&mut extra, &[(0x000a, 2), (32, 2), (0, 4), (1, 2), (24, 2)]);
        // The times of the last access and of the creation are not known.
        put(&mut extra, &[(time, 8), (time, 8), (time, 8)]);
    }
    extra
}

/// Returns a time in units of 100 ns since 1601.
fn since_1601(seconds: i64) -> Option<u64> {
    let seconds = u64::try_from(seconds.checked_add(11_644_473_600)?).ok()?;
    seconds.checked_mul(10_000_000)
}

fn is_large(entry: &Entry) -> bool {
    entry.len >= LARGE
}

/// The version that a reader needs (§4.4.3).
fn version_needed(large: bool) -> u64 {
    if large { 45 } else { 20 }
}

/// Returns the checksum, or 0 before it is known, when it is not sent either.
fn sum(entry: &Entry) -> u64 {
    entry.sum.unwrap_or_default().into()
}

/// Returns a number for a field of four bytes, or the value that says that it does not fit.
fn clamp_to_u32(number: u64) -> u64 {
    number.min(LARGE)
}

/// Writes numbers of the given sizes in little-endian order.
fn put(out: &mut Vec<u8>, numbers: &[(u64, usize)]) {
    for (number, width) in numbers {
        out.extend_from_slice(&number.to_le_bytes()[..*width]);
    }
}

const LARGE: u64 = 0xffff_ffff;
/// §4.4.2: file modes are those of Unix.
const UNIX: u64 = 3 << 8;
/// 1980-01-01 and 2107-12-31, in seconds since 1970.
const FIRST: i64 = 315_532_800;
const LAST: i64 = 4_354_819_199;
