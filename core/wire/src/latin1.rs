//! Bytes as text: ISO-8859-1, as CPython reads a head.

use alloc::string::String;

/// Appends bytes as text, one character for each. What it takes is reserved and no more, since it is kept.
pub(super) fn decode(bytes: &[u8], text: &mut String) {
    match core::str::from_utf8(bytes) {
        Ok(ascii) if bytes.is_ascii() => {
            text.reserve_exact(ascii.len());
            text.push_str(ascii);
        }
        _ => {
            let two = bytes.iter().filter(|byte| !byte.is_ascii()).count();
            text.reserve_exact(bytes.len() + two);
            text.extend(bytes.iter().map(|&byte| char::from(byte)));
        }
    }
}
