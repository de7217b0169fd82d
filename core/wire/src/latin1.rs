//! Converts bytes to text with one character for each, and back (ISO-8859-1).

use alloc::borrow::Cow;
use alloc::string::String;

/// Appends bytes as text, one character for each. Reserves exactly the memory that is needed, as the text is kept.
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

/// Returns the bytes from which text was decoded. Allocates only if one of them is above 0x7F.
pub(super) fn encode(text: &str) -> Cow<'_, [u8]> {
    match text.is_ascii() {
        true => Cow::Borrowed(text.as_bytes()),
        false => text.chars().map(|char| char as u8).collect(),
    }
}
