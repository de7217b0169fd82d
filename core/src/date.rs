//! HTTP dates to and from Unix seconds: `Date`, `Last-Modified`, `If-Modified-Since`, the log.
//!
//! Reading is as lenient as CPython's `email.utils.parsedate_to_datetime`; writing is strict. There
//! is no clock, no time zone database and no locale here: the caller brings the seconds, adds the
//! local UTC offset for the log, and decides what a date that cannot be read means.

const SECONDS_PER_DAY: i64 = 86_400;
/// 0000-01-01 00:00:00 and 9999-12-31 23:59:59: what fits a four-digit year.
const FIRST_SECOND: i64 = -62_167_219_200;
const LAST_SECOND: i64 = 253_402_300_799;
/// Numbers are held at this size: too large for any field of a date, too small to overflow.
const HUGE: i64 = 1_000_000_000;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The zone names known to be away from UTC (RFC 822's North American ones and the Atlantic pair).
const FAR_ZONES: [&str; 10] = [
    "AST", "ADT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT",
];

/// Writes Unix seconds as an HTTP date, such as `Wed, 01 Jan 2020 00:00:00 GMT`.
///
/// This is the IMF-fixdate of RFC 9110 section 5.6.7. Any value is fine: times before 1970 are
/// negative, times outside the years 0 to 9999 are shown as the nearest second inside.
///
/// ```
/// # use sanserve_core::date;
/// assert_eq!(&date::format(1_577_836_800), b"Wed, 01 Jan 2020 00:00:00 GMT");
/// assert_eq!(date::parse("Wed, 01 Jan 2020 00:00:00 GMT"), Some(1_577_836_800));
/// ```
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

/// Writes local seconds as the access log shows them, such as `22/Nov/2026 17:55:30`.
///
/// `local` is Unix seconds with the UTC offset already added. Any value is fine; the years are
/// limited as in [`format`].
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

/// `1970-01-01T00:00:00Z`, as RFC 3339 has it, for Unix seconds in the years 0 to 9999.
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

/// Year, month, day, hour, minute and second, for the nearest time with a four-digit year.
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

/// Reads a date such as `If-Modified-Since` carries, and gives Unix seconds.
///
/// The three forms of RFC 9110 section 5.6.7 are read, and what Python reads besides: no weekday or
/// a wrong one, full month names, no seconds, dots in the time, words after the zone. A year below
/// 100 lies in 1969 to 2068. `None` means ignore the header: no date, an impossible date, or a zone
/// known to be away from UTC (an unknown name counts as UTC). Never panics.
pub fn parse(text: &str) -> Option<i64> {
    // Five words make a date, after at most one weekday.
    let mut words = [""; 6];
    let mut count = 0;
    for word in text.split(is_space).filter(|word| !word.is_empty()).take(6) {
        words[count] = word;
        count += 1;
    }
    let [first, second, mut year, mut time, mut zone] = five_parts(&mut words[..count])?;
    let (day, month) = match month_number(second) {
        Some(month) => (first, month),
        None => (second, month_number(first)?),
    };
    // asctime has the time before the year, and a zone may stand between the two.
    if year.find(':').is_some_and(|at| at > 0) {
        (year, time) = (time, year);
    }
    year = without_comma(year);
    if year.is_empty() {
        return None;
    }
    if !starts_with_digit(year) {
        (year, zone) = (zone, year);
    }
    if !is_utc(zone) {
        return None;
    }
    let year = full_year(number(year)?);
    let days = days_in_range(year, month, number(without_comma(day))?)?;
    Some(days * SECONDS_PER_DAY + second_of_day(without_comma(time))?)
}

/// Day and month (in either order), year, time and zone as the words have them; the zone may be "".
fn five_parts<'a>(words: &mut [&'a str]) -> Option<[&'a str; 5]> {
    match *without_weekday(words)? {
        // RFC 850 ties the date together with hyphens.
        [date, time, zone] => {
            let mut parts = date.split('-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            parts
                .next()
                .is_none()
                .then_some([day, month, year, time, zone])
        }
        [first, second, year, time] => {
            let (time, zone) = split_zone(time);
            Some([first, second, year, time, zone])
        }
        [first, second, year, time, zone, ..] => Some([first, second, year, time, zone]),
        _ => None,
    }
}

/// Drops a weekday at the front, either its own word or tied to the day as in `Wed,01`.
fn without_weekday<'a, 'w>(words: &'w mut [&'a str]) -> Option<&'w [&'a str]> {
    let first = *words.first()?;
    let is_weekday = |word: &str| WEEKDAYS.iter().any(|day| day.eq_ignore_ascii_case(word));
    if first.ends_with(',') || is_weekday(first) {
        return Some(&words[1..]);
    }
    words[0] = first.rsplit(',').next()?;
    Some(words)
}

