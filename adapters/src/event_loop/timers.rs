//! [`Timers`]: who has to be looked at when, though nothing has come.
//!
//! A deadline moves with almost every step, nearly always to a later time. So what is kept is a time
//! at which to look again: whoever is found to have more of it then is put back. A time that stands
//! for a place serves whoever has the place next, so that many short connections leave nothing here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Times, with the places that they are for.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Duration, usize)>>,
    /// The earliest time of each place.
    stands: Vec<Option<Duration>>,
}

impl Timers {
    /// Has a place looked at then, or earlier.
    pub(super) fn set(&mut self, who: usize, at: Duration) {
        if who >= self.stands.len() {
            self.stands.resize(who + 1, None);
        }
        let stands = &mut self.stands[who];
        if stands.is_none_or(|stands| at < stands) {
            *stands = Some(at);
            self.heap.push(Reverse((at, who)));
        }
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a place whose time has come.
    pub(super) fn pop(&mut self, now: Duration) -> Option<usize> {
        while self.next().is_some_and(|at| at <= now) {
            let Reverse((at, who)) = self.heap.pop()?;
            // Otherwise an earlier one took its place.
            if self.stands[who] == Some(at) {
                self.stands[who] = None;
                return Some(who);
            }
        }
        None
    }
}
