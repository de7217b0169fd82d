//! [`TrackedHandle`]: an open file with a mark on it, so that it can be seen who still holds one.

use std::cell::Cell;
use std::rc::Rc;

/// How many files and programs are held.
#[derive(Clone, Debug, Default)]
pub(super) struct HandleCount(Rc<Cell<usize>>);

/// An open file or program.
#[derive(Debug)]
pub(super) struct TrackedHandle<F> {
    pub(super) file: F,
    /// The number of the answer that it came with.
    pub(super) answer: usize,
    handles: HandleCount,
}

impl HandleCount {
    pub(super) fn get(&self) -> usize {
        self.0.get()
    }

    pub(super) fn track<F>(&self, file: F, answer: usize) -> TrackedHandle<F> {
        self.0.set(self.0.get() + 1);
        let handles = self.clone();
        TrackedHandle {
            file,
            answer,
            handles,
        }
    }
}

impl<F> Drop for TrackedHandle<F> {
    fn drop(&mut self) {
        self.handles.0.set(self.handles.0.get() - 1);
    }
}
