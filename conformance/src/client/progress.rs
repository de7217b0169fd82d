//! [`Progress`]: what the reader of a client has received so far, for the sender, which runs on another thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a reader has received.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    received: usize,
    ended: bool,
}

impl Progress {
    /// Notes the number of bytes that were received so far.
    pub(super) fn set_received(&self, received: usize) {
        self.state().received = received;
        self.changed.notify_all();
    }

    /// Notes that nothing more will be received.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    pub(super) fn is_ended(&self) -> bool {
        self.state().ended
    }

    /// Waits until this many bytes were received or nothing more will be, for at most this time. Returns whether that
    /// happened.
    pub(super) fn wait_for(&self, bytes: usize, within: Duration) -> bool {
        let is_short = |state: &mut State| state.received < bytes && !state.ended;
        let waited = self
            .changed
            .wait_timeout_while(self.state(), within, is_short);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
