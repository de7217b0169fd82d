//! [`Faults`]: how often each fault occurs in a world.

use std::time::Duration;

use super::Random;

/// How often each fault occurs: one time in this number, or never if it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A read or write is short.
    pub short: u32,
    /// An answer is `Nothing` without a reason.
    pub nothing: u32,
    /// An answer is late, but before the deadline.
    pub slow: u32,
    /// An answer comes after the deadline.
    pub late: u32,
    /// The transport fails.
    pub reset: u32,
    /// A call of the file system fails.
    pub fs_error: u32,
    /// An open file or a CGI process fails.
    pub io_error: u32,
    /// The file system changes before a step.
    pub file_change: u32,
    /// The clock jumps by up to a day.
    pub clock_jump: u32,
    /// `finish()` is called.
    pub finish: u32,
}

impl Faults {
    /// No faults.
    pub const NONE: Faults = Faults {
        short: 0,
        nothing: 0,
        slow: 0,
        late: 0,
        reset: 0,
        fs_error: 0,
        io_error: 0,
        file_change: 0,
        clock_jump: 0,
        finish: 0,
    };

    /// Draws the faults of a world. Each is off in half of the worlds, so that each also occurs without the others.
    #[must_use]
    pub fn of(random: &mut Random) -> Faults {
        let mut odds = |often: u32, seldom: u32| random.pick(&[0, 0, often, seldom]);
        Faults {
            short: odds(1, 3),
            nothing: odds(4, 50),
            slow: odds(2, 20),
            late: odds(20, 200),
            reset: odds(30, 300),
            fs_error: odds(5, 50),
            io_error: odds(5, 50),
            file_change: odds(5, 50),
            clock_jump: odds(50, 500),
            finish: odds(20, 200),
        }
    }
}

/// Decides when the faults of a connection occur.
#[derive(Clone, Debug)]
pub(super) struct FaultPlan {
    pub(super) faults: Faults,
    pub(super) random: Random,
    /// The longest read or write when they are short, at first.
    short_max: usize,
    /// The bytes that were moved.
    moved: usize,
}

impl FaultPlan {
    pub(super) fn new(faults: Faults, mut random: Random) -> FaultPlan {
        let short_max = random.pick(&[1, 7, 40, 300, 300, 2000, usize::MAX]);
        FaultPlan {
            faults,
            random,
            short_max,
            moved: 0,
        }
    }

    /// Returns how many of `len` bytes are moved at once. Short reads and writes become longer with the bytes that were
    /// moved before, so that megabytes take only thousands of steps.
    pub(super) fn cut(&mut self, len: usize) -> usize {
        let short_max = self.short_max.max(self.moved / 512);
        let n = match self.random.one_in(self.faults.short) {
            true if len > 0 => 1 + self.random.below(len.min(short_max)),
            _ => len,
        };
        self.moved += n;
        n
    }

    /// Returns whether a fault occurs now.
    pub(super) fn occurs(&mut self, odds: fn(&Faults) -> u32) -> bool {
        let odds = odds(&self.faults);
        self.random.one_in(odds)
    }

    /// Returns the time of an answer before the deadline.
    pub(super) fn soon(&mut self, now: Duration, deadline: Duration) -> Duration {
        if !self.random.one_in(self.faults.slow) {
            return now;
        }
        let most = deadline.saturating_sub(now);
        let delay = match self.random.below(4) {
            0 => Duration::from_nanos(self.random.number() % 1_000_000),
            1 => Duration::from_millis(self.random.number() % 100),
            2 => Duration::from_millis(self.random.number() % 20_000),
            _ => most,
        };
        (now + delay).min(deadline - Duration::from_nanos(1))
    }

    /// Returns the time of an answer after the deadline.
    pub(super) fn too_late(&mut self, deadline: Duration) -> Duration {
        deadline + Duration::from_millis(self.random.pick(&[0, 0, 1, 1000]))
    }
}
