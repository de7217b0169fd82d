//! [`ConnectionTable`]: keeps the connections of a server that has a thread or task for each, and closes one of
//! them to make room for another client.

use std::time::{Duration, Instant};

use sanserve_core::Phase;
use slab::Slab;

use crate::eviction::EvictionOrder;

/// Connections by number, each with what is needed to close it.
#[derive(Debug)]
pub(crate) struct ConnectionTable<T> {
    connections: Slab<T>,
    order: EvictionOrder,
    /// When a connection was last asked to close.
    evicted: Option<Instant>,
    /// Whether a client waits for room.
    pub(crate) has_waiter: bool,
}

impl<T> Default for ConnectionTable<T> {
    fn default() -> Self {
        ConnectionTable {
            connections: Slab::new(),
            order: EvictionOrder::default(),
            evicted: None,
            has_waiter: false,
        }
    }
}

impl<T> ConnectionTable<T> {
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.connections.iter().map(|(_, connection)| connection)
    }

    /// Returns the connections that are not busy.
    pub(crate) fn iter_waiting(&self) -> impl Iterator<Item = &T> {
        let waiting = |it: &(usize, &T)| self.order.contains(it.0);
        let waiting = self.connections.iter().filter(waiting);
        waiting.map(|(_, connection)| connection)
    }

    /// Adds a connection; returns its number.
    pub(crate) fn insert(&mut self, connection: T) -> usize {
        self.connections.insert(connection)
    }

    /// Returns the connection with this number.
    pub(crate) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.connections.get_mut(number)
    }

    pub(crate) fn remove(&mut self, number: usize) {
        self.order.remove(number);
        self.connections.try_remove(number);
        self.evicted = None;
    }

    /// Sets the phase of a connection. Returns whether this may make room for the client that waits.
    pub(crate) fn set_phase(&mut self, number: usize, phase: Phase) -> bool {
        self.order.set_phase(number, phase);
        self.has_waiter && phase != Phase::Busy
    }

    /// Closes a connection to make room: `close` asks it to close, and returns false if the connection has
    /// received a request at this moment. Another one follows when this one has closed, or after a short time
    /// if it turns out to be busy.
    pub(crate) fn evict(&mut self, now: Instant, close: impl Fn(&T) -> bool) {
        while !self.is_evicting(now)
            && let Some((number, _)) = self.order.first()
        {
            // Until it reports its phase again.
            self.order.set_phase(number, Phase::Busy);
            if self.connections.get(number).is_some_and(&close) {
                self.evicted = Some(now);
            }
        }
    }

    /// Returns whether a connection that was asked to close is still waited for.
    pub(crate) fn is_evicting(&self, now: Instant) -> bool {
        self.evicted
            .is_some_and(|at| now.saturating_duration_since(at) < EVICTION_TIMEOUT)
    }
}

/// How long to wait for a connection that was asked to close, before another one is asked.
pub(crate) const EVICTION_TIMEOUT: Duration = Duration::from_millis(50);
