//! Text files that people and other programs wrote, whatever way they encode them.

use std::fs;
use std::io;
use std::path::Path;

/// Reads a file. A byte order mark is left out, and UTF-16 that begins with one, as PowerShell writes it, becomes UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    Ok(match &bytes[..] {
        [0xef, 0xbb, 0xbf, text @ ..] => text.to_vec(),
        [0xff, 0xfe, text @ ..] => utf_8(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf_8(text, u16::from_be_bytes),
        _ => bytes,
    })
}

fn utf_8(text: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = text.chunks(2).map(|pair| match *pair {
        [first, second] => unit([first, second]),
        _ => 0xfffd,
    });
    let chars = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
    chars.collect::<String>().into_bytes()
}
