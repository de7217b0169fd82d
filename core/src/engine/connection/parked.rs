//! [`Parked`]: an idle connection without its buffers. A [`Connection`] is reduced to it and made from it again.

use core::time::Duration;

use super::Connection;
use super::state::{Inbound, Pending, State};
use super::timeouts::DeliveryState;
use crate::engine::{Config, Handler, Timeouts};
use crate::sync::Arc;

/// An idle connection, reduced to its handler and a few numbers. An adapter with thousands of idle connections keeps
/// these instead of whole [`Connection`]s, and [unparks](Connection::unpark) one when its transport becomes readable.
#[derive(Debug)]
pub struct Parked<H> {
    handler: H,
    since: Duration,
    delivery: DeliveryState,
    served: u32,
}

impl<H: Handler> Parked<H> {
    /// Returns a connection that has just been accepted. `now` is on the scale of [`Now::tick`](crate::Now::tick).
    pub fn new(handler: H, now: Duration) -> Parked<H> {
        Parked {
            handler,
            since: now,
            delivery: DeliveryState::default(),
            served: 0,
        }
    }

    /// Returns the time since when the connection has been idle.
    pub fn since(&self) -> Duration {
        self.since
    }

    /// Returns the time at which to close the connection, without a reply.
    pub fn deadline(&self, timeouts: &Timeouts) -> Duration {
        self.since.saturating_add(timeouts.idle)
    }
}

impl<F, H: Handler> Connection<F, H> {
    /// Turns a parked connection into a whole one again, when its transport is readable or its deadline has passed. The
    /// other arguments are those of [`new`](Self::new).
    ///
    /// # Panics
    /// As [`new`](Self::new).
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

    /// Returns whether the connection is idle and has freed its buffers ([`Timeouts::park`]), or has had no request
    /// yet. If so, [`park`](Self::park) loses nothing.
    pub fn can_park(&self) -> bool {
        let waits = self.pending == Pending::Read && matches!(self.state, State::Head { .. });
        let is_released =
            self.served == 0 || self.outbox.capacity().max(self.request.head.capacity()) == 0;
        waits
            && is_released
            && self.inbox.is_empty()
            && self.inbound == Inbound::Open
            && self.closing.is_none()
    }

    /// Reduces an idle connection to a [`Parked`] one, if it [can be](Self::can_park). Otherwise buffered bytes are
    /// lost.
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
