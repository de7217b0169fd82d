//! [`Log`]: what a server logs, collected.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Collects the lines that a server logs. All clones of it are one.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    /// Adds finished lines, each ended by a newline: what [`Want::Log`] brings.
    ///
    /// [`Want::Log`]: sanserve_core::Want::Log
    pub fn push(&self, lines: &str) {
        self.lock(|log| log.push_str(lines));
    }

    /// What was collected since it was last asked.
    #[must_use]
    pub fn take(&self) -> String {
        self.lock(mem::take)
    }

    fn lock<T>(&self, work: impl FnOnce(&mut String) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
