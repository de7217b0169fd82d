//! [`Digits`]: formats numbers for the fields of nearly every reply, in a fifth of the time that `core::fmt`
//! takes. Also has a hash function for numbers.

/// Text of at most `N` bytes that is written from its end to its start, as digits are computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backward<const N: usize> {
    text: [u8; N],
    start: usize,
}

impl<const N: usize> Backward<N> {
    pub(crate) const fn new() -> Self {
        Backward {
            text: [0; N],
            start: N,
        }
    }

    /// Prepends text.
    #[inline]
    pub(crate) fn push(&mut self, text: &str) {
        for &byte in text.as_bytes().iter().rev() {
            self.push_byte(byte);
        }
    }

    pub(crate) fn push_decimal(&mut self, number: u64) {
        let mut rest = number;
        loop {
            self.push_byte(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                return;
            }
        }
    }

    pub(crate) fn push_hexadecimal(&mut self, number: u64) {
        let digits = (16 - number.leading_zeros() as usize / 4).max(1);
        let start = self.start - digits;
        let mut rest = number;
        for byte in self.text[start..self.start].iter_mut().rev() {
            *byte = b"0123456789abcdef"[(rest % 16) as usize];
            rest /= 16;
        }
        self.start = start;
    }

    #[inline]
    fn push_byte(&mut self, byte: u8) {
        self.start -= 1;
        self.text[self.start] = byte;
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).expect("it was written as text")
    }
}

/// The digits of one number. `u64::MAX` has 20.
pub(crate) type Digits = Backward<20>;

impl Digits {
    pub(crate) fn decimal(number: u64) -> Digits {
        let mut digits = Digits::new();
        digits.push_decimal(number);
        digits
    }

    pub(crate) fn hexadecimal(number: u64) -> Digits {
        let mut digits = Digits::new();
        digits.push_hexadecimal(number);
        digits
    }
}

/// Mixes a number into a hash state, with a step of SplitMix64.
pub(crate) fn mix(state: u64, number: u64) -> u64 {
    let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
