//! Formats and parses HTTP dates, for `Date`, `Last-Modified` and `If-Modified-Since`. Also formats dates for the log
//! and as in RFC 3339.
//!
//! Both directions follow the grammar of RFC 9110 §5.6.7 exactly. There is no clock, time zone database or locale: the
//! caller passes the time, adds the local UTC offset for the log, and decides what to do about an invalid date.

const SECONDS_PER_DAY: i64 = 86_400;
/// 0000-01-01 00:00:00 and 9999-12-31 23:59:59, the limits of a four-digit year.
const FIRST_SECOND: i64 = -62_167_219_200;
const LAST_SECOND: i64 = 253_402_300_799;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const LONG_WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Formats Unix seconds as an HTTP date, such as `Wed, 01 Jan 2020 00:00:00 GMT`.
///
/// This is the IMF-fixdate of RFC 9110 §5.6.7. Times before 1970 are negative; times outside the years 0 to 9999 are
/// clamped to the nearest second inside.
///
/// ```
/// # use sanserve_core::date;
/// assert_eq!(&date::format(1_577_836_800), b"Wed, 01 Jan 2020 00:00:00 GMT");
/// assert_eq!(date::parse("Wed, 01 Jan 2020 00:00:00 GMT", None), Some(1_577_836_800));
/// ```
#[must_use]
pub fn format(unix: i64) -> [u8; 29] {
    let (days, second) = days_and_second(unix);
    let (year, month, day) = civil_from_days(days);
    let weekday = (days as usize + 6) % 7;
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    out[0..3].copy_from_slice(WEEKDAYS[weekday].as_bytes());
    out[5..7].copy_from_slice(&two_digits(day));
    out[8..11].copy_from_slice(short_month(month));
    out[12..16].copy_from_slice(&four_digits(year));
    out[17..25].copy_from_slice(&clock(second));
    out
}

/// A cache of the last formatted date, as most replies have the same date as the one before.
#[derive(Debug, Default)]
pub(crate) struct LastDate(Option<(i64, [u8; 29])>);

/// The last dates of each kind in replies. `Last-Modified` has a cache of its own, for it differs from `Date`.
#[derive(Debug, Default)]
pub(crate) struct LastDates {
    pub(crate) date: LastDate,
    pub(crate) modified: LastDate,
}

impl LastDate {
    /// Returns the same as [`format`].
    #[inline]
    pub(crate) fn format(&mut self, unix: i64) -> &[u8; 29] {
        if !matches!(self.0, Some((last, _)) if last == unix) {
            self.0 = None;
        }
        &self.0.get_or_insert_with(|| (unix, format(unix))).1
    }
}

/// Formats local seconds as in an access log, such as `22/Nov/2026 17:55:30`.
///
/// `local` is Unix seconds plus the UTC offset. Years are clamped as in [`format`].
#[must_use]
pub fn format_log(local: i64) -> [u8; 20] {
    let (days, second) = days_and_second(local);
    let (year, month, day) = civil_from_days(days);
    let mut out = *b"01/Jan/1970 00:00:00";
    out[0..2].copy_from_slice(&two_digits(day));
    out[3..6].copy_from_slice(short_month(month));
    out[7..11].copy_from_slice(&four_digits(year));
    out[12..20].copy_from_slice(&clock(second));
    out
}

/// Formats Unix seconds as in RFC 3339, such as `1970-01-01T00:00:00Z`. Years are clamped as in [`format`].
#[must_use]
pub fn format_utc(unix: i64) -> [u8; 20] {
    let (days, second) = days_and_second(unix);
    let (year, month, day) = civil_from_days(days);
    let mut out = *b"1970-01-01T00:00:00Z";
    out[0..4].copy_from_slice(&four_digits(year));
    out[5..7].copy_from_slice(&two_digits(month));
    out[8..10].copy_from_slice(&two_digits(day));
    out[11..19].copy_from_slice(&clock(second));
    out
}

/// Returns year, month, day, hour, minute and second of a time, clamped to four-digit years.
pub(crate) fn parts(unix: i64) -> [i64; 6] {
    let (days, second) = days_and_second(unix);
    let (year, month, day) = civil_from_days(days);
    let second = i64::from(second);
    [
        year.into(),
        month.into(),
        day.into(),
        second / 3600,
        second / 60 % 60,
        second % 60,
    ]
}

/// Parses an HTTP date, such as that of `If-Modified-Since`, and returns Unix seconds.
///
/// Accepts exactly the three formats of RFC 9110 §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37
/// GMT` and `Sun Nov  6 08:49:37 1994`. It is case-sensitive. The weekday must be valid, but need not match the date. A
/// two-digit year is interpreted as the latest matching year in which the date is at most 50 years after `now`, given
/// in Unix seconds; without `now` it is between 1970 and 2069.
///
/// Returns `None` if the date is invalid, so that the field must be ignored: another format, several dates, or a day or
/// time that does not exist.
///
/// ```
/// # use sanserve_core::date;
/// assert_eq!(date::parse("Sunday, 06-Nov-94 08:49:37 GMT", None), Some(784_111_777));
/// assert_eq!(date::parse("Sun, 06 Nov 1994 08:49:37 GMT junk", None), None);
/// ```
#[must_use]
pub fn parse(text: &str, now: Option<i64>) -> Option<i64> {
    let text = text.as_bytes();
    match text.split_at_checked(3)? {
        (weekday, _) if !is_among(&WEEKDAYS, weekday) => None,
        (_, [b',', b' ', rest @ ..]) => fixdate(rest),
        (_, [b' ', rest @ ..]) => asctime(rest),
        _ => rfc850(text, now),
    }
}

