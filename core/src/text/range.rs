//! Parses the `Range` field (RFC 9110 §14.1.2, §14.2), for a representation of known length.
//!
//! The caller decides for which methods and under which preconditions the field applies. An invalid field is not an
//! error: it is ignored.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

/// The ranges that a `Range` field requests, as offsets in bytes. None is empty or exceeds the length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a handler has to answer each kind")]
pub enum Ranges {
    /// The whole representation: the field is to be ignored.
    All,
    /// A single range.
    One(Range<u64>),
    /// Two or more ranges, in the order of the field. They neither overlap nor touch, so that together they are never
    /// more than the whole.
    Several(Vec<Range<u64>>),
    /// Only ranges beyond the length: 416.
    None,
}

/// The largest number of parts in one reply. If the field has more, the whole representation is sent: a reply in many
/// small parts costs more (RFC 9110 §17.14). A range that overlaps or touches an earlier one is merged with it and not
/// counted; a later range that would join two counts.
pub const PARTS_MAX: usize = 64;

/// Parses the value of a `Range` field for a representation of `len` bytes.
///
/// The only unit is `bytes`, in any letter case; a field with another unit or a syntax error is ignored. Numbers may
/// have any number of digits. Allocates only if the field has more than one range.
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
    // RFC 9110 §5.6.1: empty list elements are ignored.
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

/// One element of the list.
enum Spec {
    /// A syntax error, or an end before the start.
    Invalid,
    /// Beyond the length.
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
        // A suffix of this many bytes. For an empty file, nothing can be sent but a 200.
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

/// Returns the value of the digits, or the largest `u64`.
fn number(digits: &str) -> u64 {
    digits.bytes().fold(0_u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    })
}

/// Compares the values of digits of any length.
fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Merges ranges that overlap or touch.
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

/// Adds a range, merged with the first one that it overlaps or touches.
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
