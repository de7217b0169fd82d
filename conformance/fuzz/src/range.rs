//! The fuzz target for ranges. Checks that the selected bytes are those of a direct implementation of RFC 9110 §14.1.2,
//! which marks each byte, that there are never too many parts, and that no byte is in two of them.
//!
//! The first byte of the input is the length of the file, the rest is the field.

use std::ops::Range;

use sanserve_core::range::{PARTS_MAX, Ranges, parse};

/// Checks one field.
pub fn check(data: &[u8]) {
    let Some((&len, value)) = data.split_first() else {
        return;
    };
    let value: String = value.iter().copied().map(char::from).collect();
    let mut numbers = value.split(|char: char| !char.is_ascii_digit());
    if numbers.any(|digits| digits.len() > 38) {
        return; // too large for the oracle
    }
    let marked = mark_bytes(&value, u128::from(len));
    let parts = match parse(&value, u64::from(len)) {
        // The limit applies before parts are merged.
        Ranges::All => {
            return assert!(marked.is_none() || value.split(',').count() > PARTS_MAX);
        }
        Ranges::One(part) => vec![part],
        Ranges::Several(parts) => {
            assert!((2..=PARTS_MAX).contains(&parts.len()));
            parts
        }
        Ranges::None => Vec::new(),
    };
    let mut ours = vec![false; usize::from(len)];
    for Range { start, end } in parts.iter().cloned() {
        assert!(start < end && end <= u64::from(len));
        ours[start as usize..end as usize].fill(true);
    }
    assert_eq!(Some(&ours), marked.as_ref());
    assert_eq!(
        parts.len(),
        runs(&ours),
        "parts that overlap or are adjacent"
    );
}

/// Marks the selected bytes; `None` if the field must be ignored.
fn mark_bytes(value: &str, len: u128) -> Option<Vec<bool>> {
    let (unit, set) = value.split_once('=')?;
    let specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t']));
    let specs: Vec<&str> = specs.filter(|spec| !spec.is_empty()).collect();
    if !unit.eq_ignore_ascii_case("bytes") || specs.is_empty() {
        return None;
    }
    let mut marked = vec![false; len as usize];
    for spec in specs {
        let (first, last) = spec.split_once('-')?;
        let selected = match (number(first)?, number(last)?) {
            (None, None) => return None,
            // A suffix of an empty file.
            (None, Some(1..)) if len == 0 => return None,
            (None, Some(last)) => len.saturating_sub(last)..len,
            (Some(first), None) => first..len,
            (Some(first), Some(last)) if last < first => return None,
            (Some(first), Some(last)) => first..last + 1,
        };
        for (at, mark) in marked.iter_mut().enumerate() {
            *mark |= selected.contains(&(at as u128));
        }
    }
    Some(marked)
}

/// Parses an optional number; `None` if it is invalid.
fn number(digits: &str) -> Option<Option<u128>> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())
}

/// Returns the number of runs of marked bytes.
fn runs(marked: &[bool]) -> usize {
    marked
        .split(|mark| !mark)
        .filter(|run| !run.is_empty())
        .count()
}

/// Edge cases.
pub fn seeds() -> Vec<Vec<u8>> {
    let many: Vec<String> = (0..70).map(|at| format!("{}-{}", at * 3, at * 3)).collect();
    let mut seeds = super::owned(&[
        b"\xc8bytes=0-99",
        b"\xc8Bytes=-1, 5-,\t,0-0",
        b"\xc8bytes=9-0",
        b"\xc8bytes=200-,199-99999999999999999999999",
        b"\xc8bytes=0-1,2-3,1-2,100-",
        b"\x00bytes=-5",
        b"\x00bytes=0-,-0",
        b"\xc8items=0-1",
        b"\xc8bytes=+1-2",
    ]);
    seeds.push([b"\xffbytes=", many.join(",").as_bytes()].concat());
    seeds.push([b"\xffbytes=", many.join(",").as_bytes(), b",0-"].concat());
    seeds
}
