//! Checks the dates in replies and in the log.
//!
//! The patterns of the cases have the modification times of the site; the current time is a wildcard there. Its format
//! is checked for every system under test, and for servers that it is the time of this machine.

use std::time::{Duration, SystemTime};

/// The fields whose value is a date.
const FIELDS: [&[u8]; 2] = [b"date:", b"last-modified:"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Returns the date fields of a reply whose value is not an IMF-fixdate (RFC 9110 §5.6.7).
pub(crate) fn invalid_fields(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    // The lines of the site's files end with LF alone, so they are not taken for fields.
    let lines = reply
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\r"));
    lines.filter(|line| date_value(line).is_some_and(|value| !is_fixdate(value)))
}

/// Returns the `Date` fields of a reply whose value is not within a day of the clock of this machine.
pub(crate) fn wrong_fields(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = reply
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\r"));
    let is_wrong = |value: &[u8]| {
        let date = str::from_utf8(value).ok().map(httpdate::parse_http_date);
        // Values that are no dates are found by `invalid_fields`.
        date.and_then(Result::ok).is_some_and(|date| {
            let now = SystemTime::now();
            let difference = now
                .duration_since(date)
                .or_else(|_| date.duration_since(now));
            difference.is_ok_and(|difference| DAY < difference)
        })
    };
    let is_date = |line: &[u8]| line.len() > 5 && line[..5].eq_ignore_ascii_case(FIELDS[0]);
    lines.filter(move |line| is_date(line) && date_value(line).is_some_and(is_wrong))
}

/// Returns the value if the line is a date field.
fn date_value(line: &[u8]) -> Option<&[u8]> {
    let has_name = |name: &&&[u8]| {
        line.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    FIELDS
        .iter()
        .find(has_name)
        .map(|name| line[name.len()..].trim_ascii())
}

fn is_fixdate(value: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(value) else {
        return false;
    };
    let Some(year) = text.get(12..16).and_then(|year| year.parse::<u32>().ok()) else {
        return false;
    };
    // The other two formats that httpdate parses have no year at this position. httpdate starts in 1970, but the
    // calendar repeats after 400 years, weekdays included.
    let later = if year < 1970 { 2000 + year % 400 } else { year };
    let text = format!("{}{later:04}{}", &text[..12], &text[16..]);
    httpdate::parse_http_date(&text).is_ok()
}

/// Returns whether this is the time of a log line: `22/Nov/2026 17:55:30`.
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
