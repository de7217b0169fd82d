//! Decides which connections a worker accepts, and which it closes to make room for them.
//!
//! A connection that was accepted and finds no room waits in the backlog, which all workers share. The first
//! worker that has room, or a connection that may be closed, takes it.

use std::io::{self, ErrorKind};
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use rustix::io::Errno;
use sanserve_core::{FileSystem, Handler, Phase};

use super::Worker;
use crate::event_loop::system::{Accepted, System};
use crate::server::ACCEPT_BACKOFF;

impl<Y, FS, H, M> Worker<'_, Y, FS, H, M>
where
    Y: System,
    FS: FileSystem<File: Send + 'static>,
    H: Handler,
    M: Fn() -> H,
{
    /// Accepts connections as long as there is room, or room can be made.
    pub(super) fn admit(&mut self) {
        let mut yield_until = self.accept_at.take();
        let retry_at = self.admit_from_backlog(&mut yield_until);
        self.accept_at = match retry_at {
            // Connections that are not accepted yet arrived later than the backlog.
            Break(retry_at) => Some(retry_at),
            Continue(()) => self.admit_from_listeners(&mut yield_until),
        };
    }

    fn admit_from_backlog(&mut self, yield_until: &mut Option<Duration>) -> ControlFlow<Duration> {
        let shared = self.common.shared;
        while shared.has_backlog() {
            // The backlog stays locked until there is room, so that only one worker closes a connection for this one.
            let mut backlog = shared.backlog();
            if backlog.is_empty() {
                break;
            }
            self.make_room(yield_until)?;
            let accepted = shared.pop_backlog(&mut backlog);
            drop(backlog);
            accepted.into_iter().for_each(|it| self.admit_one(it));
        }
        Continue(())
    }

    /// Accepts connections. Returns when to try again if no event comes before.
    fn admit_from_listeners(&mut self, yield_until: &mut Option<Duration>) -> Option<Duration> {
        loop {
            let accepted = match self.accept(yield_until) {
                Ok(accepted) => accepted?,
                Err(retry_at) => return Some(retry_at),
            };
            if let Break(retry_at) = self.make_room(yield_until) {
                self.common.shared.push_backlog(accepted);
                return Some(retry_at);
            }
            self.admit_one(accepted);
        }
    }

    /// Accepts a connection, if one is waiting, or returns when to try again. A worker with more than its share
    /// briefly leaves connections to the other workers, which were woken as well.
    fn accept(
        &mut self,
        yield_until: &mut Option<Duration>,
    ) -> Result<Option<Accepted<Y::Socket>>, Duration> {
        let now = self.now.tick;
        while let Some(&listener) = self.ready_listeners.last() {
            if self.connections.len() > self.common.shared.fair_share() + REBALANCE_SLACK {
                wait_once(yield_until, now)?;
            }
            match self.system.accept(listener) {
                Ok(accepted) => return Ok(Some(accepted)),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    ErrorKind::WouldBlock => _ = self.ready_listeners.pop(),
                    _ if is_out_of_descriptors(&error) && self.evict(Phase::Idle) => {}
                    // Trying again immediately would not help.
                    _ => return Err(now + ACCEPT_BACKOFF),
                },
            }
        }
        Ok(None)
    }

    /// Reserves room for a connection. If there is none, closes the connection of this worker that has been idle
    /// longest, or else the one that has been in [`Phase::Head`] longest. If this worker has no such connection,
    /// returns when to try again.
    fn make_room(&mut self, yield_until: &mut Option<Duration>) -> ControlFlow<Duration> {
        let (now, shared) = (self.now.tick, self.common.shared);
        while !shared.try_acquire() {
            if self.evict(Phase::Idle) {
                continue;
            }
            // Another worker may have an idle connection.
            if shared.has_others()
                && self.eviction_order.first().is_some()
                && let Err(retry_at) = wait_once(yield_until, now)
            {
                return Break(retry_at);
            }
            if !self.evict(Phase::Head) {
                return Break(now + ACCEPT_BACKOFF);
            }
        }
        Continue(())
    }

    fn admit_one(&mut self, (socket, address): Accepted<Y::Socket>) {
        if self.open(socket, address).is_err() {
            self.common.shared.release();
        }
    }

    /// Closes the first connection in the order of eviction, if it is in this phase.
    fn evict(&mut self, phase: Phase) -> bool {
        while let Some((key, _)) = self.eviction_order.first().filter(|(_, its)| *its == phase) {
            if self.connections[key].driver.is_evictable() {
                self.close(key);
                return true;
            }
            // A request has just arrived. The connection returns to the order when that was served.
            self.connections[key].phase = Phase::Busy;
            self.eviction_order.set_phase(key, Phase::Busy);
        }
        false
    }
}

/// Returns `Err` with the end of a short wait the first time, and `Ok` once that time has passed.
fn wait_once(yield_until: &mut Option<Duration>, now: Duration) -> Result<(), Duration> {
    let over = yield_until.take().unwrap_or(now + YIELD_TIME);
    if over > now { Err(over) } else { Ok(()) }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let error = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE]
        .map(|it| Some(it.raw_os_error()))
        .contains(&error)
}

/// An imbalance up to this many connections is ignored.
const REBALANCE_SLACK: usize = 4;

/// How long a worker leaves connections to less busy ones.
const YIELD_TIME: Duration = Duration::from_millis(1);
