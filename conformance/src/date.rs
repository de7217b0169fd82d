//! Dates: whether those in a reply and in the log are written as they must be.
//!
//! Whether a date is the right one is left to the patterns, which know the files' times but not
//! what time it is.

/// The names of the fields that hold a date.
const FIELDS: [&[u8]; 2] = [b"date:", b"last-modified:"];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The fields of a reply that should hold an IMF-fixdate (RFC 9110 §5.6.7) and do not.
pub(crate) fn wrong(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    // A line of a body ends in LF alone, so none of the site's files is taken for a head.
    let lines = reply
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\r"));
    lines.filter(|line| value(line).is_some_and(|value| !is_fixdate(value)))
}

/// The value of a field that holds a date.
fn value(line: &[u8]) -> Option<&[u8]> {
    let named = |name: &&&[u8]| {
        line.get(..name.len())
            .is_some_and(|got| got.eq_ignore_ascii_case(name))
    };
    FIELDS
        .iter()
        .find(named)
        .map(|name| line[name.len()..].trim_ascii())
}

fn is_fixdate(value: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(value) else {
        return false;
    };
    let Some(year) = text.get(12..16).and_then(|year| year.parse::<u32>().ok()) else {
        return false;
    };
    // The other two formats that httpdate reads have no year in this place.
    // The calendar, weekdays included, repeats after 400 years; httpdate begins in 1970.
    let late = if year < 1970 { 2000 + year % 400 } else { year };
    let text = format!("{}{late:04}{}", &text[..12], &text[16..]);
    httpdate::parse_http_date(&text).is_ok()
}

/// Whether this is the time of a log line: `22/Nov/2026 17:55:30`.
pub(crate) fn is_log_time(text: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| match at {
        2 | 6 => byte == b'/',
        3..=5 => byte.is_ascii_alphabetic(),
        11 => byte == b' ',
        14 | 17 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 20 && text.bytes().enumerate().all(shape) && MONTHS.contains(&&text[3..6])
}
