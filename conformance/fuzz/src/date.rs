//! The fuzz target for dates. Checks that formatted dates, in each of the three formats of RFC 9110 §5.6.7, are parsed
//! back by sanserve and by httpdate, and that a date that both accept is the same time for both.
//!
//! Not every date is accepted by both: httpdate does not check all separators, but checks the weekday.

use std::time::{Duration, UNIX_EPOCH};

use sanserve_core::date;

/// Checks one date as text, and the eight bytes at its start as seconds.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let ours = date::parse(&text, None);
    if let (Some(ours), Some(theirs)) = (ours, by_httpdate(&text)) {
        assert_eq!(ours, theirs);
    }
    if let Some(unix) = ours {
        check_seconds(unix);
    }
    if let Some((bytes, _)) = data.split_first_chunk() {
        // Shifted, because most numbers of 64 bits are too large for a date.
        check_seconds(i64::from_le_bytes(*bytes) >> 25);
        check_seconds(i64::from_le_bytes(*bytes));
    }
}

fn by_httpdate(text: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).expect("not before 1970");
    Some(since.as_secs() as i64)
}

fn check_seconds(unix: i64) {
    let text = date::format(unix);
    let text = str::from_utf8(&text).expect("a date is ASCII");
    let shown = unix.clamp(YEAR_0, YEAR_10000 - 1);
    assert_eq!(date::parse(text, None), Some(shown));
    if shown >= 0 {
        let time = UNIX_EPOCH + Duration::from_secs(shown as u64);
        assert_eq!(text, httpdate::fmt_http_date(time));
        check_old_forms(text, shown);
    }
    let log = date::format_log(unix);
    let log = str::from_utf8(&log).expect("a date is ASCII");
    assert_eq!(log.replace('/', " "), text[5..25]);
}

/// Checks the same date in the formats of asctime and RFC 850.
fn check_old_forms(text: &str, unix: i64) {
    let (weekday, day, month) = (&text[..3], &text[5..7], &text[8..11]);
    let (year, clock) = (&text[12..16], &text[17..25]);
    let padded = day.replacen('0', " ", usize::from(day.starts_with('0')));
    let asctime = format!("{weekday} {month} {padded} {clock} {year}");
    assert_eq!(date::parse(&asctime, None), Some(unix), "{asctime}");
    assert_eq!(by_httpdate(&asctime), Some(unix), "{asctime}");
    if unix < YEAR_2070 {
        let name = WEEKDAYS.iter().find(|name| name.starts_with(weekday));
        let name = name.expect("a day of the week");
        let rfc850 = format!("{name}, {day}-{month}-{} {clock} GMT", &year[2..]);
        assert_eq!(date::parse(&rfc850, None), Some(unix), "{rfc850}");
        assert_eq!(by_httpdate(&rfc850), Some(unix), "{rfc850}");
    }
}

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The first seconds of these years.
const YEAR_0: i64 = -62_167_219_200;
const YEAR_2070: i64 = 3_155_760_000;
const YEAR_10000: i64 = 253_402_300_800;

/// The formats of RFC 9110 §5.6.7, and some that only Python accepts.
pub fn seeds() -> Vec<Vec<u8>> {
    super::owned(&[
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"Tuesday, 31-Dec-69 23:59:59 GMT",
        b"6 November 94 08.49 +0000 (x)",
        b"Nov 6, 1994 08:49:37-0100",
        b"29 Feb 2000 0_0:00:00 EST",
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    ])
}
