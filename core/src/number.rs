//! Numbers as text, for the fields that nearly every reply has: a fifth of what `core::fmt` takes. And many
//! numbers as one.

/// Digits, made from the last to the first.
pub(crate) struct Digits {
    text: [u8; MOST],
    start: usize,
}

impl Digits {
    pub(crate) fn decimal(number: u64) -> Digits {
        Digits::new(number, 10)
    }

    pub(crate) fn hexadecimal(number: u64) -> Digits {
        Digits::new(number, 16)
    }

    #[inline]
    fn new(number: u64, base: u64) -> Digits {
        let mut digits = Digits {
            text: [0; MOST],
            start: MOST,
        };
        let mut rest = number;
        loop {
            digits.start -= 1;
            digits.text[digits.start] = b"0123456789abcdef"[(rest % base) as usize];
            rest /= base;
            if rest == 0 {
                return digits;
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }
}

/// A step of SplitMix64, with a number mixed in.
pub(crate) fn mix(state: u64, number: u64) -> u64 {
    let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// As many as `u64::MAX` has.
const MOST: usize = 20;
