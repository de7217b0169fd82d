//! [`TrackedHandle`]: an open file or process that is counted until it is dropped, to detect handles that are kept too
//! long.

use std::cell::Cell;
use std::rc::Rc;

/// The number of open files and processes.
#[derive(Clone, Debug, Default)]
pub(super) struct HandleCount(Rc<Cell<usize>>);

/// An open file or process.
#[derive(Debug)]
pub(super) struct TrackedHandle<F> {
    pub(super) file: F,
    /// The number of the file system call that opened it.
    pub(super) call: usize,
    handles: HandleCount,
}

impl HandleCount {
    pub(super) fn get(&self) -> usize {
        self.0.get()
    }

    pub(super) fn track<F>(&self, file: F, call: usize) -> TrackedHandle<F> {
        self.0.set(self.0.get() + 1);
        let handles = self.clone();
        TrackedHandle {
            file,
            call,
            handles,
        }
    }
}

impl<F> Drop for TrackedHandle<F> {
    fn drop(&mut self) {
        self.handles.0.set(self.handles.0.get() - 1);
    }
}
