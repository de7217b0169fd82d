//! [`Held`]: an open file with a mark on it, so that it can be seen who still holds one.

use std::cell::Cell;
use std::rc::Rc;

/// How many files and programs are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Rc<Cell<usize>>);

/// An open file or program.
#[derive(Debug)]
pub(super) struct Held<F> {
    pub(super) file: F,
    /// The number of the answer that it came with.
    pub(super) answer: usize,
    tally: Tally,
}

impl Tally {
    pub(super) fn get(&self) -> usize {
        self.0.get()
    }

    pub(super) fn hold<F>(&self, file: F, answer: usize) -> Held<F> {
        self.0.set(self.0.get() + 1);
        let tally = self.clone();
        Held {
            file,
            answer,
            tally,
        }
    }
}

impl<F> Drop for Held<F> {
    fn drop(&mut self) {
        self.tally.0.set(self.tally.0.get() - 1);
    }
}
