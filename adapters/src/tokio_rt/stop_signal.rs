//! [`StopSignal`]: tells a connection that its current reply is to be the last one.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

/// The signal to one connection.
pub(super) enum StopSignal {
    /// From the caller of [`serve`](super::serve).
    Watched(watch::Receiver<bool>),
    /// From a server.
    Server {
        ending: Arc<Ending>,
        /// The number of the connection.
        number: usize,
        is_noticed: bool,
    },
}

impl StopSignal {
    /// Returns whether the signal was given.
    pub(super) fn is_given(&self) -> bool {
        match self {
            StopSignal::Watched(receiver) => *receiver.borrow(),
            StopSignal::Server { ending, .. } => ending.is_given.load(Ordering::Acquire),
        }
    }

    /// Waits until the signal is given. Ready only once.
    pub(super) async fn given(&mut self) {
        match self {
            StopSignal::Watched(receiver) => {
                if receiver.changed().await.is_err() {
                    pending::<()>().await;
                }
            }
            StopSignal::Server {
                is_noticed: true, ..
            } => pending().await,
            StopSignal::Server {
                ending,
                number,
                is_noticed,
            } => {
                // Created before the check, so that it is notified in any case.
                let notified = ending.shard(*number).notified();
                if !ending.is_given.load(Ordering::Acquire) {
                    notified.await;
                }
                *is_noticed = true;
            }
        }
    }
}

/// Tells all connections of a server to end, in a fixed order. A channel of tokio would wake them in a random one, so
/// that no simulation could be repeated.
#[derive(Default)]
pub(super) struct Ending {
    is_given: AtomicBool,
    /// Several, because connections that begin and end to wait at the same time would delay each other at one.
    shards: [Notify; 8],
}

impl Ending {
    /// Returns the signal to the connection with this number.
    pub(super) fn signal(self: &Arc<Self>, number: usize) -> StopSignal {
        StopSignal::Server {
            ending: Arc::clone(self),
            number,
            is_noticed: false,
        }
    }

    /// Gives the signal.
    pub(super) fn begin(&self) {
        self.is_given.store(true, Ordering::Release);
        self.shards.iter().for_each(Notify::notify_waiters);
    }

    fn shard(&self, number: usize) -> &Notify {
        &self.shards[number % self.shards.len()]
    }
}
