//! [`Shared`]: the settings of a server, and the state that its workers share: the number of connections, and
//! the backlog of those that wait for room.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanserve_core::Config;

use super::stopper::ShutdownState;
use super::system::{Accepted, Socket};
use crate::Recorder;
use crate::layer::Layer;
use crate::server::failure_line;

/// What the workers of a server share.
pub(super) struct Shared<S> {
    pub(super) threads: usize,
    pub(super) connections_max: usize,
    /// The number of connections that are open.
    connections: AtomicUsize,
    backlog: Mutex<VecDeque<Accepted<S>>>,
    /// The length of the backlog, to be read without its lock.
    backlog_len: AtomicUsize,
    /// When the file system last evicted its idle cache entries.
    evicted_at: Mutex<Option<Duration>>,
    pub(super) layer: Box<LayerOf<S>>,
    pub(super) log: Box<dyn Fn(&str) + Send + Sync>,
    pub(super) recorder: Option<Recorder>,
    pub(super) release_memory: fn(),
    pub(super) shutdown: Arc<ShutdownState<S>>,
}

/// Makes the layer above the socket of this peer, such as TLS, if there is one.
pub(super) type LayerOf<S> =
    dyn Fn(Option<IpAddr>) -> io::Result<Option<Box<dyn Layer<S>>>> + Send + Sync;

impl<S: Socket> Shared<S> {
    /// Creates the state of a server without connections, and without a layer above the sockets.
    pub(super) fn new(
        threads: usize,
        connections_max: usize,
        log: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Shared<S> {
        Shared {
            threads,
            connections_max,
            connections: AtomicUsize::new(0),
            backlog: Mutex::default(),
            backlog_len: AtomicUsize::new(0),
            evicted_at: Mutex::default(),
            layer: Box::new(|_| Ok(None)),
            log,
            recorder: None,
            release_memory: || (),
            shutdown: Arc::default(),
        }
    }

    /// Counts one more connection, unless the maximum is reached.
    pub(super) fn try_acquire(&self) -> bool {
        let more = |count| (count < self.connections_max).then_some(count + 1);
        let order = Ordering::Relaxed;
        self.connections.fetch_update(order, order, more).is_ok()
    }

    /// Counts one connection less.
    pub(super) fn release(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Adds a connection that has left its worker and still counts; returns its number.
    pub(super) fn add_upgraded(&self, socket: Arc<S>) -> usize {
        let mut upgraded = self.shutdown.upgraded();
        if self.is_aborted() {
            socket.abort();
        }
        upgraded.insert(socket)
    }

    pub(super) fn remove_upgraded(&self, number: usize) {
        self.shutdown.upgraded().remove(number);
    }

    /// Locks the backlog: the connections that were accepted and have no room yet.
    pub(super) fn backlog(&self) -> MutexGuard<'_, VecDeque<Accepted<S>>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the backlog has connections, without locking it.
    pub(super) fn has_backlog(&self) -> bool {
        self.backlog_len.load(Ordering::Relaxed) > 0
    }

    /// Takes the connection that has waited longest.
    pub(super) fn pop_backlog(&self, backlog: &mut VecDeque<Accepted<S>>) -> Option<Accepted<S>> {
        let accepted = backlog.pop_front();
        self.backlog_len.store(backlog.len(), Ordering::Relaxed);
        accepted
    }

    /// Adds a connection to the backlog, for the first worker that has room or can make some.
    pub(super) fn push_backlog(&self, accepted: Accepted<S>) {
        let mut backlog = self.backlog();
        backlog.push_back(accepted);
        self.backlog_len.store(backlog.len(), Ordering::Relaxed);
        drop(backlog);
        if self.has_others() {
            self.shutdown.wake();
        }
    }

    /// Closes all connections in the backlog.
    pub(super) fn clear_backlog(&self) {
        let mut backlog = self.backlog();
        backlog.clear();
        self.backlog_len.store(0, Ordering::Relaxed);
    }

    /// Returns whether there are other workers, which may have room or an idle connection.
    pub(super) fn has_others(&self) -> bool {
        self.threads > 1
    }

    /// Returns how many connections each worker would have if they were spread evenly.
    pub(super) fn fair_share(&self) -> usize {
        self.connections.load(Ordering::Relaxed) / self.threads
    }

    pub(super) fn layer(&self, peer: Option<IpAddr>) -> io::Result<Option<Box<dyn Layer<S>>>> {
        (self.layer)(peer)
    }

    pub(super) fn log(&self) -> &dyn Fn(&str) {
        &self.log
    }

    /// Returns whether a worker may have the file system evict idle cache entries now: the workers together do that once
    /// in an interval, as its caches count these calls.
    pub(super) fn begin_eviction(&self, now: Duration, interval: Duration) -> bool {
        let evicted_at = self.evicted_at.lock();
        let mut evicted_at = evicted_at.unwrap_or_else(PoisonError::into_inner);
        let is_due = evicted_at.is_none_or(|at| now.saturating_sub(at) >= interval);
        if is_due {
            *evicted_at = Some(now);
        }
        is_due
    }

    pub(super) fn trim_memory(&self) {
        (self.release_memory)();
    }

    /// Logs how a connection ended, if this side may have caused it.
    pub(super) fn log_failure(&self, peer: &S, config: &Config, result: &io::Result<()>) {
        if let Some(line) = failure_line(|| peer.peer_addr(), config, result) {
            (self.log)(&line);
        }
    }

    /// Returns whether the server has stopped accepting connections.
    pub(super) fn is_closed(&self) -> bool {
        self.shutdown.is_closed()
    }

    /// Returns whether the remaining connections have to be closed.
    pub(super) fn is_aborted(&self) -> bool {
        self.shutdown.is_aborted()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn the_workers_together_evict_once_in_an_interval() {
        let shared = Shared::<TcpStream>::new(2, 10, Box::new(|_| ()));
        let interval = Duration::from_secs(1);
        // Each of two workers asks every second, the second one half a second after the first.
        let asks = (10..20).map(|half| Duration::from_millis(500 * half));
        let evictions: Vec<_> = asks
            .filter(|at| shared.begin_eviction(*at, interval))
            .map(|at| at.as_millis())
            .collect();
        assert_eq!(evictions, [5000, 6000, 7000, 8000, 9000]);
        // Another worker may have read the clock before.
        assert!(!shared.begin_eviction(Duration::from_millis(8900), interval));
    }
}
