//! The order of names that people expect: `file2` before `file10`, whatever is a capital.
//!
//! Names are compared where they lie, byte by byte as long as they are ASCII; no key is made of them.

use core::cmp::Ordering;

use crate::text::lowercase::lower_char;

/// Numbers by what they count, letters by their small form; what is the same so, by its bytes.
pub(crate) fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let mut start = alike(one, other);
    if let Some(order) = parted(&one[start..], &other[start..]) {
        return order;
    }
    // It is no matter what they begin with alike, unless they part within a number or a character.
    while start > 0 && (one[start - 1].is_ascii_digit() || !one[start - 1].is_ascii()) {
        start -= 1;
    }
    compare_ends(&one[start..], &other[start..]).then_with(|| one.cmp(other))
}

/// How many bytes both begin with.
fn alike(one: &[u8], other: &[u8]) -> usize {
    let eights = one.as_chunks::<8>().0.iter().zip(other.as_chunks().0);
    let start = 8 * eights.take_while(|(one, other)| one == other).count();
    let pairs = one[start..].iter().zip(&other[start..]);
    start + pairs.take_while(|(one, other)| one == other).count()
}

/// What comes of the first bytes that differ, if these tell it: most do.
fn parted(one: &[u8], other: &[u8]) -> Option<Ordering> {
    let (first, second) = (one.first()?, other.first()?);
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (first.is_ascii_digit(), second.is_ascii_digit()) {
        // Numbers of as many digits, whatever zeros they begin with.
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

/// Takes the digits off the front, and answers those that count.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros..]
}

/// Takes a character off the front, and answers its small form.
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
    fn names_are_in_the_order_that_people_expect() {
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
    fn what_they_begin_with_alike_changes_nothing() {
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
    fn what_is_no_text_has_an_order_too() {
        let names: [&[u8]; 4] = [b"a\xff", b"a\xfe1", b"a\xff\xfe", "a\u{e4}".as_bytes()];
        for one in names {
            for other in names {
                assert_eq!(compare(one, other), compare(other, one).reverse());
                assert_eq!(compare(one, other) == Ordering::Equal, one == other);
            }
        }
    }
}