/// Parses `06 Nov 1994 08:49:37 GMT`.
fn fixdate(text: &[u8]) -> Option<i64> {
    let &[d, e, b' ', m, o, n, b' ', y, z, a, r, b' ', ref clock @ ..] = text else {
        return None;
    };
    let day = day_of(number(&[y, z, a, r])?, [m, o, n], number(&[d, e])?)?;
    Some(day + second_of_day(clock.strip_suffix(b" GMT")?)?)
}

/// Parses `Nov  6 08:49:37 1994`.
fn asctime(text: &[u8]) -> Option<i64> {
    let &[m, o, n, b' ', d, e, b' ', ref clock @ .., b' ', y, z, a, r] = text else {
        return None;
    };
    let d = if d == b' ' { b'0' } else { d };
    let day = day_of(number(&[y, z, a, r])?, [m, o, n], number(&[d, e])?)?;
    Some(day + second_of_day(clock)?)
}

/// Parses `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(text: &[u8], now: Option<i64>) -> Option<i64> {
    let comma = text.iter().position(|&byte| byte == b',')?;
    let &[
        b',',
        b' ',
        d,
        e,
        b'-',
        m,
        o,
        n,
        b'-',
        a,
        r,
        b' ',
        ref clock @ ..,
    ] = &text[comma..]
    else {
        return None;
    };
    if !is_among(&LONG_WEEKDAYS, &text[..comma]) {
        return None;
    }
    let (year, day) = (number(&[a, r])?, number(&[d, e])?);
    let clock = second_of_day(clock.strip_suffix(b" GMT")?)?;
    let in_year = |year| Some(day_of(year, [m, o, n], day)? + clock);
    // RFC 9110 §5.6.7: a date more than 50 years in the future is one in the past.
    let Some(now) = now else {
        return in_year(1970 + (year + 30) % 100);
    };
    let latest = parts(now)[0] + 50;
    let year = latest - (latest - year).rem_euclid(100);
    match in_year(year) {
        Some(date) if year == latest && parts(date)[1..] > parts(now)[1..] => in_year(year - 100),
        date => date,
    }
}

fn is_among(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|other| other.as_bytes() == name)
}

/// Parses digits as a number.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        let is_digit = digit.is_ascii_digit();
        is_digit.then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// Returns the first second of a day in the years 0 to 9999, or `None` if there is no such day.
fn day_of(year: i64, month: [u8; 3], day: i64) -> Option<i64> {
    let is_named = |name: &&str| name.as_bytes() == month;
    let month = MONTHS.iter().position(is_named)? as i64 + 1;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let exists = (1..=length).contains(&day);
    exists.then(|| days_from_civil(year, month, day) * SECONDS_PER_DAY)
}

/// Parses `08:49:37`. A leap second, 23:59:60, is the first second of the next day.
fn second_of_day(clock: &[u8]) -> Option<i64> {
    let &[h, i, b':', m, n, b':', s, t] = clock else {
        return None;
    };
    let (hour, minute, second) = (number(&[h, i])?, number(&[m, n])?, number(&[s, t])?);
    let exists = hour < 24 && minute < 60 && second < 60 || (hour, minute, second) == (23, 59, 60);
    exists.then_some(hour * 3600 + minute * 60 + second)
}

/// Returns the days since 1970-01-01 of a valid date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last day, in eras of 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // There are 719,468 days between 0000-03-01 and 1970-01-01.
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month and day of a number of days since 0000-01-01: the inverse of `days_from_civil`.
fn civil_from_days(days: u32) -> (u32, u32, u32) {
    // Counted from March of the previous year, one era earlier.
    let days = days + 146_097 - 60;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    // Without leap days every year of an era has 365 days, so the year is a quotient.
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + u32::from(month <= 2) - 400;
    (year, month, day)
}

/// Returns the days since 0000-01-01, a Saturday, and the second of that day, clamped to four-digit years. Unsigned and
/// in 32 bits, since such divisions are the cheapest.
fn days_and_second(seconds: i64) -> (u32, u32) {
    let seconds = (seconds.clamp(FIRST_SECOND, LAST_SECOND) - FIRST_SECOND) as u64;
    let day = SECONDS_PER_DAY as u64;
    ((seconds / day) as u32, (seconds % day) as u32)
}

fn short_month(month: u32) -> &'static [u8] {
    MONTHS[month as usize - 1].as_bytes()
}

/// Formats a time of day as `00:00:00`.
fn clock(second_of_day: u32) -> [u8; 8] {
    let [h, i] = two_digits(second_of_day / 3600);
    let [m, n] = two_digits(second_of_day / 60 % 60);
    let [s, t] = two_digits(second_of_day % 60);
    [h, i, b':', m, n, b':', s, t]
}

fn four_digits(number: u32) -> [u8; 4] {
    let [a, b] = two_digits(number / 100);
    let [c, d] = two_digits(number % 100);
    [a, b, c, d]
}

/// Formats a number below 100, zero-padded.
fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}
