//! HTTP dates against the `httpdate` crate, and against what CPython makes of the same strings.
//!
//! Every expected value in the tables was computed by CPython 3.13, not by the code under test.

use sanserve_core::date::{format, format_log, parse};
use std::time::{Duration, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// What the recorded `If-Modified-Since` exchanges sent.
const RECORDED: &[(&str, Option<i64>)] = &[
    ("Wed, 01 Jan 2020 00:00:00 GMT", Some(1_577_836_800)),
    ("Tue, 31 Dec 2019 23:59:59 GMT", Some(1_577_836_799)),
    ("Wednesday, 01-Jan-20 00:00:00 GMT", Some(1_577_836_800)),
    ("Wed, 01 Jan 2020 00:00:00", Some(1_577_836_800)),
    ("Wed, 01 Jan 2020 00:00:00 +0000", Some(1_577_836_800)),
    ("Wed, 01 Jan 2020 00:00:00 UTC", Some(1_577_836_800)),
    ("Wed, 01 Jan 2020 01:00:00 +0100", None),
    ("Wed, 01 Jan 2020 00:00:00 Z", Some(1_577_836_800)),
    ("wed, 01 jan 2020 00:00:00 gmt", Some(1_577_836_800)),
    ("01 Jan 2020 00:00:00 GMT", Some(1_577_836_800)),
    ("Wed, 01 Jan 2020 00:00 GMT", Some(1_577_836_800)),
    ("garbage", None),
    ("", None),
    ("Wed, 01 Jan 99999 00:00:00 GMT", None),
    ("Wed, 01 Jan 30 00:00:00 GMT", Some(1_893_456_000)),
    ("Wed, 01 Jan 2030 00:00:60 GMT", None),
    ("Wed, 01 Jan 2030 24:00:00 GMT", None),
    ("Wed, 01 Jan 2030 00.00.00 GMT", Some(1_893_456_000)),
    (
        "Wed, 01 Jan 2020 00:00:00 GMT; length=6",
        Some(1_577_836_800),
    ),
    ("Wed, 01 Jan 2030 00:00:00 +2500", None),
    ("Wed, 01 Jan 2030 00:00:00 GMT (x)", Some(1_893_456_000)),
    ("Fri, 01 Jan 2100 00:00:00 GMT", Some(4_102_444_800)),
    ("Sat, 01 Jan 0000 00:00:00 GMT", Some(946_684_800)),
    ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
    ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
];

/// The three forms of the standard, and the corners of what Python reads besides.
const LENIENT: &[(&str, Option<i64>)] = &[
    ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
    ("Sunday, 06-Nov-1994 08:49:37 GMT", Some(784_111_777)),
    ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
    ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
    ("Sun Nov  6 08:49:37 GMT 1994", Some(784_111_777)),
    ("Sun Nov  6 08:49:37 EST 1994", None),
    ("Mon, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
    ("Sun,06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
    ("06 November 1994 08:49", Some(784_111_740)),
    ("Sun, Nov 6, 1994 08:49:37 GMT", Some(784_111_777)),
    ("6 NOV 1994 08.49 utc", Some(784_111_740)),
    ("6-Nov-94 08:49:37 GMT", Some(784_111_777)),
    ("6-Nov-94 08:49:37", None),
    ("06 Nov 1994 08:49:37+0000", Some(784_111_777)),
    ("06 Nov 1994 08:49:37-0100", None),
    ("06 Nov 1994 08:49:37 CET", Some(784_111_777)),
    ("06 Nov 1994 08:49:37 EST", None),
    ("06 Nov 1994 08:49:37 pdt", None),
    ("06 Nov 1994 08:49:37 -0000", Some(784_111_777)),
    ("06 Nov 1994 08:49:37 00:00", Some(784_111_777)),
    ("06 Nov 1994 08:49:37 +1", None),
    (
        "  06\tNov\u{1f}1994\u{a0}08:49:37\r\n GMT  ",
        Some(784_111_777),
    ),
    ("06 Nov 68 00:00:00 GMT", Some(3_119_385_600)),
    ("06 Nov 69 00:00:00 GMT", Some(-4_838_400)),
    ("06 Nov 099 00:00:00 GMT", Some(941_846_400)),
    ("06 Nov 0100 00:00:00 GMT", Some(-58_984_761_600)),
    ("06 Nov 9999 23:59:59 GMT", Some(253_397_548_799)),
    ("06 Nov 10000 00:00:00 GMT", None),
    ("31 Dec 1969 23:59:58 GMT", Some(-2)),
    ("29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
    ("29 Feb 1900 00:00:00 GMT", None),
    ("29 Feb 2023 00:00:00 GMT", None),
    ("30 Feb 2024 00:00:00 GMT", None),
    ("31 Apr 2024 00:00:00 GMT", None),
    ("00 Jan 2024 00:00:00 GMT", None),
    ("32 Jan 2024 00:00:00 GMT", None),
    ("01 Sept 2024 00:00:00 GMT", None),
    ("01 Jan 2024 00:60:00 GMT", None),
    ("01 Jan 2024 1:2:3:4 GMT", None),
    ("01 Jan 2024 120000 GMT", None),
    ("01 Jan , 01:28:39-0000", None),
    ("01 Jan GMT 00:00:00 +2_020", Some(1_577_836_800)),
    ("01 Jan 2_020 0_0:00:00", Some(1_577_836_800)),
    ("99999999999999999999 Jan 2020 00:00:00", None),
    ("01 Jan 99999999999999999999 00:00:00", None),
    ("01 Jan 2020 00:00:00 99999999999999999999", None),
    ("Jan", None),
    (",", None),
    (", , , , ,", None),
    ("Wed, ", None),
    ("   ", None),
    ("1577836800", None),
    ("2020-01-01T00:00:00Z", None),
    ("-- 00:00:00 GMT", None),
];

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
fn every_day_to_2100_is_as_httpdate_has_it() {
    let mut random = Random(0x5eed);
    for midnight in (0..=4_102_444_800).step_by(DAY as usize) {
        check_against_httpdate(midnight);
        check_against_httpdate(midnight + random.below(DAY as usize) as i64);
    }
}

#[test]
fn every_second_of_a_day_is_as_httpdate_has_it() {
    for second in 0..DAY {
        check_against_httpdate(1_709_164_800 + second);
    }
}

#[test]
fn what_is_written_is_read_back_from_the_year_100_on() {
    let mut random = Random(0xda7e);
    let (first, last) = (-59_011_459_200, 253_402_300_799);
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
fn years_without_four_digits_become_the_nearest_end() {
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
fn the_log_has_its_own_form() {
    assert_eq!(log_text(1_795_370_130), "22/Nov/2026 17:55:30");
    assert_eq!(log_text(0), "01/Jan/1970 00:00:00");
    assert_eq!(log_text(-2), "31/Dec/1969 23:59:58");
}

#[test]
fn recorded_dates_are_read_as_python_reads_them() {
    for &(given, expected) in RECORDED {
        assert_eq!(parse(given), expected, "{given:?}");
    }
}

#[test]
fn other_dates_are_read_as_python_reads_them() {
    for &(given, expected) in LENIENT {
        assert_eq!(parse(given), expected, "{given:?}");
    }
}

#[test]
fn each_zone_name_away_from_utc_is_refused() {
    for zone in "AST ADT EST EDT CST CDT MST MDT PST PDT est Pdt".split(' ') {
        assert_eq!(parse(&format!("06 Nov 1994 08:49:37 {zone}")), None);
    }
}

#[test]
fn each_month_is_read_by_both_names() {
    let months =
        "January February March April May June July August September October November December";
    for month in months.split(' ') {
        let date = |name: &str| parse(&format!("09 {name} 2021 01:02:03 GMT"));
        assert!(date(month).is_some());
        assert_eq!(date(&month[..3]), date(month));
        assert_eq!(date(&month.to_uppercase()), date(month));
    }
}

#[test]
fn no_input_panics() {
    let mut random = Random(0xbad);
    let pieces = "0123456789 ,:.-+_;()/JanFebMayDecWedGMTZ\t\n\0\u{1c}\u{a0}ü²€\u{10ffff}";
    let pieces: Vec<char> = pieces.chars().collect();
    let starts = RECORDED.iter().chain(LENIENT);
    for &(start, _) in starts.cycle().take(50_000) {
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
