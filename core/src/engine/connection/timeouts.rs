//! What happens when nothing happens: the deadline of each wait, and the move when it has passed.
//!
//! Deadlines are worked out anew at every step and stored nowhere, so that none can be out of date.

use alloc::string::String;
use core::mem;
use core::time::Duration;

use super::Connection;
use super::state::{Pending, State};
use crate::engine::{Event, Handler, Now, Timeouts};

/// Bytes moved since some moment: what the least rate is measured by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    since: Duration,
    moved: u64,
    /// When something was moved last.
    last: Duration,
}

/// Counts `n` bytes in a flow, if it has begun.
pub(super) fn count(flow: &mut Option<Flow>, n: usize, now: Duration) {
    if let Some(flow) = flow {
        (flow.moved, flow.last) = (flow.moved + n as u64, now);
    }
}

/// When a flow, which begins now if it has not begun, is too slow. To have been quick for a while
/// buys no right to stand still.
fn rate_deadline(flow: &mut Option<Flow>, now: Duration, timeouts: &Timeouts) -> Duration {
    let Flow { since, moved, last } = *flow.get_or_insert(Flow {
        since: now,
        moved: 0,
        last: now,
    });
    let earned = Duration::from_secs(moved / u64::from(timeouts.rate.max(1)));
    (since + earned).min(last).saturating_add(timeouts.grace)
}

/// How long `bytes` take at this rate.
fn time_for(bytes: u64, rate: u32) -> Duration {
    let rate = u64::from(rate.max(1));
    let (seconds, rest) = (bytes / rate, bytes % rate);
    Duration::new(seconds, (rest * 1_000_000_000 / rate) as u32)
}

/// What the peer has taken of all that was written, as far as the adapter can say. It holds for the connection and not for
/// a reply: the system keeps several replies at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DeliveryState {
    written: u64,
    acknowledged: u64,
    /// Until when the acknowledged bytes let the peer be silent.
    until: Duration,
}

impl DeliveryState {
    /// Counts bytes that were written.
    pub(super) fn count_written(&mut self, n: usize) {
        self.written += n as u64;
    }

    /// Takes note of what the system says; returns how many bytes were acknowledged since the last time.
    fn update(&mut self, delivery: Delivery) -> u64 {
        let estimate = || self.written.saturating_sub(delivery.outstanding);
        let acknowledged = delivery.acknowledged.unwrap_or_else(estimate);
        let before = mem::replace(&mut self.acknowledged, acknowledged);
        acknowledged.saturating_sub(before)
    }
}

/// What the system of an adapter knows of the bytes that were written to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "adapters write it as a literal")]
pub struct Delivery {
    /// How many bytes the peer's system has acknowledged since the connection began: on Linux `tcpi_bytes_acked`. If
    /// the system does not say, what was written counts, without what is outstanding.
    pub acknowledged: Option<u64>,
    /// How many bytes the peer's system has still to acknowledge: on Linux `SIOCOUTQ`. 0 for a pipe and for a Unix
    /// socket, where what was written is in the buffer that the peer reads from.
    pub outstanding: u64,
}

impl<F, H: Handler> Connection<F, H> {
    /// Returns whether by `now` something should have been taken by the peer, or whether the connection is about
    /// to be closed. An adapter whose system knows what the peer has acknowledged asks it then, and only
    /// then, and calls [`delivered`](Self::delivered) before the next step. Without that what was written counts as
    /// taken.
    pub fn is_overdue(&mut self, now: Now) -> bool {
        let Timeouts { idle, linger, .. } = self.config.timeouts;
        let by = match (self.pending, &self.state) {
            (Pending::Write | Pending::Copy, _) => self.reader_deadline(),
            (Pending::Read, State::Linger { since, .. }) => since.saturating_add(linger),
            (Pending::Read, State::Head { since }) if self.inbox.is_empty() => {
                since.saturating_add(idle)
            }
            _ => return false,
        };
        by <= now.tick
    }

    /// Takes note of what the peer's system has acknowledged. What it has acknowledged since the last call is progress,
    /// although nothing could be written: a socket may hold megabytes, and takes no more before a third of them
    /// has gone.
    ///
    /// Each second needs [`rate`](crate::Timeouts::rate) acknowledged bytes, and up to
    /// [`receive_buffer`](crate::Timeouts::receive_buffer) of them count in advance: the program of the peer may not
    /// have read them yet, and until it has, its system acknowledges nothing more. A connection that is idle, or
    /// about to be closed, stays while this goes on, because to close it could cut off what is left. An idle one needs
    /// some progress in each [`idle`](crate::Timeouts::idle) also while bytes count in advance.
    pub fn delivered(&mut self, now: Now, delivery: Delivery) {
        let acknowledged = self.delivery.update(delivery);
        let Timeouts {
            grace,
            rate,
            receive_buffer,
            ..
        } = self.config.timeouts;
        let silence = grace.saturating_add(time_for(receive_buffer.into(), rate));
        let by = match self.state {
            // The flow of the last reply stands still here: it would count for as long as the connection is idle.
            State::Head { since } => since.max(self.delivery.until),
            _ => self.reader_deadline(),
        };
        let earned = by.saturating_add(time_for(acknowledged, rate));
        self.delivery.until = earned.min(now.tick.saturating_add(silence));
        let goes_on = delivery.outstanding > 0 && self.delivery.until > now.tick;
        match &mut self.state {
            State::Linger { since, late } if goes_on => (*late, *since) = (true, now.tick),
            State::Head { since } if goes_on && acknowledged > 0 => *since = now.tick,
            _ => {}
        }
    }

    /// Until when the peer has to take something.
    fn reader_deadline(&mut self) -> Duration {
        let timeouts = &self.config.timeouts;
        rate_deadline(&mut self.sending, self.now.tick, timeouts).max(self.delivery.until)
    }

