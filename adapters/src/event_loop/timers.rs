//! [`Timers`]: tells which connections must take a step because a deadline has come, without any event.
//!
//! A deadline changes with almost every step, nearly always to a later time. So an entry is the time at which
//! to check a deadline: if it has moved, the entry is added again. An entry belongs to a key, not to a
//! connection, and serves the next connection with that key, so short connections leave nothing behind.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A heap of times and keys.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Duration, usize)>>,
    /// The earliest time of each key.
    earliest: Vec<Option<Duration>>,
}

impl Timers {
    /// Schedules a check of a key at this time or earlier.
    pub(super) fn set(&mut self, key: usize, at: Duration) {
        if key >= self.earliest.len() {
            self.earliest.resize(key + 1, None);
        }
        let earliest = &mut self.earliest[key];
        if earliest.is_none_or(|earliest| at < earliest) {
            *earliest = Some(at);
            self.heap.push(Reverse((at, key)));
        }
    }

    /// Returns the earliest time.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a key whose time has come.
    pub(super) fn pop(&mut self, now: Duration) -> Option<usize> {
        while self.next().is_some_and(|at| at <= now) {
            let Reverse((at, key)) = self.heap.pop()?;
            // Otherwise an earlier entry has replaced this one.
            if self.earliest[key] == Some(at) {
                self.earliest[key] = None;
                return Some(key);
            }
        }
        None
    }
}
