//! [`Stopper`]: stops a server from another thread; and the state by which its workers notice.

use std::fmt;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use slab::Slab;

use super::system::Socket;

/// Stops a server. It can be cloned, and may outlive the server.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<ShutdownState<TcpStream>>);

impl Stopper {
    pub(super) fn new(state: &Arc<ShutdownState<TcpStream>>) -> Stopper {
        Stopper(Arc::clone(state))
    }

    /// Stops accepting connections, closes idle ones, waits up to `grace` for replies in progress, and closes
    /// the remaining connections then. It returns when no connection is left or when the grace period is over.
    /// So does `serve_forever`, except that it waits for a call of the file system or of a handler that has not
    /// returned.
    ///
    /// This function blocks, so a thread that serves must not call it. It may be called again with a shorter or
    /// longer grace period: the shortest one counts.
    pub fn shutdown(&self, grace: Duration) {
        self.0.close();
        let running = |wakers: &mut Option<Vec<Waker>>| wakers.is_some();
        let waited = self
            .0
            .workers_ended
            .wait_timeout_while(self.0.wakers(), grace, running);
        drop(waited);
        self.0.abort();
    }
}

/// Whether and how a server is stopping.
pub(super) struct ShutdownState<S> {
    /// No more connections are accepted.
    closed: AtomicBool,
    /// The remaining connections have to be closed.
    aborted: AtomicBool,
    /// The wakers of the workers, as long as there are any.
    wakers: Mutex<Option<Vec<Waker>>>,
    /// The connections that have left their workers.
    upgraded: Mutex<Slab<Arc<S>>>,
    /// Notified when all workers have ended.
    workers_ended: Condvar,
}

impl<S> Default for ShutdownState<S> {
    fn default() -> ShutdownState<S> {
        ShutdownState {
            closed: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            wakers: Mutex::default(),
            upgraded: Mutex::default(),
            workers_ended: Condvar::new(),
        }
    }
}

impl<S: Socket> ShutdownState<S> {
    /// Registers the workers.
    pub(super) fn start(&self, wakers: Vec<Waker>) {
        *self.wakers() = Some(wakers);
        // The server may have been stopped before there was a worker to wake.
        if self.closed.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Stops accepting connections.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Closes the remaining connections.
    pub(super) fn abort(&self) {
        let upgraded = self.upgraded();
        self.aborted.store(true, Ordering::Relaxed);
        for (_, socket) in upgraded.iter() {
            socket.abort();
        }
        drop(upgraded);
        self.wake();
    }

    pub(super) fn upgraded(&self) -> MutexGuard<'_, Slab<Arc<S>>> {
        self.upgraded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all workers.
    pub(super) fn wake(&self) {
        for waker in self.wakers().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// Takes note that all workers have ended.
    pub(super) fn finished(&self) {
        *self.wakers() = None;
        self.workers_ended.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    fn wakers(&self) -> MutexGuard<'_, Option<Vec<Waker>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> fmt::Debug for ShutdownState<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("ShutdownState");
        out.field("closed", &self.closed).finish_non_exhaustive()
    }
}
