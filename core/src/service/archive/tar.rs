//! Writes all parts of a tar archive (POSIX.1-2017, pax) except the content of files: a header before each file or
//! directory, preceded by an extended header for values that do not fit; the padding after its content; and the end.

use alloc::format;
use alloc::vec::Vec;

use super::entry::Entry;

/// Writes the headers before the content.
pub(super) fn head((entry, name): (&Entry, &[u8]), out: &mut Vec<u8>) {
    let mut records = Vec::new();
    if name.len() > NAME_LEN {
        if str::from_utf8(name).is_err() {
            record("hdrcharset", b"BINARY", &mut records);
        }
        record("path", name, &mut records);
    }
    if entry.len > NUMBER_MAX {
        record("size", format!("{}", entry.len).as_bytes(), &mut records);
    }
    // The format has no way to omit it.
    let seconds = entry.modified.unwrap_or_default();
    let modified = u64::try_from(seconds).ok();
    let modified = modified.filter(|modified| *modified <= NUMBER_MAX);
    if modified.is_none() {
        record("mtime", format!("{seconds}").as_bytes(), &mut records);
    }
    if !records.is_empty() {
        let len = records.len() as u64;
        header(b"././@PaxHeader", 0o644, len, 0, b'x', out);
        out.append(&mut records);
        pad(len, out);
    }
    let (kind, mode) = match entry.directory {
        true => (b'5', 0o755),
        false if entry.executable => (b'0', 0o755),
        false => (b'0', 0o644),
    };
    let len = if entry.len > NUMBER_MAX { 0 } else { entry.len };
    header(name, mode, len, modified.unwrap_or(0), kind, out);
}

/// Writes the padding after the content.
pub(super) fn tail(entry: &Entry, out: &mut Vec<u8>) {
    pad(entry.len, out);
}

/// Writes the end of the archive.
pub(super) fn end(out: &mut Vec<u8>) {
    out.resize(out.len() + 2 * BLOCK, 0);
}

/// Writes a header block with octal numbers and a checksum. User and group are empty.
fn header(name: &[u8], mode: u64, len: u64, modified: u64, kind: u8, out: &mut Vec<u8>) {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(NAME_LEN)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000\0" as &[u8]);
    put(116, b"0000000\0");
    put(124, format!("{len:011o}").as_bytes());
    put(136, format!("{modified:011o}").as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend_from_slice(&block);
}

/// Writes a record of an extended header, such as `27 path=a/b` and a line feed, where 27 is the length of the record.
fn record(key: &str, value: &[u8], out: &mut Vec<u8>) {
    let rest = key.len() + value.len() + " =\n".len();
    let mut len = rest + 1;
    while len != rest + format!("{len}").len() {
        len = rest + format!("{len}").len();
    }
    out.extend_from_slice(format!("{len} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Pads content of this length to whole blocks.
fn pad(len: u64, out: &mut Vec<u8>) {
    let over = len as usize % BLOCK;
    if over > 0 {
        out.resize(out.len() + BLOCK - over, 0);
    }
}

const BLOCK: usize = 512;
/// The length of the field for a name.
const NAME_LEN: usize = 100;
/// The largest number of eleven octal digits.
const NUMBER_MAX: u64 = 0o777_7777_7777;
