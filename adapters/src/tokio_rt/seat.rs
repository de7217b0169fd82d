//! [`Seat`]: the place of a connection among those of a server, from which it can be evicted; and [`Signals`], by which others
//! reach its task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use sanserve_core::Phase;
use tokio::sync::Notify;

use crate::server::table::ConnectionTable;

/// The connections of a server.
#[derive(Default)]
pub(super) struct Seats {
    table: Mutex<ConnectionTable<Arc<Signals>>>,
    /// A connection may be closed for the client that waits.
    pub(super) freed: Notify,
}

/// What a connection is notified of while it waits. Both are in one allocation: an idle connection is to be small.
#[derive(Default)]
pub(super) struct Signals {
    /// It has to make room.
    is_evicted: AtomicBool,
    /// The waker of its handler was woken since the handler was last told.
    is_woken: AtomicBool,
    news: Notify,
}

impl Signals {
    /// Waits until this connection has to make room.
    pub(super) async fn evicted(&self) {
        while !self.is_evicted.load(Ordering::Acquire) {
            self.news.notified().await;
        }
    }

    /// Waits until the handler is woken.
    pub(super) async fn woken(&self) {
        while !self.is_woken.swap(false, Ordering::AcqRel) {
            self.news.notified().await;
        }
    }
}

impl Wake for Signals {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.news.notify_one();
    }
}

impl Seats {
    pub(super) fn take(self: &Arc<Self>) -> Seat {
        let signals = Arc::<Signals>::default();
        let number = self.table().insert(Arc::clone(&signals));
        Seat {
            seats: Arc::clone(self),
            number,
            signals,
        }
    }

    /// Has a connection closed for the client that waits, and says whether one is on its way out.
    pub(super) fn evict(&self) -> bool {
        let mut table = self.table();
        table.has_waiter = true;
        table.evict(|idle| {
            idle.is_evicted.store(true, Ordering::Release);
            idle.news.notify_one();
            true
        });
        table.is_evicting()
    }

    /// The client has its place.
    pub(super) fn settle(&self) {
        self.table().has_waiter = false;
    }

    fn table(&self) -> MutexGuard<'_, ConnectionTable<Arc<Signals>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection, which is free again when this is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: usize,
    pub(super) signals: Arc<Signals>,
}

impl Seat {
    pub(super) fn note(&self, phase: Phase) {
        // It has done something since it was asked to go, and is asked again if need be.
        self.signals.is_evicted.store(false, Ordering::Release);
        let makes_room = self.seats.table().set_phase(self.number, phase);
        if makes_room {
            self.seats.freed.notify_one();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.table().remove(self.number);
    }
}
