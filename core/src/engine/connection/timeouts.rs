//! Determines the deadline of each wait, and ends the wait when it has passed. Also measures the transfer rates that
//! some deadlines depend on.
//!
//! Deadlines are computed at every step and never stored, so that none can be out of date.

use alloc::string::String;
use core::mem;
use core::time::Duration;

use super::Connection;
use super::state::{Pending, State};
use crate::engine::{Event, Handler, Now, Timeouts};

/// The bytes transferred in one direction since some time, from which the transfer rate is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    since: Duration,
    moved: u64,
    /// The time of the last transfer.
    last: Duration,
}

/// Counts `n` transferred bytes, if the flow has begun.
pub(super) fn count(flow: &mut Option<Flow>, n: usize, now: Duration) {
    if let Some(flow) = flow {
        (flow.moved, flow.last) = (flow.moved + n as u64, now);
    }
}

/// Returns the time at which a flow will be too slow if nothing is transferred. The flow begins now if it has not
/// begun. Bytes that were transferred quickly do not allow a longer pause than [`Timeouts::grace`].
fn rate_deadline(flow: &mut Option<Flow>, now: Duration, timeouts: &Timeouts) -> Duration {
    let Flow { since, moved, last } = *flow.get_or_insert(Flow {
        since: now,
        moved: 0,
        last: now,
    });
    let earned = Duration::from_secs(moved / u64::from(timeouts.rate.max(1)));
    (since + earned).min(last).saturating_add(timeouts.grace)
}

/// Returns the time that `bytes` take at this rate.
fn time_for(bytes: u64, rate: u32) -> Duration {
    let rate = u64::from(rate.max(1));
    let (seconds, rest) = (bytes / rate, bytes % rate);
    Duration::new(seconds, (rest * 1_000_000_000 / rate) as u32)
}

/// The bytes that the peer has acknowledged, as far as the adapter reports it. Counted for the connection rather than
/// for each reply, as the system buffers several replies at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DeliveryState {
    written: u64,
    acknowledged: u64,
    /// Until when the acknowledged bytes allow the peer to be silent.
    until: Duration,
}

impl DeliveryState {
    /// Counts bytes that were written.
    pub(super) fn count_written(&mut self, n: usize) {
        self.written += n as u64;
    }

    /// Stores the number of acknowledged bytes, and returns how many are new.
    fn update(&mut self, delivery: Delivery) -> u64 {
        let estimate = || self.written.saturating_sub(delivery.outstanding);
        let acknowledged = delivery.acknowledged.unwrap_or_else(estimate);
        let before = mem::replace(&mut self.acknowledged, acknowledged);
        acknowledged.saturating_sub(before)
    }
}

/// The delivery of the bytes that were written to a connection, as the adapter's system knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "adapters write it as a literal")]
pub struct Delivery {
    /// The number of bytes that the peer's system has acknowledged since the connection began: `tcpi_bytes_acked` on
    /// Linux. If `None`, it is computed as the written bytes minus the outstanding ones.
    pub acknowledged: Option<u64>,
    /// The number of written bytes that the peer's system has not acknowledged yet: `SIOCOUTQ` on Linux. 0 for a pipe
    /// or a Unix socket, where written bytes are already in the buffer from which the peer reads.
    pub outstanding: u64,
}

impl<F, H: Handler> Connection<F, H> {
    /// Returns whether the peer should have read something by `now`, or the connection is about to be closed. If so, an
    /// adapter whose system knows what the peer has acknowledged calls [`delivered`](Self::delivered) before the next
    /// step. Otherwise bytes count as received once they have been written.
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

