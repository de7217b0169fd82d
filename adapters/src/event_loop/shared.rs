//! [`Shared`]: the settings of a server, and what its workers have in common: the number of connections, and those that wait for room.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sanserve_core::Config;

use super::stopper::End;
use crate::layer::Layer;
use crate::server::complaint;

/// What the workers of a server share.
pub(super) struct Shared {
    pub(super) threads: usize,
    pub(super) connections_max: usize,
    /// The number of connections that are open.
    connections: AtomicUsize,
    lobby: Mutex<VecDeque<Accepted>>,
    /// The number of connections in the lobby.
    waiting: AtomicUsize,
    pub(super) layer: Box<LayerOf>,
    pub(super) log: Box<dyn Fn(&str) + Send + Sync>,
    pub(super) release_memory: fn(),
    pub(super) end: Arc<End>,
}

/// A connection that was accepted, and the address of its peer, if it has one.
pub(super) type Accepted = (TcpStream, Option<IpAddr>);

/// Makes the layer above a socket, such as TLS, if there is one.
pub(super) type LayerOf = dyn Fn() -> io::Result<Option<Box<dyn Layer>>> + Send + Sync;

impl Shared {
    /// What they share by default: no layer above the sockets, and no connection.
    pub(super) fn new(
        threads: usize,
        connections_max: usize,
        log: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Shared {
        Shared {
            threads,
            connections_max,
            connections: AtomicUsize::new(0),
            lobby: Mutex::default(),
            waiting: AtomicUsize::new(0),
            layer: Box::new(|| Ok(None)),
            log,
            release_memory: || (),
            end: Arc::default(),
        }
    }

    /// Counts one more connection, unless there are as many as there may be.
    pub(super) fn enter(&self) -> bool {
        let more = |count| (count < self.connections_max).then_some(count + 1);
        let order = Ordering::Relaxed;
        self.connections.fetch_update(order, order, more).is_ok()
    }

    /// Counts one connection less.
    pub(super) fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Adds a connection that has left its worker and is still counted; returns its number.
    pub(super) fn add_upgraded(&self, socket: Arc<TcpStream>) -> usize {
        let mut upgraded = self.end.upgraded();
        if self.is_cut() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        upgraded.insert(socket)
    }

    pub(super) fn remove_upgraded(&self, number: usize) {
        self.end.upgraded().remove(number);
    }

    /// Locks the connections that were accepted and have no place yet.
    pub(super) fn lobby(&self) -> MutexGuard<'_, VecDeque<Accepted>> {
        self.lobby.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether there are any, without locking the lobby.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Takes the one that has waited longest.
    pub(super) fn take_waiting(&self, lobby: &mut VecDeque<Accepted>) -> Option<Accepted> {
        let accepted = lobby.pop_front();
        self.waiting.store(lobby.len(), Ordering::Relaxed);
        accepted
    }

    /// Leaves a connection to the first worker that has room for it, or can make some.
    pub(super) fn wait_in_lobby(&self, accepted: Accepted) {
        let mut lobby = self.lobby();
        lobby.push_back(accepted);
        self.waiting.store(lobby.len(), Ordering::Relaxed);
        drop(lobby);
        if self.has_others() {
            self.end.wake();
        }
    }

    /// Closes the connections in the lobby.
    pub(super) fn clear_lobby(&self) {
        let mut lobby = self.lobby();
        lobby.clear();
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Returns whether there are other workers, which may have room or an idle connection.
    pub(super) fn has_others(&self) -> bool {
        self.threads > 1
    }

    /// Returns the number of connections of each worker if all have as many.
    pub(super) fn share(&self) -> usize {
        self.connections.load(Ordering::Relaxed) / self.threads
    }

    pub(super) fn layer(&self) -> io::Result<Option<Box<dyn Layer>>> {
        (self.layer)()
    }

    pub(super) fn log(&self) -> &dyn Fn(&str) {
        &self.log
    }

    pub(super) fn after_crowd(&self) {
        (self.release_memory)();
    }

    /// Logs how a connection ended, if a mistake on this side may be the cause.
    pub(super) fn complain(&self, peer: &TcpStream, config: &Config, served: &io::Result<()>) {
        if let Some(line) = complaint(|| peer.peer_addr().ok(), config, served) {
            (self.log)(&line);
        }
    }

    /// Returns whether no connection is accepted any more.
    pub(super) fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// Returns whether the connections that are left have to be closed.
    pub(super) fn is_cut(&self) -> bool {
        self.end.is_cut()
    }
}
