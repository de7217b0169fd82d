//! Reads tar and zip archives strictly, without code of the engine. Accepts only what the engine may send: pax headers
//! with a path, and files that are stored without compression.

use std::collections::BTreeMap;

/// The names in an archive, with the content of files. The names of directories end with a slash.
pub type Unpacked = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Unpacks a tar (POSIX.1-2017, pax).
///
/// # Errors
/// The first violation of the format.
pub fn tar(mut bytes: &[u8]) -> Result<Unpacked, String> {
    let (mut unpacked, mut long_name) = (Unpacked::new(), None);
    loop {
        let (block, rest) = bytes.split_at_checked(512).ok_or("it ends early")?;
        if block.iter().all(|&byte| byte == 0) {
            return match rest == [0; 512] {
                true => Ok(unpacked),
                false => Err("the end is not two blocks of zeros".into()),
            };
        }
        let len = octal(&block[124..136])?;
        let sum = block.iter().enumerate().map(|(at, &byte)| match at {
            148..156 => u64::from(b' '),
            _ => u64::from(byte),
        });
        if octal(&block[148..156])? != sum.sum() || &block[257..265] != b"ustar\x0000" {
            return Err("a bad header".into());
        }
        let len = usize::try_from(len).map_err(|_| "a long file")?;
        let padded = len.next_multiple_of(512);
        let (content, rest) = rest.split_at_checked(padded).ok_or("a file is cut")?;
        let (content, padding) = content.split_at(len);
        if padding.iter().any(|&byte| byte != 0) {
            return Err("the padding is not zeros".into());
        }
        bytes = rest;
        let name = block[..100]
            .split(|&byte| byte == 0)
            .next()
            .unwrap_or_default();
        let name = long_name.take().unwrap_or_else(|| name.to_vec());
        match block[156] {
            b'x' => long_name = pax_path(content)?,
            b'0' => add(&mut unpacked, name, Some(content.to_vec()))?,
            b'5' if content.is_empty() => add(&mut unpacked, name, None)?,
            kind => return Err(format!("an entry of kind {kind}")),
        }
    }
}

fn add(unpacked: &mut Unpacked, name: Vec<u8>, content: Option<Vec<u8>>) -> Result<(), String> {
    if name.ends_with(b"/") != content.is_none() {
        return Err("a directory without a slash, or a file with one".into());
    }
    match unpacked.insert(name, content) {
        None => Ok(()),
        Some(_) => Err("a name occurs twice".into()),
    }
}

fn octal(field: &[u8]) -> Result<u64, String> {
    let digits = field
        .split(|byte| matches!(byte, 0 | b' '))
        .next()
        .unwrap_or_default();
    let number = str::from_utf8(digits)
        .ok()
        .and_then(|text| u64::from_str_radix(text, 8).ok());
    number.ok_or_else(|| "a bad number".into())
}

/// Returns the path in an extended header, which consists of records such as `12 path=a/b` and a line feed.
fn pax_path(mut records: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut path = None;
    while !records.is_empty() {
        let space = records
            .iter()
            .position(|&byte| byte == b' ')
            .ok_or("a bad record")?;
        let len = str::from_utf8(&records[..space])
            .ok()
            .and_then(|len| len.parse().ok());
        let (record, rest) = len
            .and_then(|len| records.split_at_checked(len))
            .ok_or("a bad record")?;
        let record = record[space + 1..]
            .strip_suffix(b"\n")
            .ok_or("a bad record")?;
        path = record.strip_prefix(b"path=").map(<[u8]>::to_vec).or(path);
        records = rest;
    }
    Ok(path)
}

