//! [`Random`]: generates the random numbers on which everything in a world depends.

/// Marsaglia's xorshift64. The same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Creates a generator. Similar seeds give different numbers from the start.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Random((mixed ^ mixed >> 31).max(1))
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a number below `n`, which must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.number()) * n as u128) >> 64) as usize
    }

    /// Returns a number of at most `max`, of which each order of magnitude is equally likely.
    pub fn log_uniform(&mut self, max: usize) -> usize {
        let bits = (usize::BITS - max.leading_zeros()) as usize;
        match self.below(bits + 1) {
            0 => 0,
            order => {
                let least = 1 << (order - 1);
                least + self.below(least.min(max - least + 1))
            }
        }
    }

    /// Returns true one time in `n`, and never if `n` is 0.
    pub fn one_in(&mut self, n: u32) -> bool {
        n > 0 && self.below(n as usize) == 0
    }

    /// Returns a random element.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Returns an independent generator for a part of the world.
    #[must_use]
    pub fn fork(&mut self) -> Random {
        Random::new(self.number())
    }
}
