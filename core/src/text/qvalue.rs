//! Parses quality values, such as `q=0.5` (RFC 9110 §12.4.2).

/// Parses `q=0.5` as 500. Without a quality value, returns 1000.
pub(crate) fn parse_qvalue(parameters: &str) -> Option<u16> {
    let text = parameters.trim_matches(WHITESPACE);
    if text.is_empty() {
        return Some(1000);
    }
    let value = text.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let part = match part.len() {
        0..=3 if part.bytes().all(|byte| byte.is_ascii_digit()) => part
            .bytes()
            .chain(core::iter::repeat(b'0'))
            .take(3)
            .fold(0, |part, digit| part * 10 + u16::from(digit - b'0')),
        _ => return None,
    };
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

pub(crate) const WHITESPACE: [char; 2] = [' ', '\t'];
