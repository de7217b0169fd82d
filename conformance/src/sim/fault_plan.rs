//! [`FaultPlan`]: decides when the faults of a connection or of a world occur, how short reads and writes are, and how
//! late answers come. Records the faults, so that a run can be repeated without some of them.
//!
//! Each time a fault could occur, a new random number of its class decides. So if one fault is left out, the others
//! still occur.

use std::ops::Range;
use std::time::Duration;

use super::Random;
use super::faults::{FaultClass, Faults};

const CLASSES: usize = FaultClass::ALL.len();

/// Faults that have occurred, and their occasions.
pub(super) type Occurred = Vec<(FaultClass, usize)>;

/// The faults of a connection or of a world.
#[derive(Clone, Debug)]
pub(super) struct FaultPlan {
    odds: [u32; CLASSES],
    numbers: [Random; CLASSES],
    /// How many occasions there were.
    occasions: [usize; CLASSES],
    /// The occasions at which a fault does not occur.
    without: Vec<(FaultClass, Range<usize>)>,
    /// The random numbers for the details of the last fault.
    pub(super) detail: Random,
    /// The faults that have occurred and their occasions, if that is recorded.
    pub(super) occurred: Option<Occurred>,
    /// The longest read or write when they are short, at first.
    short_max: usize,
    /// The bytes that were moved.
    moved: usize,
}

impl FaultPlan {
    pub(super) fn new(
        faults: Faults,
        mut random: Random,
        without: Vec<(FaultClass, Range<usize>)>,
        recording: bool,
    ) -> FaultPlan {
        let short_max = random.pick(&[1, 7, 40, 300, 300, 2000, usize::MAX]);
        FaultPlan {
            odds: FaultClass::ALL.map(|class| faults.odds(class)),
            numbers: FaultClass::ALL.map(|_| random.fork()),
            occasions: [0; CLASSES],
            without,
            detail: random,
            occurred: recording.then(Vec::new),
            short_max,
            moved: 0,
        }
    }

    /// Returns whether a fault occurs now.
    pub(super) fn occurs(&mut self, class: FaultClass) -> bool {
        let at = class as usize;
        let odds = self.odds[at];
        if odds == 0 {
            return false;
        }
        let number = self.numbers[at].number();
        let occasion = self.occasions[at];
        self.occasions[at] += 1;
        if !number.is_multiple_of(odds.into()) {
            return false;
        }
        let mut without = self.without.iter();
        if without.any(|(other, range)| *other == class && range.contains(&occasion)) {
            return false;
        }
        self.detail = Random::new(number);
        if let Some(occurred) = &mut self.occurred {
            occurred.push((class, occasion));
        }
        true
    }

    /// Returns how many of `len` bytes are moved at once. Short reads and writes become longer with the bytes that were
    /// moved before, so that megabytes take only thousands of steps.
    pub(super) fn cut(&mut self, len: usize) -> usize {
        let short_max = self.short_max.max(self.moved / 512);
        let n = match len > 0 && self.occurs(FaultClass::Short) {
            true => 1 + self.detail.below(len.min(short_max)),
            _ => len,
        };
        self.moved += n;
        n
    }

    /// Returns the time of an answer before the deadline.
    pub(super) fn soon(&mut self, now: Duration, deadline: Duration) -> Duration {
        if !self.occurs(FaultClass::Slow) {
            return now;
        }
        let most = deadline.saturating_sub(now);
        let random = &mut self.detail;
        let delay = match random.below(4) {
            0 => Duration::from_nanos(random.number() % 1_000_000),
            1 => Duration::from_millis(random.number() % 100),
            2 => Duration::from_millis(random.number() % 20_000),
            _ => most,
        };
        (now + delay).min(deadline - Duration::from_nanos(1))
    }

    /// Returns the time of an answer after the deadline.
    pub(super) fn too_late(&mut self, deadline: Duration) -> Duration {
        deadline + Duration::from_millis(self.detail.pick(&[0, 0, 1, 1000]))
    }
}