    /// Stops the clock of each flow that was not waited for during the last `time`, and of the next
    /// request while an earlier reply is taken.
    pub(super) fn pause(&mut self, time: Duration) {
        let read = self.pending == Pending::Read;
        if let State::Head { since } = &mut self.state
            && !read
        {
            *since += time;
        }
        // The time that the peer takes does not count against the file or program.
        let is_open = matches!(
            self.state,
            State::Send(_) | State::Read | State::Feed(_) | State::WriteFile(_) | State::Commit
        );
        if is_open
            && !matches!(
                self.pending,
                Pending::ReadFile | Pending::WriteFile | Pending::Commit
            )
        {
            self.peer_closed = self.peer_closed.map(|at| at + time);
            if let Some(source) = &mut self.source {
                source.pause(time);
            }
        }
        let lingers = matches!(self.state, State::Linger { .. });
        let write = lingers || matches!(self.pending, Pending::Write | Pending::Copy);
        for (flow, runs) in [(&mut self.receiving, read), (&mut self.sending, write)] {
            if let Some(flow) = flow.as_mut().filter(|_| !runs) {
                (flow.since, flow.last) = (flow.since + time, flow.last + time);
            }
        }
    }

    /// Until when the pending want makes sense.
    pub(super) fn deadline(&mut self) -> Option<Duration> {
        let timeouts = &self.config.timeouts;
        let (since, waits) = match (self.pending, &self.state) {
            (Pending::Read, State::Head { since }) if !self.inbox.is_empty() => {
                (*since, timeouts.head)
            }
            (Pending::Read, State::Head { since }) if self.is_released() => (*since, timeouts.idle),
            (Pending::Read, State::Head { since }) => (*since, timeouts.park.min(timeouts.idle)),
            (Pending::Read, State::Linger { since, .. }) => (*since, timeouts.linger),
            (Pending::Ask, State::Ask { since, .. }) => {
                return self.earliest(since.saturating_add(timeouts.ask));
            }
            (Pending::ReadFile, _) => {
                let silent = self.source_wait_began().saturating_add(timeouts.ask);
                return self.earliest(silent);
            }
            (Pending::Wait, State::Wait { until }) => return self.earliest(*until),
            (Pending::WriteFile | Pending::Commit, _) => (self.source_wait_began(), timeouts.ask),
            (Pending::Read, _) => {
                return Some(rate_deadline(&mut self.receiving, self.now.tick, timeouts));
            }
            (Pending::Write | Pending::Copy, _) => return Some(self.reader_deadline()),
            _ => return None,
        };
        Some(since.saturating_add(waits))
    }

    /// This deadline, or an earlier one because the peer has closed its side or because work takes too long in all.
    fn earliest(&self, deadline: Duration) -> Option<Duration> {
        let deadline = self
            .half_close_deadline()
            .map_or(deadline, |end| end.min(deadline));
        Some(
            self.work_deadline()
                .map_or(deadline, |end| end.min(deadline)),
        )
    }

    /// Since when the open file or program is waited for.
    fn source_wait_began(&self) -> Duration {
        self.source
            .as_ref()
            .map_or(self.now.tick, |source| source.since)
    }

    /// The deadline of the pending want has passed.
    #[cold]
    pub(super) fn expire(&mut self) {
        match (self.pending, &self.state) {
            (Pending::Read, State::Head { .. }) if self.inbox.is_empty() && !self.is_released() => {
                self.release();
            }
            (Pending::Read, State::Head { .. }) if self.inbox_is_blank() => {
                self.state = State::Closed;
            }
            (Pending::Read, State::Head { .. }) => self.time_out_head(),
            (Pending::Read, State::Linger { .. }) => self.state = State::Closed,
            // The reply may not be with the peer yet.
            (Pending::Read, State::Drain(_)) => self.state = State::Closing,
            (Pending::Ask | Pending::ReadFile | Pending::Wait, _)
                if self
                    .half_close_deadline()
                    .is_some_and(|at| at <= self.now.tick) =>
            {
                _ = self.abandon(
                    504,
                    &"The client closed its side, and nothing was written for too long",
                );
            }
            (Pending::Wait, _) => {
                self.state = State::InTransition;
                _ = self.resume(Event::TimedOut);
            }
            (Pending::Ask | Pending::WriteFile | Pending::Commit, _) => {
                _ = self.abandon(504, &"The file system takes too long");
            }
            (Pending::ReadFile, _) => _ = self.abandon(504, &"Reading the file takes too long"),
            (Pending::Read, _) => _ = self.abandon(408, &"The content arrives too slowly"),
            _ => {
                self.log_failure(&"The client reads the reply too slowly");
                // Before what was not taken is thrown away.
                self.log_reply(false);
                self.outbox.consume(self.outbox.len());
                self.reply.sent(usize::MAX);
                _ = self.go(State::Closed);
            }
        }
    }

    /// When a program that stays silent is ended because the peer has closed its side.
    fn half_close_deadline(&self) -> Option<Duration> {
        let closed = self.peer_closed.filter(|_| self.awaits_work());
        closed.map(|at| at.saturating_add(self.config.timeouts.half_closed))
    }

    /// Gives memory back while nothing is going on.
    #[cold]
    fn release(&mut self) {
        self.inbox.release();
        self.outbox.release();
        self.request.head.release();
        self.log = String::new();
        self.failure = String::new();
    }

    /// Whether there is nothing to give back.
    pub(super) fn is_released(&self) -> bool {
        self.inbox
            .capacity()
            .max(self.outbox.capacity())
            .max(self.request.head.capacity())
            == 0
    }
}
