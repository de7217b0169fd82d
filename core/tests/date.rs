//! Tests of dates against the `httpdate` crate and the grammar of RFC 9110 section 5.6.7, and of their format
//! in the log.
//!
//! Every expected value in the tables was computed by CPython, not by the code under test.

use sanserve_core::date::{format, format_log};
use std::time::{Duration, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// The example of RFC 9110 in all formats, and edge cases of the grammar.
const DATES: &[(&str, i64)] = &[
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
    ("Sun Nov  6 08:49:37 1994", 784_111_777),
    // date3 of the grammar also has two digits.
    ("Sun Nov 06 08:49:37 1994", 784_111_777),
    ("Wed Nov 16 08:49:37 1994", 784_975_777),
    // Whether the weekday matches the date is not part of the grammar.
    ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ("Tuesday, 06-Nov-94 08:49:37 GMT", 784_111_777),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ("Fri, 01 Jan 2100 00:00:00 GMT", 4_102_444_800),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
    // time-of-day of the grammar: a leap second, which Unix time does not have.
    ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
];

/// Dates that Python and others accept, but RFC 9110 does not.
const NO_DATES: &[&str] = &[
    "",
    "garbage",
    "Wed",
    "Wed,",
    "Wed, ",
    "0",
    "1577836800",
    "2020-01-01T00:00:00Z",
    "Wed, 01 Jan 2020 00:00:00",
    "Wed, 01 Jan 2020 00:00:00 +0000",
    "Wed, 01 Jan 2020 01:00:00 +0100",
    "Wed, 01 Jan 2020 00:00:00 UTC",
    "Wed, 01 Jan 2020 00:00:00 Z",
    "Wed, 01 Jan 2020 00:00:00 EST",
    "wed, 01 jan 2020 00:00:00 gmt",
    "wed, 01 Jan 2020 00:00:00 GMT",
    "Wed, 01 JAN 2020 00:00:00 GMT",
    "Wed, 01 Jan 2020 00:00:00 gmt",
    "01 Jan 2020 00:00:00 GMT",
    "Wed 01 Jan 2020 00:00:00 GMT",
    "Wed,01 Jan 2020 00:00:00 GMT",
    "Wed,  01 Jan 2020 00:00:00 GMT",
    "Wed, 1 Jan 2020 00:00:00 GMT",
    "Wed,  1 Jan 2020 00:00:00 GMT",
    "Wed, 01  Jan 2020 00:00:00 GMT",
    "Wed, 01 January 2020 00:00:00 GMT",
    "Wednesday, 01 Jan 2020 00:00:00 GMT",
    "Xyz, 01 Jan 2020 00:00:00 GMT",
    "Wed, 01 Jan 20 00:00:00 GMT",
    "Wed, 01 Jan 02020 00:00:00 GMT",
    "Wed, 01 Jan 99999 00:00:00 GMT",
    "Wed, 01 Jan +020 00:00:00 GMT",
    "Wed, 01 Jan 2020 00:00 GMT",
    "Wed, 01 Jan 2020 00.00.00 GMT",
    "Wed, 01 Jan 2020 0:00:00 GMT",
    "Wed, 01 Jan 2020 00:00:00.0 GMT",
    "Wed, 01 Jan 2020 00:00:00 GMT junk",
    "Wed, 01 Jan 2020 00:00:00 GMT; length=6",
    "Wed, 01 Jan 2020 00:00:00 GMT (x)",
    "Wed, 01 Jan 2020 00:00:00 GMT, Wed, 01 Jan 2020 00:00:00 GMT",
    "Wed, 01 Jan 2020 00:00:00 GMT,",
    "junk Wed, 01 Jan 2020 00:00:00 GMT",
    "\"Wed, 01 Jan 2020 00:00:00 GMT\"",
    "Wed, 01\tJan 2020 00:00:00 GMT",
    "Wed, 01\u{a0}Jan 2020 00:00:00 GMT",
    "Wed, 01 Jan ²020 00:00:00 GMT",
    "Wed, 00 Jan 2020 00:00:00 GMT",
    "Wed, 32 Jan 2020 00:00:00 GMT",
    "Wed, 31 Apr 2020 00:00:00 GMT",
    "Wed, 30 Feb 2020 00:00:00 GMT",
    "Wed, 29 Feb 2023 00:00:00 GMT",
    "Thu, 29 Feb 1900 00:00:00 GMT",
    "Wed, 01 Jan 2020 24:00:00 GMT",
    "Wed, 01 Jan 2020 00:60:00 GMT",
    "Wed, 01 Jan 2020 00:00:60 GMT",
    "Wed, 01 Jan 2020 23:59:61 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 6-Nov-94 08:49:37 GMT",
    "Sunday, 06 Nov 94 08:49:37 GMT",
    "SUNDAY, 06-Nov-94 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37",
    "Sunday, 06-Nov-94 08:49:37 GMT junk",
    "Sunda, 06-Nov-94 08:49:37 GMT",
    "Sunday 06-Nov-94 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov  6 08:49:37 94",
    "Sun Nov  6 08:49:37 GMT 1994",
    "Sun Nov  6 08:49:37 1994 GMT",
    "Sun Nov  6 08:49:37 1994 junk",
    "Sun nov  6 08:49:37 1994",
    "Sunday Nov  6 08:49:37 1994",
    "Sun, Nov  6 08:49:37 1994",
];

/// Two-digit years by the time at which they are read: at most 50 years after it.
const SHORT_YEARS: &[(&str, Option<i64>, i64)] = &[
    // 2026-11-29 12:00:00.
    (
        "Sunday, 29-Nov-76 12:00:00 GMT",
        Some(1_795_953_600),
        3_373_876_800,
    ),
    (
        "Sunday, 29-Nov-76 12:00:01 GMT",
        Some(1_795_953_600),
        218_116_801,
    ),
    (
        "Monday, 30-Nov-76 00:00:00 GMT",
        Some(1_795_953_600),
        218_160_000,
    ),
    (
        "Thursday, 01-Jan-70 00:00:00 GMT",
        Some(1_795_953_600),
        3_155_760_000,
    ),
    (
        "Monday, 01-Jan-77 00:00:00 GMT",
        Some(1_795_953_600),
        220_924_800,
    ),
    // 1995-01-01.
    (
        "Sunday, 06-Nov-94 08:49:37 GMT",
        Some(788_918_400),
        784_111_777,
    ),
    (
        "Saturday, 01-Jan-00 00:00:00 GMT",
        Some(788_918_400),
        946_684_800,
    ),
    (
        "Friday, 01-Jan-46 00:00:00 GMT",
        Some(788_918_400),
        -757_382_400,
    ),
    // 2051-01-01.
    (
        "Saturday, 01-Jan-00 00:00:00 GMT",
        Some(2_556_144_000),
        4_102_444_800,
    ),
    // A machine without a clock.
    ("Thursday, 01-Jan-70 00:00:00 GMT", None, 0),
    ("Tuesday, 31-Dec-69 23:59:59 GMT", None, 3_155_759_999),
];

/// Parses a date whose year is unambiguous.
fn parse(text: &str) -> Option<i64> {
    sanserve_core::date::parse(text, None)
}

fn text(unix: i64) -> String {
    String::from_utf8(format(unix).to_vec()).unwrap()
}

fn log_text(local: i64) -> String {
    String::from_utf8(format_log(local).to_vec()).unwrap()
}

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn check_against_httpdate(unix: i64) {
    let theirs = UNIX_EPOCH + Duration::from_secs(unix as u64);
    assert_eq!(text(unix), httpdate::fmt_http_date(theirs));
    assert_eq!(parse(&text(unix)), Some(unix));
}

#[test]
fn every_day_to_2100_matches_httpdate() {
    let mut random = Random(0x5eed);
    for midnight in (0..=4_102_444_800).step_by(DAY as usize) {
        check_against_httpdate(midnight);
        check_against_httpdate(midnight + random.below(DAY as usize) as i64);
    }
}

#[test]
fn every_second_of_a_day_matches_httpdate() {
    for second in 0..DAY {
        check_against_httpdate(1_709_164_800 + second);
    }
}

#[test]
fn formatted_dates_are_parsed_back() {
    let mut random = Random(0xda7e);
    let (first, last) = (-62_167_219_200, 253_402_300_799);
    for _ in 0..100_000 {
        let unix = first + random.below((last - first) as usize) as i64;
        assert_eq!(parse(&text(unix)), Some(unix));
    }
    assert_eq!(parse(&text(first)), Some(first));
    assert_eq!(parse(&text(last)), Some(last));
}

#[test]
fn times_before_1970_are_negative() {
    assert_eq!(text(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
    assert_eq!(text(-2), "Wed, 31 Dec 1969 23:59:58 GMT");
    assert_eq!(text(-DAY), "Wed, 31 Dec 1969 00:00:00 GMT");
    assert_eq!(text(-62_135_596_800), "Mon, 01 Jan 0001 00:00:00 GMT");
    assert_eq!(parse("Wed, 31 Dec 1969 23:59:58 GMT"), Some(-2));
}

#[test]
fn years_without_four_digits_are_clamped() {
    for unix in [i64::MIN, -62_167_219_201, -62_167_219_200] {
        assert_eq!(text(unix), "Sat, 01 Jan 0000 00:00:00 GMT");
    }
    for unix in [i64::MAX, 253_402_300_800, 253_402_300_799] {
        assert_eq!(text(unix), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
    assert_eq!(log_text(i64::MIN), "01/Jan/0000 00:00:00");
    assert_eq!(log_text(i64::MAX), "31/Dec/9999 23:59:59");
}

#[test]
fn the_log_has_a_format_of_its_own() {
    assert_eq!(log_text(1_795_370_130), "22/Nov/2026 17:55:30");
    assert_eq!(log_text(0), "01/Jan/1970 00:00:00");
    assert_eq!(log_text(-2), "31/Dec/1969 23:59:58");
}

#[test]
fn the_three_formats_are_parsed() {
    for &(given, expected) in DATES {
        assert_eq!(parse(given), Some(expected), "{given:?}");
    }
}

#[test]
fn everything_else_is_not_a_date() {
    for given in NO_DATES {
        assert_eq!(parse(given), None, "{given:?}");
    }
}

#[test]
fn a_year_of_two_digits_is_at_most_50_years_ahead() {
    for &(given, now, expected) in SHORT_YEARS {
        let read = sanserve_core::date::parse(given, now);
        assert_eq!(read, Some(expected), "{given:?} at {now:?}");
    }
    for now in [i64::MIN, -62_135_596_800, 253_402_300_799, i64::MAX] {
        let _ = sanserve_core::date::parse("Tuesday, 29-Feb-00 00:00:00 GMT", Some(now));
    }
}

#[test]
fn no_input_panics() {
    let mut random = Random(0xbad);
    let pieces = "0123456789 ,:.-+_;()/JanFebMayDecWedGMTZ\t\n\0\u{1c}\u{a0}ü²€\u{10ffff}";
    let pieces: Vec<char> = pieces.chars().collect();
    let starts = DATES.iter().map(|(date, _)| date).chain(NO_DATES);
    for start in starts.cycle().take(50_000) {
        let mut mutant: Vec<char> = start.chars().collect();
        for _ in 0..random.below(8) {
            let piece = pieces[random.below(pieces.len())];
            let at = random.below(mutant.len() + 1);
            match random.below(3) {
                0 => mutant.insert(at, piece),
                1 if at < mutant.len() => mutant[at] = piece,
                _ => mutant.truncate(at),
            }
        }
        parse(&mutant.iter().collect::<String>());
        let noise: Vec<u8> = (0..random.below(60))
            .map(|_| random.below(256) as u8)
            .collect();
        parse(&String::from_utf8_lossy(&noise));
    }
}
