//! Fragmentations: into what pieces bytes are cut on their way.
//!
//! Most mistakes of a protocol engine hide where one read ends and the next begins, so every case
//! is run at several fragmentations and must not differ. Cutting the client's bytes is the least; a subject
//! that can should limit its server's reads and writes in the same way. No I/O happens here.

use std::fmt;

/// The fragmentations at which [`run`](crate::run) takes every case.
pub const FRAGMENTATIONS: [Fragmentation; 5] = [
    Fragmentation::Whole,
    Fragmentation::ByByte,
    Fragmentation::Seeded(1),
    Fragmentation::Seeded(2),
    Fragmentation::Seeded(3),
];

/// How bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmentation {
    /// Everything at once.
    Whole,
    /// One byte at a time.
    ByByte,
    /// FragmentSizes of all lengths, the same ones for the same seed.
    Seeded(u64),
}

impl Fragmentation {
    /// The lengths of the pieces, one after the other; one row of them for each direction.
    #[must_use]
    pub fn sizes(self) -> FragmentSizes {
        let seed = if let Self::Seeded(seed) = self {
            seed
        } else {
            0
        };
        // Seeds that lie close together must not begin alike, and xorshift must not begin at zero.
        let state = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
        FragmentSizes {
            fragmentation: self,
            state,
        }
    }
}

impl fmt::Display for Fragmentation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => out.write_str("whole"),
            Self::ByByte => out.write_str("by byte"),
            Self::Seeded(seed) => write!(out, "seed {seed}"),
        }
    }
}

/// The lengths of pieces; made by [`Fragmentation::sizes`].
#[derive(Clone, Debug)]
pub struct FragmentSizes {
    fragmentation: Fragmentation,
    state: u64,
}

impl FragmentSizes {
    /// The length of the next piece, when `left` bytes are left or there is room for so many.
    ///
    /// It is 1 at least and `left` at most; only when `left` is 0 it is 0.
    pub fn next_size(&mut self, left: usize) -> usize {
        let len = match self.fragmentation {
            Fragmentation::Whole => left,
            Fragmentation::ByByte => 1,
            Fragmentation::Seeded(_) => self.random_len(),
        };
        len.min(left)
    }

    /// Up to 64 bytes, but once in sixteen up to 64 KiB, or a long request would take for ever.
    fn random_len(&mut self) -> usize {
        let random = self.random();
        let most = if random.is_multiple_of(16) {
            65_536
        } else {
            64
        };
        1 + (random >> 16) as usize % most
    }

    /// Marsaglia's xorshift64.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}
