//! [`Timers`]: who has to be looked at when, though nothing has come.
//!
//! A deadline moves with almost every step, nearly always to a later time. So what is kept is a time
//! at which to look again: whoever is found to have more of it then is put back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Times, with whom they are for.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Duration, usize)>>);

impl Timers {
    /// Adds a time.
    pub(super) fn push(&mut self, at: Duration, who: usize) {
        self.0.push(Reverse((at, who)));
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the earliest, if it has come.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(Duration, usize)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse(entry)| entry)
    }
}
