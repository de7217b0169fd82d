//! [`ThreadWaker`]: blocks the thread of a connection while its handler waits, until the handler's waker is
//! called.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use sanserve_core::Got;

/// Blocks a thread until its waker is called.
pub(crate) struct ThreadWaker(Arc<Shared>);

#[derive(Default)]
struct Shared {
    woken: Mutex<bool>,
    condvar: Condvar,
}

impl ThreadWaker {
    pub(crate) fn new() -> ThreadWaker {
        ThreadWaker(Arc::default())
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }

    /// Answers a [`Want::Wait`](sanserve_core::Want::Wait): waits until the waker is called, but at most for
    /// `left`, and at most 250 ms, after which the thread checks whether the peer is still connected.
    pub(crate) fn wait<F>(&self, left: Option<Duration>) -> Got<F> {
        let left = left.map_or(PEER_CHECK_INTERVAL, |left| left.min(PEER_CHECK_INTERVAL));
        let woken = self.0.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .condvar
            .wait_timeout_while(woken, left, |woken| !*woken);
        let (mut woken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *woken) {
            true => Got::Woken,
            false => Got::Nothing,
        }
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_one();
    }
}

/// How often a waiting thread checks whether its peer is still connected.
const PEER_CHECK_INTERVAL: Duration = Duration::from_millis(250);
