//! [`Stopper`]: stops a server from another thread, and what its workers see of that.

use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::Waker;
use slab::Slab;

/// Stops a server. There may be many, and they may outlive it.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<End>);

impl Stopper {
    pub(super) fn new(end: &Arc<End>) -> Stopper {
        Stopper(Arc::clone(end))
    }

    /// Accepts no more connections, closes idle ones, waits up to `grace` for running replies, and cuts off those that are
    /// left then. It returns when no connection is left, or when the grace is over; so does `serve_forever`,
    /// except that it waits for a call of the file system, or of a handler, that has not returned.
    ///
    /// It blocks the thread that calls it, which therefore must not be one that serves. Calling it again, with less grace or
    /// with more, does no harm: the least counts.
    pub fn shutdown(&self, grace: Duration) {
        self.0.close();
        let running = |wakers: &mut Option<Vec<Arc<Waker>>>| wakers.is_some();
        let waited = self
            .0
            .left
            .wait_timeout_while(self.0.wakers(), grace, running);
        drop(waited);
        self.0.cut();
        self.0.wake();
    }
}

/// Whether a server ends, and how.
#[derive(Default)]
pub(super) struct End {
    /// No connection is accepted any more.
    closed: AtomicBool,
    /// The connections that are left have to be closed.
    cut: AtomicBool,
    /// Wakes the workers, as long as there are any.
    wakers: Mutex<Option<Vec<Arc<Waker>>>>,
    /// The connections that have left their workers.
    upgraded: Mutex<Slab<Arc<TcpStream>>>,
    /// Notified when there are no workers any more.
    left: Condvar,
}

impl End {
    /// Begins, with these workers.
    pub(super) fn open(&self, wakers: Vec<Arc<Waker>>) {
        *self.wakers() = Some(wakers);
        // It may have been stopped before there was a worker to be woken.
        if self.closed.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Has no connection accepted any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Closes the connections that are left.
    fn cut(&self) {
        let upgraded = self.upgraded();
        self.cut.store(true, Ordering::Relaxed);
        for (_, socket) in upgraded.iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn upgraded(&self) -> MutexGuard<'_, Slab<Arc<TcpStream>>> {
        self.upgraded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all workers.
    pub(super) fn wake(&self) {
        for waker in self.wakers().iter().flatten() {
            let _ = waker.wake();
        }
    }

    /// Ends, since there are no workers any more.
    pub(super) fn over(&self) {
        *self.wakers() = None;
        self.left.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    fn wakers(&self) -> MutexGuard<'_, Option<Vec<Arc<Waker>>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("End");
        out.field("closed", &self.closed).finish_non_exhaustive()
    }
}
