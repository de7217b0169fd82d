//! [`Log`]: collects the log lines of a server.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Collects the log lines of a server. All clones share the same lines.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    text: Mutex<String>,
    pushed: Condvar,
}

impl Log {
    /// Adds lines, each ended by a newline, as they come with [`Want::Log`].
    ///
    /// [`Want::Log`]: sanserve_core::Want::Log
    pub fn push(&self, lines: &str) {
        let mut text = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(lines);
        self.0.pushed.notify_all();
    }

    /// Returns and removes the collected lines.
    #[must_use]
    pub fn take(&self) -> String {
        self.take_lines(0, Duration::ZERO)
    }

    /// Returns and removes the collected lines when there are `count` of them, or after this time.
    pub(crate) fn take_lines(&self, count: usize, within: Duration) -> String {
        let text = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        let is_short = |text: &mut String| text.lines().count() < count;
        let waited = self.0.pushed.wait_timeout_while(text, within, is_short);
        mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}