/// Takes a numeric zone off the end of a time it is glued to, as in `00:00:00+0000`.
fn split_zone(time: &str) -> (&str, &str) {
    // A plus in first place hides a later minus: Python looks no further either.
    match time.find('+').or_else(|| time.find('-')) {
        Some(at) if at > 0 => time.split_at(at),
        _ => (time, ""),
    }
}

/// Whether a zone counts as UTC: zero, absent or unknown.
fn is_utc(zone: &str) -> bool {
    let is_far = FAR_ZONES.iter().any(|far| far.eq_ignore_ascii_case(zone));
    !is_far && number(zone).is_none_or(|offset| offset == 0)
}

/// Reads hours, minutes and perhaps seconds, with colons or dots between.
fn second_of_day(time: &str) -> Option<i64> {
    let separator = if time.contains(':') { ':' } else { '.' };
    let mut parts = time.split(separator);
    let hour = number(parts.next()?)?;
    let minute = number(parts.next()?)?;
    let second = parts.next().map_or(Some(0), number)?;
    let possible =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    (possible && parts.next().is_none()).then_some(hour * 3600 + minute * 60 + second)
}

/// Reads a whole number the way Python's `int` does: a sign, and single underscores between digits.
fn number(text: &str) -> Option<i64> {
    let mut value = 0;
    let mut after_digit = false;
    for byte in text.strip_prefix(['+', '-']).unwrap_or(text).bytes() {
        match byte {
            b'0'..=b'9' => value = HUGE.min(value * 10 + i64::from(byte - b'0')),
            b'_' if after_digit => {}
            _ => return None,
        }
        after_digit = byte != b'_';
    }
    let value = if text.starts_with('-') { -value } else { value };
    after_digit.then_some(value)
}

fn full_year(year: i64) -> i64 {
    match year {
        100.. => year,
        69..100 => year + 1900,
        _ => year + 2000,
    }
}

/// The month 1 to 12 of a name in full or of its first three letters.
fn month_number(name: &str) -> Option<i64> {
    let is_named =
        |month: &&str| name.eq_ignore_ascii_case(month) || name.eq_ignore_ascii_case(&month[..3]);
    let index = MONTHS.iter().position(is_named)?;
    Some(index as i64 + 1)
}

fn without_comma(word: &str) -> &str {
    word.strip_suffix(',').unwrap_or(word)
}

/// Python counts Latin-1's superscripts as digits here, though they never make a number.
fn starts_with_digit(word: &str) -> bool {
    word.starts_with(|c: char| matches!(c, '0'..='9' | '²' | '³' | '¹'))
}

/// Python's idea of white space has the four ASCII separators that Rust's leaves out.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// Days since 1970-01-01 of a date in the years 1 to 9999; `None` if there is no such day.
fn days_in_range(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let possible = (1..=9999).contains(&year) && (1..=length).contains(&day);
    possible.then(|| days_from_civil(year, month, day))
}

/// Days since 1970-01-01 of a date that exists.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day comes last, in eras of 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 0000-01-01: `days_from_civil` the other way.
fn civil_from_days(days: u32) -> (u32, u32, u32) {
    // Counted from March of the year before, an era earlier.
    let days = days + 146_097 - 60;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    // Without its leap days an era has 365 days in each year, which makes the year a division.
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + u32::from(month <= 2) - 400;
    (year, month, day)
}

/// Days since 0000-01-01, a Saturday, and the second of that day, for the nearest time with a
/// four-digit year. Without a sign, and in few bits, a division costs least.
fn days_and_second(seconds: i64) -> (u32, u32) {
    let seconds = (seconds.clamp(FIRST_SECOND, LAST_SECOND) - FIRST_SECOND) as u64;
    let day = SECONDS_PER_DAY as u64;
    ((seconds / day) as u32, (seconds % day) as u32)
}

fn short_month(month: u32) -> &'static [u8] {
    &MONTHS[month as usize - 1].as_bytes()[..3]
}

/// `00:00:00`.
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

/// A number below 100, zero-padded.
fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}
