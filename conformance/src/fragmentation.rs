//! [`Fragmentation`]: divides the bytes of a case into reads and writes: whole, one by one, or at random.
//!
//! Many bugs of a protocol engine appear only where one read ends and the next begins. So every case is run with
//! several fragmentations and must have the same result. At least the client's bytes are divided; where it is
//! possible, limit the reads and writes of the server in the same way.

use std::fmt;

use crate::Case;

/// The fragmentations with which [`run`](crate::run) runs every case.
pub const FRAGMENTATIONS: [Fragmentation; 5] = [
    Fragmentation::Whole,
    Fragmentation::ByByte,
    Fragmentation::Seeded(1),
    Fragmentation::Seeded(2),
    Fragmentation::Seeded(3),
];

impl Case {
    /// Returns the fragmentations with which this case is run: all, or only the first if the case [is
    /// timed](Case::is_timed).
    #[must_use]
    pub fn fragmentations(&self) -> &'static [Fragmentation] {
        let timed = self.is_timed();
        if timed {
            &FRAGMENTATIONS[..1]
        } else {
            &FRAGMENTATIONS
        }
    }
}

/// How bytes are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmentation {
    /// All bytes at once.
    Whole,
    /// One byte at a time.
    ByByte,
    /// Random lengths, the same for the same seed.
    Seeded(u64),
}

impl Fragmentation {
    /// Returns the lengths of the fragments. Call it once for each direction.
    #[must_use]
    pub fn sizes(self) -> FragmentSizes {
        let seed = if let Self::Seeded(seed) = self {
            seed
        } else {
            0
        };
        // Similar seeds must give different numbers from the start, and the state of xorshift must not be zero.
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

/// The lengths of fragments; see [`Fragmentation::sizes`].
#[derive(Clone, Debug)]
pub struct FragmentSizes {
    fragmentation: Fragmentation,
    state: u64,
}

impl FragmentSizes {
    /// Returns the length of the next fragment: from 1 to `left`, or 0 if `left` is 0.
    pub fn next_size(&mut self, left: usize) -> usize {
        let len = match self.fragmentation {
            Fragmentation::Whole => left,
            Fragmentation::ByByte => 1,
            Fragmentation::Seeded(_) => self.random_len(),
        };
        len.min(left)
    }

    /// Returns up to 64, and one time in sixteen up to 65,536, so that long requests do not take too long.
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
