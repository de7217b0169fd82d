//! [`Parked`]: what a connection comes down to while nothing is going on.

use alloc::sync::Arc;
use core::time::Duration;

use super::Connection;
use super::state::{Inbound, Pending, State};
use super::timeouts::DeliveryState;
use crate::engine::{Config, Handler, Timeouts};

/// A connection that waits for the first byte of a request, without its buffers, its configuration
/// and all that is about a request: what an adapter keeps that has thousands of them. A new one is
/// the same.
#[derive(Debug)]
pub struct Parked<H> {
    handler: H,
    since: Duration,
    delivery: DeliveryState,
    served: u32,
}

impl<H: Handler> Parked<H> {
    /// A connection that has just begun: `now` is on the scale of [`Now::tick`](crate::Now::tick).
    pub fn new(handler: H, now: Duration) -> Parked<H> {
        Parked {
            handler,
            since: now,
            delivery: DeliveryState::default(),
            served: 0,
        }
    }

    /// Returns the time at which this wait began.
    pub fn since(&self) -> Duration {
        self.since
    }

    /// The time after which the connection is to be closed, without a word.
    pub fn deadline(&self, timeouts: &Timeouts) -> Duration {
        self.since.saturating_add(timeouts.idle)
    }
}

impl<F, H: Handler> Connection<F, H> {
    /// The connection that this was, to be gone on with as soon as something has come, or the time
    /// is up. The other arguments are those of [`new`](Self::new).
    ///
    /// # Panics
    /// As [`new`](Self::new) does.
    pub fn unpark(config: impl Into<Arc<Config>>, peer: &str, parked: Parked<H>) -> Self {
        Connection {
            pending: Pending::Read,
            state: State::Head {
                since: parked.since,
            },
            delivery: parked.delivery,
            served: parked.served,
            ..Connection::new(config, peer, parked.handler)
        }
    }

    /// Whether it waits for the first byte of a request and has given back its buffers
    /// ([`Timeouts::park`]), or has had no request yet. Then [`rest`](Self::park) loses nothing.
    pub fn can_park(&self) -> bool {
        let waits = self.pending == Pending::Read && matches!(self.state, State::Head { .. });
        let spent =
            self.served == 0 || self.outbox.capacity().max(self.request.head.capacity()) == 0;
        waits
            && spent
            && self.inbox.is_empty()
            && self.inbound == Inbound::Open
            && self.closing.is_none()
    }

    /// What is left of it at rest.
    pub fn park(self) -> Parked<H> {
        let since = match self.state {
            State::Head { since } => since,
            _ => self.now.tick,
        };
        Parked {
            handler: self.handler,
            since,
            delivery: self.delivery,
            served: self.served,
        }
    }
}
