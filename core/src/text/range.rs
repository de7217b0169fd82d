//! What a `Range` field asks for (RFC 9110 §14.1.2, §14.2): parts of a representation of known length.
//!
//! Whether it is looked at, for which methods and under which preconditions, is for the caller to
//! know. Nothing here is refused: what cannot be understood is to be ignored.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

/// What a `Range` field asks for. Offsets in bytes, each range without its end, none of them empty
/// and none beyond the length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a handler has to answer each kind")]
pub enum Ranges {
    /// Everything: the field is to be ignored.
    All,
    /// That part.
    One(Range<u64>),
    /// These parts, two or more, in the order in which they were asked for. No two of them overlap
    /// or touch, so together they are never more than the whole.
    Several(Vec<Range<u64>>),
    /// Nothing that is there: 416.
    None,
}

/// How many parts one reply has at most. Who asks for more is sent everything: a reply in many small
/// parts costs more than it (RFC 9110 §17.14). What overlaps or touches a part before it counts as one
/// with it; whether a later part would join two is not waited for.
pub const PARTS_MAX: usize = 64;

/// Reads the value of a `Range` field, for a representation of `len` bytes.
///
/// `bytes` in any case is the only unit; another one, and whatever does not follow the grammar, is
/// ignored. Numbers may have any length and mean what they say. Never panics, and allocates only if
/// more than one range is named.
///
/// ```
/// use sanserve_core::range::{Ranges, parse};
///
/// assert_eq!(parse("bytes=0-99", 1000), Ranges::One(0..100));
/// assert_eq!(parse("bytes=900-99999999999999999999", 1000), Ranges::One(900..1000));
/// assert_eq!(parse("bytes=-1", 1000), Ranges::One(999..1000));
/// assert_eq!(parse("bytes=0-9,5-19,-1", 1000), Ranges::Several(vec![0..20, 999..1000]));
/// assert_eq!(parse("bytes=1000-", 1000), Ranges::None);
/// assert_eq!(parse("bytes=9-0", 1000), Ranges::All);
/// ```
#[must_use]
pub fn parse(value: &str, len: u64) -> Ranges {
    let Some((unit, set)) = value.split_once('=') else {
        return Ranges::All;
    };
    if !unit.eq_ignore_ascii_case("bytes") {
        return Ranges::All;
    }
    // RFC 9110 §5.6.1: empty elements of a list are passed over.
    let blank = [' ', '\t'];
    let specs = set.split(',').map(|spec| spec.trim_matches(blank));
    let mut specs = specs.filter(|spec| !spec.is_empty());
    match (specs.next(), specs.next()) {
        (None, _) => Ranges::All,
        (Some(spec), None) => match resolve(spec, len) {
            Spec::Invalid => Ranges::All,
            Spec::Beyond => Ranges::None,
            Spec::Part(part) => Ranges::One(part),
        },
        (Some(first), Some(second)) => join([first, second].into_iter().chain(specs), len),
    }
}

/// What one element of the list stands for.
enum Spec {
    /// It follows no grammar, or ends before it begins.
    Invalid,
    /// There is nothing of that.
    Beyond,
    Part(Range<u64>),
}

fn resolve(spec: &str, len: u64) -> Spec {
    let Some((first, last)) = spec.split_once('-') else {
        return Spec::Invalid;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) || first.len() + last.len() == 0 {
        return Spec::Invalid;
    }
    let part = match (first, last) {
        // The last so many bytes. Of an empty file that is nothing, which no reply can say but 200.
        ("", last) => match number(last) {
            1.. if len == 0 => return Spec::Invalid,
            last => len.saturating_sub(last)..len,
        },
        (first, "") => number(first)..len,
        (first, last) if compare(first, last) == Ordering::Greater => return Spec::Invalid,
        (first, last) => number(first)..number(last).saturating_add(1).min(len),
    };
    if part.is_empty() {
        Spec::Beyond
    } else {
        Spec::Part(part)
    }
}

/// The number that the digits mean, or the largest one there is.
fn number(digits: &str) -> u64 {
    digits.bytes().fold(0_u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    })
}

/// Compares the numbers that the digits mean, of any length.
fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Joins what overlaps or touches.
fn join<'a>(specs: impl Iterator<Item = &'a str>, len: u64) -> Ranges {
    let mut parts = Vec::new();
    for spec in specs {
        match resolve(spec, len) {
            Spec::Invalid => return Ranges::All,
            Spec::Beyond => {}
            Spec::Part(part) => add(&mut parts, part),
        }
        if parts.len() > PARTS_MAX {
            return Ranges::All;
        }
    }
    match parts.len() {
        0 => Ranges::None,
        1 => Ranges::One(parts.remove(0)),
        _ => Ranges::Several(parts),
    }
}

/// Adds a part, in the place of the first that it overlaps or touches.
fn add(parts: &mut Vec<Range<u64>>, part: Range<u64>) {
    let touches = |other: &Range<u64>| other.start <= part.end && part.start <= other.end;
    let place = parts.iter().position(touches).unwrap_or(parts.len());
    let mut joined = part.clone();
    parts.retain(|other| {
        let touches = touches(other);
        if touches {
            joined = joined.start.min(other.start)..joined.end.max(other.end);
        }
        !touches
    });
    parts.insert(place, joined);
}
