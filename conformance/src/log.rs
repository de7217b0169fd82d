//! [`Log`]: collects the log lines of a server.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Collects the log lines of a server. All clones share the same lines.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    /// Adds lines, each ended by a newline, as they come with [`Want::Log`].
    ///
    /// [`Want::Log`]: sanserve_core::Want::Log
    pub fn push(&self, lines: &str) {
        self.lock(|log| log.push_str(lines));
    }

    /// Returns and removes the collected lines.
    #[must_use]
    pub fn take(&self) -> String {
        self.lock(mem::take)
    }

    fn lock<T>(&self, work: impl FnOnce(&mut String) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
