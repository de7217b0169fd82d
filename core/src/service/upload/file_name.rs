//! Decodes the file names in the `Content-Disposition` fields of a form.
//!
//! Browsers send `filename="ü.txt"` in UTF-8 (RFC 7578 §4.2). .NET, PowerShell and mail libraries send `filename*` (RFC
//! 8187), which is not allowed in forms, with or without an encoded word (RFC 2047) in `filename`. All of these are
//! decoded, so that files are not stored under garbled names.

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};

use super::parameter::parameter;

/// Returns the file name of a part, if it has one. If there are both, `filename*` wins (RFC 6266 §4.3) unless it cannot
/// be decoded (RFC 8187 §3.2.1); alone, that is an error.
pub(super) fn file_name(field: &[u8]) -> Option<Result<Vec<u8>, &'static str>> {
    let extended = parameter(field, b"filename*").map(|value| extended(&value));
    let plain = parameter(field, b"filename");
    match (extended, plain) {
        (Some(Ok(name)), _) => Some(Ok(name)),
        (_, Some(name)) => Some(Ok(encoded_words(&name).unwrap_or(name))),
        (bad, None) => bad,
    }
}

/// Decodes a value as in RFC 8187: `UTF-8'en'%C3%BC.txt`.
fn extended(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    let (Some(charset), Some(name)) = (parts.next(), parts.nth(1)) else {
        return Err(BAD);
    };
    let charset = Charset::named(charset).ok_or(CHARSET)?;
    let bytes = decode_hex_escapes(name, b'%').ok_or(BAD)?;
    charset.decode(bytes).ok_or(BAD)
}

/// Decodes a name of encoded words (RFC 2047 §2). The spaces between them are ignored (§6.2).
fn encoded_words(name: &[u8]) -> Option<Vec<u8>> {
    let words = name.split(|byte| matches!(byte, b' ' | b'\t'));
    let words = words.filter(|word| !word.is_empty());
    let words: Option<Vec<Vec<u8>>> = words.map(encoded_word).collect();
    words
        .filter(|words| !words.is_empty())
        .map(|words| words.concat())
}

/// Decodes one encoded word: `=?utf-8?B?w7wudHh0?=`.
fn encoded_word(word: &[u8]) -> Option<Vec<u8>> {
    let inside = word.strip_prefix(b"=?")?.strip_suffix(b"?=")?;
    let mut parts = inside.split(|&byte| byte == b'?');
    let (charset, coding, text) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    // RFC 2231 §5: a language may follow.
    let charset = charset.split(|&byte| byte == b'*').next()?;
    let bytes = match coding {
        b"B" | b"b" => Base64::decode_vec(core::str::from_utf8(text).ok()?).ok()?,
        b"Q" | b"q" => {
            let text = text
                .iter()
                .map(|&byte| if byte == b'_' { b' ' } else { byte });
            decode_hex_escapes(&text.collect::<Vec<u8>>(), b'=')?
        }
        _ => return None,
    };
    Charset::named(charset)?.decode(bytes)
}

/// Replaces each marker and the two hexadecimal digits after it by a byte, or returns `None` if a marker has none.
fn decode_hex_escapes(text: &[u8], marker: u8) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != marker {
            bytes.push(byte);
            continue;
        }
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        bytes.push((digit(0)? << 4 | digit(1)?) as u8);
        rest = &behind[2..];
    }
    Some(bytes)
}

/// The charsets of names.
#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Latin1,
}

impl Charset {
    fn named(name: &[u8]) -> Option<Charset> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("UTF-8") || is("US-ASCII") {
            Some(Charset::Utf8)
        } else if is("ISO-8859-1") {
            Some(Charset::Latin1)
        } else {
            None
        }
    }

    /// Converts text in this charset to UTF-8.
    fn decode(self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Charset::Utf8 => String::from_utf8(bytes).ok().map(String::into_bytes),
            Charset::Latin1 => {
                let text: String = bytes.into_iter().map(char::from).collect();
                Some(text.into_bytes())
            }
        }
    }
}

const CHARSET: &str = "Unknown charset of a file name in the form";
const BAD: &str = "Bad file name in the form";
