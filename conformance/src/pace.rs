//! Paces: into what pieces bytes are cut on their way.
//!
//! Most mistakes of a protocol engine hide where one read ends and the next begins, so every case
//! is run at several paces and must not differ. Cutting the client's bytes is the least; a subject
//! that can should limit its server's reads and writes in the same way. No I/O happens here.

use std::fmt;

/// The paces at which [`run`](crate::run) takes every case.
pub const PACES: [Pace; 5] = [
    Pace::Whole,
    Pace::ByByte,
    Pace::Seeded(1),
    Pace::Seeded(2),
    Pace::Seeded(3),
];

/// How bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Everything at once.
    Whole,
    /// One byte at a time.
    ByByte,
    /// Pieces of all lengths, the same ones for the same seed.
    Seeded(u64),
}

impl Pace {
    /// The lengths of the pieces, one after the other; one row of them for each direction.
    #[must_use]
    pub fn pieces(self) -> Pieces {
        let seed = if let Self::Seeded(seed) = self {
            seed
        } else {
            0
        };
        // Seeds that lie close together must not begin alike, and xorshift must not begin at zero.
        let state = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
        Pieces { pace: self, state }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => out.write_str("whole"),
            Self::ByByte => out.write_str("by byte"),
            Self::Seeded(seed) => write!(out, "seed {seed}"),
        }
    }
}

/// The lengths of pieces; made by [`Pace::pieces`].
#[derive(Clone, Debug)]
pub struct Pieces {
    pace: Pace,
    state: u64,
}

impl Pieces {
    /// The length of the next piece, when `left` bytes are left or there is room for so many.
    ///
    /// It is 1 at least and `left` at most; only when `left` is 0 it is 0.
    pub fn next_len(&mut self, left: usize) -> usize {
        let len = match self.pace {
            Pace::Whole => left,
            Pace::ByByte => 1,
            Pace::Seeded(_) => self.random_len(),
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
