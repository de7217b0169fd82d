//! [`Seat`]: the place of a connection among those of a server, from which it can be evicted.

use std::future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sanserve_core::Phase;
use tokio::sync::Notify;

use crate::server::table::ConnectionTable;

/// The connections of a server.
#[derive(Default)]
pub(super) struct Seats {
    table: Mutex<ConnectionTable<Arc<Eviction>>>,
    /// A connection may be closed for the client that waits.
    pub(super) freed: Notify,
}

/// What is said to a connection that has to make room.
#[derive(Default)]
struct Eviction {
    is_due: AtomicBool,
    news: Notify,
}

impl Seats {
    pub(super) fn take(self: &Arc<Self>) -> Seat {
        let eviction = Arc::<Eviction>::default();
        let number = self.table().insert(Arc::clone(&eviction));
        Seat {
            seats: Arc::clone(self),
            number,
            eviction,
        }
    }

    /// Has a connection closed for the client that waits, and says whether one is on its way out.
    pub(super) fn evict(&self) -> bool {
        let mut table = self.table();
        table.is_wanted = true;
        table.evict(|idle| {
            idle.is_due.store(true, Ordering::Relaxed);
            idle.news.notify_one();
            true
        });
        table.evicts()
    }

    /// The client has its place.
    pub(super) fn settle(&self) {
        self.table().is_wanted = false;
    }

    fn table(&self) -> MutexGuard<'_, ConnectionTable<Arc<Eviction>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection, which is free again when this is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: usize,
    eviction: Arc<Eviction>,
}

impl Seat {
    pub(super) fn note(&self, phase: Phase) {
        // It has done something since it was asked to go, and is asked again if need be.
        self.eviction.is_due.store(false, Ordering::Relaxed);
        let makes_room = self.seats.table().note(self.number, phase);
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

/// Waits until this connection has to make room; without a seat it never has.
pub(super) async fn evicted(seat: Option<&Seat>) {
    let Some(seat) = seat else {
        return future::pending().await;
    };
    loop {
        seat.eviction.news.notified().await;
        if seat.eviction.is_due.load(Ordering::Relaxed) {
            return;
        }
    }
}
