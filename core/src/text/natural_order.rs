//! Compares names in natural order: `file2` before `file10`, case-insensitively.
//!
//! Names are compared in place, byte by byte while they are ASCII, without building sort keys.

use core::cmp::Ordering;

use crate::text::lowercase::lower_char;

/// Compares numbers by value and letters in lower case, then by bytes if these are equal.
pub(crate) fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let mut start = common_prefix_len(one, other);
    if let Some(order) = compare_first_difference(&one[start..], &other[start..]) {
        return order;
    }
    // A common prefix does not matter, unless it ends within a number or a character.
    while start > 0 && (one[start - 1].is_ascii_digit() || !one[start - 1].is_ascii()) {
        start -= 1;
    }
    compare_ends(&one[start..], &other[start..]).then_with(|| one.cmp(other))
}

/// Returns the length of the common prefix in bytes.
fn common_prefix_len(one: &[u8], other: &[u8]) -> usize {
    let eights = one.as_chunks::<8>().0.iter().zip(other.as_chunks().0);
    let start = 8 * eights.take_while(|(one, other)| one == other).count();
    let pairs = one[start..].iter().zip(&other[start..]);
    start + pairs.take_while(|(one, other)| one == other).count()
}

/// Returns the order that follows from the first different bytes, which decide in most cases.
fn compare_first_difference(one: &[u8], other: &[u8]) -> Option<Ordering> {
    let (first, second) = (one.first()?, other.first()?);
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (first.is_ascii_digit(), second.is_ascii_digit()) {
        // Numbers with the same number of digits, leading zeros aside.
        (true, true) if digits(one) == digits(other) => Some(first.cmp(second)),
        (false, false) if first.is_ascii() && second.is_ascii() => {
            let small = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
            (small.0 != small.1).then(|| small.0.cmp(&small.1))
        }
        _ => None,
    }
}

fn compare_ends(mut one: &[u8], mut other: &[u8]) -> Ordering {
    loop {
        let (Some(&first), Some(&second)) = (one.first(), other.first()) else {
            return one.len().cmp(&other.len());
        };
        let order = if first.is_ascii_digit() && second.is_ascii_digit() {
            let (first, second) = (number(&mut one), number(&mut other));
            first
                .len()
                .cmp(&second.len())
                .then_with(|| first.cmp(second))
        } else {
            character(&mut one).cmp(&character(&mut other))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Removes the digits at the front, and returns them without leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros..]
}

/// Removes the character at the front, and returns it in lower case.
fn character(text: &mut &[u8]) -> char {
    let (char, len) = match text {
        [byte, ..] if byte.is_ascii() => (byte.to_ascii_lowercase().into(), 1),
        _ => match text[..text.len().min(4)].utf8_chunks().next() {
            Some(chunk) => match chunk.valid().chars().next() {
                Some(char) => (lower_char(char), char.len_utf8()),
                None => (char::REPLACEMENT_CHARACTER, chunk.invalid().len()),
            },
            None => (char::REPLACEMENT_CHARACTER, 0),
        },
    };
    *text = &text[len..];
    char
}

#[cfg(test)]
mod tests {
    use super::{compare, compare_ends};
    use alloc::vec;
    use alloc::vec::Vec;
    use core::cmp::Ordering;

    #[test]
    fn names_are_in_natural_order() {
        let names: [&[u8]; 20] = [
            b"",
            b"!",
            b"1",
            b"1a",
            b"2",
            b"007",
            b"7",
            b"10",
            b"99999999999999999999",
            b"100000000000000000000",
            b"A",
            b"a",
            b"a 2",
            b"a 10",
            b"b",
            b"File1.txt",
            b"file2.txt",
            b"FILE10.txt",
            "Äpfel".as_bytes(),
            "äpfeln".as_bytes(),
        ];
        for (at, one) in names.iter().enumerate() {
            for (other_at, other) in names.iter().enumerate() {
                let shown = (one.escape_ascii(), other.escape_ascii());
                assert_eq!(compare(one, other), at.cmp(&other_at), "{shown:?}");
            }
        }
    }

    #[test]
    fn a_common_prefix_does_not_change_the_order() {
        let bytes = b"019aB-\xc3\xa4";
        let mut names = vec![Vec::new()];
        for at in 0..585 {
            for &byte in bytes {
                names.push([&names[at][..], &[byte]].concat());
            }
        }
        for one in &names[names.len() - 200..] {
            for other in &names {
                let whole = compare_ends(one, other).then_with(|| one.cmp(other));
                assert_eq!(compare(one, other), whole, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_ordered_too() {
        let names: [&[u8]; 4] = [b"a\xff", b"a\xfe1", b"a\xff\xfe", "a\u{e4}".as_bytes()];
        for one in names {
            for other in names {
                assert_eq!(compare(one, other), compare(other, one).reverse());
                assert_eq!(compare(one, other) == Ordering::Equal, one == other);
            }
        }
    }
}
