//! [`ConnectionSlot`]: a connection's entry in the table of its server, by which it can be evicted; and
//! [`Signals`], which wake its task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use sanserve_core::Phase;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::server::table::ConnectionTable;

/// The connections of a server.
#[derive(Default)]
pub(super) struct Connections {
    table: Mutex<ConnectionTable<Arc<Signals>>>,
    /// Notified when a connection may be closed for the client that waits.
    pub(super) freed: Notify,
}

/// The signals to a waiting connection. They share one allocation, to keep idle connections small.
#[derive(Default)]
pub(super) struct Signals {
    /// Set when the connection has to make room.
    is_evicted: AtomicBool,
    /// Set when the handler's waker was called, until the handler is notified.
    is_woken: AtomicBool,
    notify: Notify,
}

impl Signals {
    /// Waits until this connection has to make room.
    pub(super) async fn evicted(&self) {
        while !self.is_evicted.load(Ordering::Acquire) {
            self.notify.notified().await;
        }
    }

    /// Lets this connection stay, because a request has arrived in the meantime.
    pub(super) fn keep(&self) {
        self.is_evicted.store(false, Ordering::Release);
    }

    /// Waits until the handler's waker is called.
    pub(super) async fn woken(&self) {
        while !self.is_woken.swap(false, Ordering::AcqRel) {
            self.notify.notified().await;
        }
    }
}

impl Wake for Signals {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.notify.notify_one();
    }
}

impl Connections {
    pub(super) fn add(self: &Arc<Self>) -> ConnectionSlot {
        let signals = Arc::<Signals>::default();
        let number = self.table().insert(Arc::clone(&signals));
        ConnectionSlot {
            connections: Arc::clone(self),
            number,
            signals,
        }
    }

    /// Closes a connection for the client that waits. Returns whether one is closing.
    pub(super) fn evict(&self, now: Instant) -> bool {
        let mut table = self.table();
        table.has_waiter = true;
        let now = now.into_std();
        table.evict(now, |signals| {
            signals.is_evicted.store(true, Ordering::Release);
            signals.notify.notify_one();
            true
        });
        table.is_evicting(now)
    }

    /// Records that the client has room.
    pub(super) fn waiter_has_room(&self) {
        self.table().has_waiter = false;
    }

    fn table(&self) -> MutexGuard<'_, ConnectionTable<Arc<Signals>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a connection, which is removed on drop.
pub(super) struct ConnectionSlot {
    connections: Arc<Connections>,
    pub(super) number: usize,
    pub(super) signals: Arc<Signals>,
}

impl ConnectionSlot {
    pub(super) fn set_phase(&self, phase: Phase) {
        // The connection was active after it was asked to close; it is asked again if necessary.
        self.signals.keep();
        let makes_room = self.connections.table().set_phase(self.number, phase);
        if makes_room {
            self.connections.freed.notify_one();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.table().remove(self.number);
    }
}
