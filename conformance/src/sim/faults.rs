//! [`Faults`]: how often each thing goes wrong in a world.

use std::time::Duration;

use super::Random;

/// How often each thing goes wrong: once in so many times, and never if it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Only a part is read, written or filled in.
    pub short: u32,
    /// An answer is `Nothing`, for no reason.
    pub nothing: u32,
    /// An answer takes its time, but comes before the deadline.
    pub slow: u32,
    /// An answer does not come before the deadline.
    pub late: u32,
    /// The link fails.
    pub reset: u32,
    /// The file system answers with an error.
    pub refuse: u32,
    /// An open file, or a program, fails.
    pub broken: u32,
    /// The tree changes before a step.
    pub change: u32,
    /// The clock leaps, by up to a day.
    pub leap: u32,
    /// A connection is told to come to its end.
    pub finish: u32,
}

impl Faults {
    /// A world in which nothing goes wrong.
    pub const NONE: Faults = Faults {
        short: 0,
        nothing: 0,
        slow: 0,
        late: 0,
        reset: 0,
        refuse: 0,
        broken: 0,
        change: 0,
        leap: 0,
        finish: 0,
    };

    /// The faults of one world: each is on or off, so that what hides behind one of them is met
    /// without it.
    #[must_use]
    pub fn of(random: &mut Random) -> Faults {
        let mut odds = |often: u32, seldom: u32| random.pick(&[0, 0, often, seldom]);
        Faults {
            short: odds(1, 3),
            nothing: odds(4, 50),
            slow: odds(2, 20),
            late: odds(20, 200),
            reset: odds(30, 300),
            refuse: odds(5, 50),
            broken: odds(5, 50),
            change: odds(5, 50),
            leap: odds(50, 500),
            finish: odds(20, 200),
        }
    }
}

/// The faults of a world, and the dice that decide about them.
#[derive(Clone, Debug)]
pub(super) struct FaultPlan {
    pub(super) faults: Faults,
    pub(super) random: Random,
    /// The most that goes at once.
    piece: usize,
}

impl FaultPlan {
    /// Over a link on which so many bytes come in. Where these are many it takes no single bytes, or
    /// the world would not end.
    pub(super) fn new(faults: Faults, mut random: Random, input: usize) -> FaultPlan {
        let piece = random.pick(&[1, 7, 40, 300, 300, 2000, usize::MAX]);
        let piece = piece.max(if input > 3000 { 300 } else { 1 });
        FaultPlan {
            faults,
            random,
            piece,
        }
    }

    /// How many of `len` bytes go at once.
    pub(super) fn cut(&mut self, len: usize) -> usize {
        match self.random.one_in(self.faults.short) {
            true if len > 0 => 1 + self.random.below(len.min(self.piece)),
            _ => len,
        }
    }

    pub(super) fn occurs(&mut self, odds: fn(&Faults) -> u32) -> bool {
        let odds = odds(&self.faults);
        self.random.one_in(odds)
    }

    /// When an answer comes that is in time.
    pub(super) fn soon(&mut self, now: Duration, by: Duration) -> Duration {
        if !self.random.one_in(self.faults.slow) {
            return now;
        }
        let most = by.saturating_sub(now);
        let takes = match self.random.below(4) {
            0 => Duration::from_nanos(self.random.number() % 1_000_000),
            1 => Duration::from_millis(self.random.number() % 100),
            2 => Duration::from_millis(self.random.number() % 20_000),
            _ => most,
        };
        (now + takes).min(by - Duration::from_nanos(1))
    }

    /// When an answer comes that is too late.
    pub(super) fn too_late(&mut self, by: Duration) -> Duration {
        by + Duration::from_millis(self.random.pick(&[0, 0, 1, 1000]))
    }
}
