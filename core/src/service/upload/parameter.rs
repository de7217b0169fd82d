//! Parses the parameters of `Content-Type` and `Content-Disposition`: `; name=value`.

use alloc::vec::Vec;

/// Returns the value of the parameter with this name: a token, or a quoted string. Words without a value are skipped.
/// In file names, some browsers write a quote as `%22`, others as `\"`; elsewhere a backslash is kept, as in
/// `C:\a.txt`.
pub(super) fn parameter(field: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = &field[memchr::memchr(b';', field)? + 1..];
    loop {
        let end = memchr::memchr2(b';', b'=', rest)?;
        let (key, mut behind) = (rest[..end].trim_ascii(), &rest[end..]);
        if let Some(text) = behind.strip_prefix(b"=") {
            let text = text.trim_ascii_start();
            let (value, len) = value(text);
            if key.eq_ignore_ascii_case(name) {
                return Some(value);
            }
            behind = &text[len..];
        }
        rest = &behind[memchr::memchr(b';', behind)? + 1..];
    }
}

/// Returns the value at the start of the text, and its length there in bytes.
fn value(text: &[u8]) -> (Vec<u8>, usize) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        return (text[..end].trim_ascii().to_vec(), end);
    };
    let (mut value, mut at) = (Vec::new(), 0);
    while let Some(&byte) = quoted.get(at) {
        let (byte, len) = match (byte, &quoted[at + 1..]) {
            (b'"', _) => return (value, at + 2),
            (b'\\', [next @ (b'"' | b'\\'), ..]) => (*next, 2),
            (b'%', [b'2', b'2', ..]) => (b'"', 3),
            (byte, _) => (byte, 1),
        };
        value.push(byte);
        at += len;
    }
    (value, text.len())
}
