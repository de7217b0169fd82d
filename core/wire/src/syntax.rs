//! Recognises elements of HTTP's grammar: tokens, character sets and case-insensitive names (RFC 9110 §5.6).

/// Returns whether this is a `token` (RFC 9110 §5.6.2), the syntax of methods and field names.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Returns whether a case-insensitive name, such as that of a field, is among `names`.
#[must_use]
pub fn is_among(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn is_token_byte(byte: u8) -> bool {
    byte < 128 && TOKEN >> byte & 1 == 1
}

/// The characters of a token, one bit for each.
const TOKEN: u128 = alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// Returns a set of ASCII characters, one bit for each: all letters, all digits, and `marks`. To look up a byte, shift
/// by it: `byte < 128 && set >> byte & 1 == 1`.
///
/// # Panics
/// If one of the marks is not ASCII. In a constant that is a compile-time error.
#[must_use]
pub const fn alphanumeric_and(marks: &[u8]) -> u128 {
    let (mut bits, mut byte) = (0, 0);
    while byte < 128u8 {
        if byte.is_ascii_alphanumeric() {
            bits |= 1 << byte;
        }
        byte += 1;
    }
    let mut at = 0;
    while at < marks.len() {
        assert!(marks[at].is_ascii(), "the marks must be ASCII");
        bits |= 1 << marks[at];
        at += 1;
    }
    bits
}

/// Returns whether two hexadecimal digits come next, as after a percent sign (RFC 3986 §2.1).
pub(super) fn is_hex_pair(bytes: &mut impl Iterator<Item = u8>) -> bool {
    let mut is_digit = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
    is_digit() && is_digit()
}

/// Returns whether these are valid chunk extensions, or none (RFC 9112 §7.1.1). Spaces and tabs are allowed only around
/// `;` and `=`.
pub(super) fn are_extensions(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = text.trim_ascii_start().strip_prefix(b";") else {
            return false;
        };
        let Some(rest) = token(rest.trim_ascii_start()) else {
            return false;
        };
        text = match rest.trim_ascii_start().strip_prefix(b"=") {
            None => rest,
            Some(value) => {
                let value = value.trim_ascii_start();
                let Some(rest) = token(value).or_else(|| quoted_string(value)) else {
                    return false;
                };
                rest
            }
        };
    }
    true
}

/// Returns the rest of `text` after the token at its start.
fn token(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|&&byte| is_token_byte(byte)).count();
    (len > 0).then_some(&text[len..])
}

/// Returns the rest of `text` after the quoted string at its start (RFC 9110 §5.6.4). The caller has checked that there
/// are no control characters.
fn quoted_string(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return None,
        };
    }
}
