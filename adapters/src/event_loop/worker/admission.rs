//! Which connections a worker accepts, and which it closes to make room for them.
//!
//! A connection that was accepted and for which there is no room waits in the lobby, which all workers
//! share: whichever of them has room, or a connection that may be closed, takes it.

use std::io::{self, ErrorKind};
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use rustix::io::Errno;
use sanserve_core::{FileSystem, Handler, Phase};

use super::Worker;
use crate::event_loop::shared::Accepted;
use crate::server::PAUSE;

impl<'scope, 'env: 'scope, FS, H, M> Worker<'scope, 'env, FS, H, M>
where
    FS: FileSystem<File: Send + 'static> + Sync,
    H: Handler + 'env,
    M: Fn() -> H + Sync,
{
    /// Takes the connections that wait, as far as there is room or room can be made.
    pub(super) fn admit(&mut self) {
        let mut moment = self.admit.take();
        let again = self.admit_from_lobby(&mut moment);
        self.admit = match again {
            // Those that have not been accepted yet came later.
            Break(again) => Some(again),
            Continue(()) => self.admit_from_listeners(&mut moment),
        };
    }

    fn admit_from_lobby(&mut self, moment: &mut Option<Duration>) -> ControlFlow<Duration> {
        let shared = self.common.shared;
        while shared.has_waiting() {
            // The lobby is locked until there is room, so that not every worker makes some for one.
            let mut lobby = shared.lobby();
            if lobby.is_empty() {
                break;
            }
            self.make_room(moment)?;
            let accepted = shared.take_waiting(&mut lobby);
            drop(lobby);
            accepted.into_iter().for_each(|it| self.admit_one(it));
        }
        Continue(())
    }

    /// Accepts connections. Returns when to try again, unless something happens before.
    fn admit_from_listeners(&mut self, moment: &mut Option<Duration>) -> Option<Duration> {
        loop {
            let accepted = match self.accept(moment) {
                Ok(accepted) => accepted?,
                Err(again) => return Some(again),
            };
            if let Break(again) = self.make_room(moment) {
                self.common.shared.wait_in_lobby(accepted);
                return Some(again);
            }
            self.admit_one(accepted);
        }
    }

    /// Accepts a connection, if one waits, or returns when to try again. A worker that has more than
    /// its share leaves connections to the others, which were woken as well, for a moment.
    fn accept(&mut self, moment: &mut Option<Duration>) -> Result<Option<Accepted>, Duration> {
        let now = self.now.tick;
        while let Some(&door) = self.knocks.last() {
            if self.peers.len() > self.common.shared.share() + REBALANCE_SLACK {
                wait_once(moment, now)?;
            }
            match self.seat.doors[door].accept() {
                Ok(accepted) => return Ok(Some(accepted)),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    ErrorKind::WouldBlock => _ = self.knocks.pop(),
                    _ if is_out_of_descriptors(&error) && self.evict(Phase::Idle) => {}
                    // To ask again at once would not help.
                    _ => return Err(now + PAUSE),
                },
            }
        }
        Ok(None)
    }

    /// Takes a place for a connection. If there is none, the connection is closed that has been idle
    /// longest, or else the one whose head is the oldest that is not complete. If there are no such
    /// connections here, it returns when to try again.
    fn make_room(&mut self, moment: &mut Option<Duration>) -> ControlFlow<Duration> {
        let (now, shared) = (self.now.tick, self.common.shared);
        while !shared.enter() {
            if self.evict(Phase::Idle) {
                continue;
            }
            // Another worker may have an idle connection.
            if shared.has_others()
                && self.order.first().is_some()
                && let Err(again) = wait_once(moment, now)
            {
                return Break(again);
            }
            if !self.evict(Phase::Head) {
                return Break(now + PAUSE);
            }
        }
        Continue(())
    }

    fn admit_one(&mut self, (socket, address): Accepted) {
        if self.welcome(socket, address).is_err() {
            self.common.shared.leave();
        }
    }

    /// Closes the connection that is the first in the order of eviction, if it is in this phase.
    fn evict(&mut self, what: Phase) -> bool {
        while let Some((who, _)) = self.order.first().filter(|(_, phase)| *phase == what) {
            if self.peers[who].peer.is_evictable() {
                self.leave(who);
                return true;
            }
            // It is about to be woken, and returns to the order when what has come was served.
            self.peers[who].phase = Phase::Busy;
            self.order.note(who, Phase::Busy);
        }
        false
    }
}

/// Lets a moment pass, but not a second one; returns when it is over.
fn wait_once(moment: &mut Option<Duration>, now: Duration) -> Result<(), Duration> {
    let over = moment.take().unwrap_or(now + MOMENT);
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

/// How long a worker leaves to the others what they can do better.
const MOMENT: Duration = Duration::from_millis(1);
