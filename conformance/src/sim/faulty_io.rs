//! [`FaultyIo`]: performs what a connection wants, with faults. This file has the transport; `faulty_fs` has files and CGI
//! processes.

use std::time::Duration;

use sanserve_core::{FileSystem, Got, Want};

use super::conversation::Conversation;
use super::fault_plan::FaultPlan;
use super::faults::FaultClass;
use super::peer::Peer;
use super::reader::ReplyEnd;
use super::tracked_handle::{HandleCount, TrackedHandle};
use super::transcript::Transcript;

/// Performs one want of a connection.
pub(super) struct FaultyIo<'a> {
    pub(super) now: Duration,
    pub(super) deadline: Duration,
    pub(super) peer: &'a mut Peer,
    pub(super) plan: &'a mut FaultPlan,
    pub(super) conversation: &'a mut Conversation,
    pub(super) handles: &'a HandleCount,
    pub(super) failed: &'a mut bool,
    pub(super) transcript: &'a mut Option<Transcript>,
    /// The number of the request that is being answered, from 0.
    pub(super) request: usize,
    /// The peer will send nothing more, so a deadline that passes now is not a fault.
    pub(super) silent: bool,
}

/// The time of an answer, and the answer.
pub(super) type TimedAnswer<F> = (Duration, Got<TrackedHandle<F>>);

impl FaultyIo<'_> {
    pub(super) fn perform<S: FileSystem>(
        &mut self,
        want: Want<'_, TrackedHandle<S::File>>,
        fs: &S,
    ) -> TimedAnswer<S::File> {
        match want {
            Want::Log(lines) => {
                self.conversation.log.push_str(lines);
                (self.now, Got::Nothing)
            }
            Want::Close => {
                self.conversation.counts.open_at_close = self.handles.get();
                self.conversation.counts.closed = true;
                (self.now, Got::Nothing)
            }
            Want::Shutdown => {
                let counts = &mut self.conversation.counts;
                counts.open_after_reply = counts.open_after_reply.max(self.handles.get());
                counts.shutdown = true;
                self.use_transport();
                (self.now, Got::Nothing)
            }
            Want::Read(into) => self.read(into),
            Want::Write(from) => self.write(from),
            Want::Copy { file, at, len } => self.copy(file, at, len, fs),
            Want::ReadFile { file, at, into } => self.read_file(file, at, into, fs),
            Want::WriteFile { file, from } => self.write_file(file, from, fs),
            Want::Commit { file } => self.commit(file, fs),
            Want::Wait => self.wait(),
            // The driver takes the transport.
            Want::Upgrade => (self.now, Got::Nothing),
            Want::Ask(ask) => self.answer(ask, fs),
        }
    }

    /// Adds bytes that were read to the transcript.
    pub(super) fn record_bytes(&mut self, bytes: &[u8]) {
        if let Some(transcript) = self.transcript {
            transcript.bytes(bytes);
        }
    }

    fn use_transport(&mut self) {
        self.conversation.counts.uses_after_failure += u64::from(*self.failed);
    }

    pub(super) fn fail<F>(&mut self) -> TimedAnswer<F> {
        *self.failed = true;
        self.conversation.disruptions.reset = true;
        (self.now, Got::Failed)
    }

    /// Injects the faults that any want can have: an answer of `Nothing` without a reason, or after the deadline.
    pub(super) fn delay<F>(&mut self) -> Option<TimedAnswer<F>> {
        if self.plan.occurs(FaultClass::Nothing) {
            self.conversation.counts.pauses += 1;
            return Some((self.plan.soon(self.now, self.deadline), Got::Nothing));
        }
        self.plan
            .occurs(FaultClass::Late)
            .then(|| self.miss_deadline())
    }

    fn miss_deadline<F>(&mut self) -> TimedAnswer<F> {
        self.conversation.counts.pauses += 1;
        (self.plan.too_late(self.deadline), Got::Nothing)
    }

    /// Wakes the handler, unless there is a fault.
    fn wait<F>(&mut self) -> TimedAnswer<F> {
        match self.delay() {
            Some(answer) => answer,
            None => (self.plan.soon(self.now, self.deadline), Got::Woken),
        }
    }

    pub(super) fn moved<F>(&mut self, n: usize) -> TimedAnswer<F> {
        self.conversation.counts.bytes_moved += n as u64;
        (self.plan.soon(self.now, self.deadline), Got::Bytes(n))
    }

    fn read<F>(&mut self, into: &mut [u8]) -> TimedAnswer<F> {
        self.check_deadlock();
        self.receive(into)
    }

    /// Reads from the peer, for whichever protocol.
    pub(super) fn receive<F>(&mut self, into: &mut [u8]) -> TimedAnswer<F> {
        self.use_transport();
        if self.peer.consumed >= self.peer.resets_after_in || self.plan.occurs(FaultClass::Reset) {
            return self.fail();
        }
        if let Some(answer) = self.delay() {
            return answer;
        }
        let mut at = self.now;
        let input = &self.conversation.input;
        if self.peer.available(input, at).is_empty() {
            match self.peer.next_arrival() {
                Some(next) if next < self.deadline => at = next,
                None if self.peer.half_close => return (at, Got::Bytes(0)),
                next => {
                    self.silent = next.is_none();
                    return self.miss_deadline();
                }
            }
        }
        let available = self.peer.available(&self.conversation.input, at);
        let n = self.plan.cut(available.len().min(into.len()));
        into[..n].copy_from_slice(&available[..n]);
        self.peer.consumed += n;
        self.conversation.counts.bytes_moved += n as u64;
        self.record_bytes(&into[..n]);
        (
            at.max(self.plan.soon(self.now, self.deadline)),
            Got::Bytes(n),
        )
    }

    /// Counts a read although the peer waits for a reply to a whole request.
    fn check_deadlock(&mut self) {
        if let Some(requests) = self.peer.whole_requests()
            && !self.conversation.counts.shutdown
        {
            let replies = self.conversation.replies().map_or(0, |replies| {
                let complete = replies
                    .iter()
                    .filter(|reply| reply.end != ReplyEnd::Truncated);
                complete.count()
            });
            self.conversation.counts.reads_while_reply_due += u64::from(replies < requests);
        }
    }

    /// Returns how many of `len` bytes the peer takes now; or the answer if it takes none.
    pub(super) fn accepts<F>(&mut self, len: usize) -> Result<usize, TimedAnswer<F>> {
        self.use_transport();
        let sent = self.conversation.output.len();
        if sent >= self.peer.resets_after_out || self.plan.occurs(FaultClass::Reset) {
            return Err(self.fail());
        }
        if let Some(answer) = self.delay() {
            return Err(answer);
        }
        match self.peer.accepts_max.saturating_sub(sent) {
            0 => Err(self.miss_deadline()),
            room => Ok(self.plan.cut(len.min(room))),
        }
    }

    fn write<F>(&mut self, from: &[u8]) -> TimedAnswer<F> {
        match self.accepts(from.len()) {
            Ok(n) => {
                self.conversation.output.extend_from_slice(&from[..n]);
                self.moved(n)
            }
            Err(answer) => answer,
        }
    }
}