/// Unpacks a zip (PKWARE's APPNOTE.TXT 6.3.10) with the central directory, and compares it with the headers of the
/// files, which must follow each other without gaps.
///
/// # Errors
/// The first violation of the format.
pub fn zip(bytes: &[u8]) -> Result<Unpacked, String> {
    let end = bytes.len().checked_sub(22).ok_or("it is too short")?;
    let (count, start) = (le(bytes, end + 10, 2)?, le(bytes, end + 16, 4)?);
    let is_whole = le(bytes, end, 4)? == 0x0605_4b50
        && le(bytes, end + 8, 2)? == count
        && start + le(bytes, end + 12, 4)? == end;
    if !is_whole {
        return Err("a bad end of the central directory".into());
    }
    let (mut unpacked, mut at, mut next_file) = (Unpacked::new(), start, 0);
    for _ in 0..count {
        if le(bytes, at, 4)? != 0x0201_4b50 || le(bytes, at + 42, 4)? != next_file {
            return Err("a bad record in the central directory".into());
        }
        let name_len = le(bytes, at + 28, 2)?;
        let name = part(bytes, at + 46, name_len)?;
        let (content, behind) = zip_file(bytes, at, next_file, name)?;
        let is_directory = name.ends_with(b"/");
        if is_directory && !content.is_empty() {
            return Err("a directory with content".into());
        }
        add(
            &mut unpacked,
            name.into(),
            (!is_directory).then(|| content.into()),
        )?;
        next_file = behind;
        at += 46 + name_len + le(bytes, at + 30, 2)? + le(bytes, at + 32, 2)?;
    }
    match (next_file, at) == (start, end) {
        true => Ok(unpacked),
        false => Err("there are bytes between the parts".into()),
    }
}

/// Returns the content of the file at `at`, whose record is at `record`, and where the next file begins.
fn zip_file<'a>(
    bytes: &'a [u8],
    record: usize,
    at: usize,
    name: &[u8],
) -> Result<(&'a [u8], usize), String> {
    let name_len = le(bytes, at + 26, 2)?;
    let same = |ours: usize, theirs: usize, width| {
        Ok::<_, String>(le(bytes, at + ours, width)? == le(bytes, record + theirs, width)?)
    };
    // Needed version, flags, method, time and date.
    let is_same = same(4, 6, 2)? && same(6, 8, 2)? && same(8, 10, 2)? && same(10, 12, 4)?;
    if le(bytes, at, 4)? != 0x0403_4b50 || !is_same || part(bytes, at + 30, name_len)? != name {
        return Err("a header that differs from its record".into());
    }
    if le(bytes, at + 8, 2)? != 0 {
        return Err("a compressed file".into());
    }
    let (sum, len) = (le(bytes, record + 16, 4)?, le(bytes, record + 20, 4)?);
    let start = at + 30 + name_len + le(bytes, at + 28, 2)?;
    let content = part(bytes, start, len)?;
    if len != le(bytes, record + 24, 4)? || sum != crc32(content) {
        return Err("a wrong length or checksum".into());
    }
    let end = start + len;
    if le(bytes, at + 6, 2)? & 8 == 0 {
        let known = le(bytes, at + 14, 4)? == sum && le(bytes, at + 18, 4)? == len;
        return known
            .then_some((content, end))
            .ok_or("a header without the length".into());
    }
    let descriptor = [0x0807_4b50, sum, len, len];
    for (index, expected) in descriptor.into_iter().enumerate() {
        if le(bytes, end + 4 * index, 4)? != expected {
            return Err("a bad data descriptor".into());
        }
    }
    Ok((content, end + 16))
}

fn part(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], String> {
    let part = bytes.get(at..).and_then(|rest| rest.get(..len));
    part.ok_or_else(|| "it ends early".into())
}

/// Returns the little-endian number of `width` bytes at `at`.
fn le(bytes: &[u8], at: usize, width: usize) -> Result<usize, String> {
    let number = part(bytes, at, width)?.iter().rev();
    Ok(number.fold(0, |number, &byte| number << 8 | usize::from(byte)))
}

/// Returns the checksum of zip files (CRC-32 of ISO 3309).
fn crc32(bytes: &[u8]) -> usize {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let (mut sum, mut bit) = (byte as u32, 0);
            while bit < 8 {
                sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
                bit += 1;
            }
            table[byte] = sum;
            byte += 1;
        }
        table
    };
    let step = |sum: u32, &byte: &u8| sum >> 8 ^ TABLE[usize::from(sum as u8 ^ byte)];
    !bytes.iter().fold(!0, step) as usize
}
