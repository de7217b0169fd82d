//! [`ConnectionTable`]: the connections of a server that has a thread or a task for each, and which of
//! them is closed when another client waits.

use std::time::{Duration, Instant};

use sanserve_core::Phase;
use slab::Slab;

use crate::eviction::EvictionOrder;

/// Connections by number, each with what can close it.
#[derive(Debug)]
pub(crate) struct ConnectionTable<T> {
    connections: Slab<T>,
    order: EvictionOrder,
    /// When one was last asked to close.
    evicted: Option<Instant>,
    /// A client waits for a place.
    pub(crate) is_wanted: bool,
}

impl<T> Default for ConnectionTable<T> {
    fn default() -> Self {
        ConnectionTable {
            connections: Slab::new(),
            order: EvictionOrder::default(),
            evicted: None,
            is_wanted: false,
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

    /// Adds a connection; returns its number.
    pub(crate) fn insert(&mut self, connection: T) -> usize {
        self.connections.insert(connection)
    }

    /// The connection of this number.
    pub(crate) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.connections.get_mut(number)
    }

    pub(crate) fn remove(&mut self, number: usize) {
        self.order.remove(number);
        self.connections.try_remove(number);
        self.evicted = None;
    }

    /// Takes note of what a connection does from now on. Returns whether the client that waits for a
    /// place may get it by this.
    pub(crate) fn note(&mut self, number: usize, phase: Phase) -> bool {
        self.order.set_phase(number, phase);
        self.is_wanted && phase != Phase::Busy
    }

    /// Has a connection closed to make room. `close` returns whether that may be: the connection may
    /// have been given something to do at this moment. The next one follows when this one has gone, or
    /// after a moment if it turns out to be busy.
    pub(crate) fn evict(&mut self, close: impl Fn(&T) -> bool) {
        while !self.evicts()
            && let Some((number, _)) = self.order.first()
        {
            // Until it tells what it does.
            self.order.set_phase(number, Phase::Busy);
            if self.connections.get(number).is_some_and(&close) {
                self.evicted = Some(Instant::now());
            }
        }
    }

    /// Whether one that was asked to close is still waited for.
    pub(crate) fn evicts(&self) -> bool {
        self.evicted.is_some_and(|at| at.elapsed() < EVICTION_TIME)
    }
}

/// How long a connection that was asked to close is waited for before another one is asked.
pub(crate) const EVICTION_TIME: Duration = Duration::from_millis(50);