    /// Notes how many bytes the peer's system has acknowledged. Newly acknowledged bytes count as progress although
    /// nothing could be written: a socket may buffer megabytes, and accepts no more until a third of them has been
    /// sent.
    ///
    /// Each second requires [`rate`](crate::Timeouts::rate) acknowledged bytes. Up to
    /// [`receive_buffer`](crate::Timeouts::receive_buffer) bytes count in advance: the peer may not have read them yet,
    /// and until it has, its system acknowledges nothing more. An idle connection, or one about to be closed, stays
    /// open while there is progress, because closing it could cut off the rest of a reply. An idle one needs some
    /// progress in each [`idle`](crate::Timeouts::idle) period even while bytes count in advance.
    pub fn delivered(&mut self, now: Now, delivery: Delivery) {
        let acknowledged = self.delivery.update(delivery);
        let Timeouts {
            grace,
            rate,
            receive_buffer,
            ..
        } = self.config.timeouts;
        let silence = grace.saturating_add(time_for(receive_buffer.into(), rate));
        let is_idle = self.pending == Pending::Read;
        let by = match self.state {
            // The flow of the last reply is paused here, and would still count after any idle time.
            State::Head { since } if is_idle => since.max(self.delivery.until),
            _ => self.reader_deadline(),
        };
        let earned = by.saturating_add(time_for(acknowledged, rate));
        self.delivery.until = earned.min(now.tick.saturating_add(silence));
        let is_progressing = delivery.outstanding > 0 && self.delivery.until > now.tick;
        match &mut self.state {
            State::Linger { since, late } if is_progressing => (*late, *since) = (true, now.tick),
            State::Head { since } if is_idle && is_progressing && acknowledged > 0 => {
                *since = now.tick;
            }
            _ => {}
        }
    }

    /// Returns the time by which the peer has to read something.
    fn reader_deadline(&mut self) -> Duration {
        let timeouts = &self.config.timeouts;
        rate_deadline(&mut self.sending, self.now.tick, timeouts).max(self.delivery.until)
    }

    /// Excludes the last `time` from all waits but the one that was pending: from the flows of the other directions,
    /// from the next request while an earlier reply is sent, and from the source while the peer is waited for.
    pub(super) fn pause(&mut self, time: Duration) {
        let read = self.pending == Pending::Read;
        if let State::Head { since } = &mut self.state
            && !read
        {
            *since += time;
        }
        // The time that the peer takes does not count against the file or process.
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
            self.peer_closed = self.peer_closed.map(|at| at.saturating_add(time));
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

    /// Returns the deadline of the pending want.
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

    /// Returns this deadline, or an earlier one if the peer has closed its side or the work takes too long in total.
    fn earliest(&self, deadline: Duration) -> Option<Duration> {
        let deadline = self
            .half_close_deadline()
            .map_or(deadline, |end| end.min(deadline));
        Some(
            self.work_deadline()
                .map_or(deadline, |end| end.min(deadline)),
        )
    }

    /// Returns when the current wait for the open file or process began.
    fn source_wait_began(&self) -> Duration {
        self.source
            .as_ref()
            .map_or(self.now.tick, |source| source.since)
    }

    /// Handles the deadline of the pending want.
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
            // The peer may not have received the reply yet.
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
                self.handler.release();
                self.log_failure(&"The client reads the reply too slowly");
                // Logged first: the unsent bytes in the outbox do not count as sent.
                self.log_reply(false);
                self.outbox.consume(self.outbox.len());
                self.reply.sent(usize::MAX);
                _ = self.go(State::Closed);
            }
        }
    }

    /// Returns the time at which work without output is ended because the peer has closed its side.
    fn half_close_deadline(&self) -> Option<Duration> {
        let closed = self.peer_closed.filter(|_| self.awaits_work());
        closed.map(|at| at.saturating_add(self.config.timeouts.half_closed))
    }

    /// Frees the buffers of an idle connection.
    #[cold]
    fn release(&mut self) {
        self.inbox.release();
        self.outbox.release();
        self.request.head.release();
        self.handler.release();
        self.log = String::new();
        self.failure = String::new();
    }

    /// Returns whether the buffers have been freed.
    pub(super) fn is_released(&self) -> bool {
        self.inbox
            .capacity()
            .max(self.outbox.capacity())
            .max(self.request.head.capacity())
            == 0
    }
}
