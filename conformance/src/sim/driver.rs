//! [`Driver`]: drives one connection of a world: steps it, lets [`FaultyIo`] perform what it wants, and keeps its
//! counters.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Step, Want};

use super::conversation::Conversation;
use super::fault_plan::{FaultPlan, Occurred};
use super::faults::FaultClass;
use super::faulty_io::FaultyIo;
use super::peer::Peer;
use super::recording_handler::{HandlerRecord, RecordingHandler};
use super::tracked_handle::{HandleCount, TrackedHandle};
use super::transcript::Transcript;

/// One connection of a world, with its adapter.
pub(super) struct Driver<F, H> {
    /// `None` after an upgrade.
    conn: Option<Connection<TrackedHandle<F>, RecordingHandler<H>>>,
    record: Rc<RefCell<HandlerRecord>>,
    handles: HandleCount,
    peer: Peer,
    plan: FaultPlan,
    pub(super) conversation: Conversation,
    /// The next answer, and its time.
    got: Got<TrackedHandle<F>>,
    pub(super) at: Duration,
    /// The deadline of the current want.
    deadline: Option<Duration>,
    /// The number of requests before `finish()`.
    finished: Option<usize>,
    failed: bool,
    /// The bytes that the peer had received when the last request began, and the number of that request.
    reply_began: (usize, usize),
    /// It never stops, so the world takes no further steps of it.
    pub(super) abandoned: bool,
    transcript: Option<Transcript>,
    /// The number of faults in the transcript.
    faults_noted: usize,
}

impl<F, H: Handler> Driver<F, H> {
    pub(super) fn new(
        conversation: Conversation,
        peer: Peer,
        plan: FaultPlan,
        handler: H,
        start: Duration,
    ) -> Self {
        let (handler, record) = RecordingHandler::new(handler);
        let mut conn = Connection::new(
            conversation.config.clone(),
            &address(conversation.number),
            handler,
        );
        if conversation.upgradable {
            conn.allow_upgrade();
        }
        Driver {
            conn: Some(conn),
            record,
            handles: HandleCount::default(),
            peer,
            plan,
            conversation,
            got: Got::Nothing,
            at: start,
            deadline: None,
            finished: None,
            failed: false,
            reply_began: (0, 0),
            abandoned: false,
            transcript: None,
            faults_noted: 0,
        }
    }

    /// Records a transcript, with the calls of the handler.
    pub(super) fn write_transcript(&mut self, transcript: Transcript) {
        self.transcript = Some(transcript);
        self.record.borrow_mut().shown = Some(Vec::new());
    }

    /// Adds a line to the transcript that is not replayed.
    pub(super) fn comment(&mut self, text: impl FnOnce() -> String) {
        if let Some(transcript) = &mut self.transcript {
            transcript.comment(&text());
        }
    }

    /// Returns the record, the transcript, and the faults that have occurred.
    pub(super) fn end(mut self) -> (Conversation, String, Occurred) {
        self.conversation.requests = std::mem::take(&mut self.record.borrow_mut().requests);
        // The calls of a handler that has panicked.
        let calls = self.record.borrow_mut().shown.take();
        for call in calls.into_iter().flatten() {
            self.comment(|| format!("handler: {call}"));
        }
        let transcript = self.transcript.take();
        (
            self.conversation,
            transcript.map_or(String::new(), Transcript::end),
            self.plan.occurred.unwrap_or_default(),
        )
    }

    /// Returns a number by which the connections whose answers come at the same time take turns, some more often than
    /// others.
    pub(super) fn turn(&self) -> u64 {
        self.conversation.counts.steps * (1 + self.conversation.handler % 4)
    }

    /// Notes that the clock has jumped.
    pub(super) fn clock_jumped(&mut self) {
        self.conversation.disruptions.late = true;
    }

    /// Takes one step: passes on the answer, and performs what the connection wants.
    pub(super) fn step<S: FileSystem<File = F>>(&mut self, now: Duration, fs: &S) {
        let Some(mut conn) = self.conn.take() else {
            return self.read_upgraded(now);
        };
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.conversation.disruptions.late = true;
        }
        let got = std::mem::replace(&mut self.got, Got::Nothing);
        if let Some(transcript) = &mut self.transcript {
            transcript.got(&got);
        }
        if self.finished.is_none() && self.plan.occurs(FaultClass::Finish) {
            conn.finish();
            self.note_finish(now);
        }
        let time = Now {
            tick: now,
            unix: self.conversation.unix,
        };
        let Step { want, deadline, .. } = conn.step(time, got);
        let waits = !matches!(
            want,
            Want::Log(_) | Want::Shutdown | Want::Upgrade | Want::Close
        );
        let counts = &mut self.conversation.counts;
        counts.steps += 1;
        counts.waits_without_deadline += u64::from(waits && deadline.is_none());
        counts.past_deadlines += u64::from(deadline.is_some_and(|deadline| deadline <= now));
        self.deadline = deadline;
        if let Some(transcript) = &mut self.transcript {
            let calls = self.record.borrow_mut().shown.take();
            for call in calls.into_iter().flatten() {
                transcript.comment(&format!("handler: {call}"));
            }
            self.record.borrow_mut().shown = Some(Vec::new());
            transcript.want(now, &want, self.deadline);
        }
        let is_upgrade = matches!(want, Want::Upgrade);
        // A missing or past deadline was counted. It must not end the simulation.
        let deadline = deadline.unwrap_or_default();
        let mut io = self.io(now, deadline.max(now + Duration::from_nanos(1)));
        let (at, got) = io.perform(want, fs);
        if io.silent {
            self.deadline = None;
        }
        (self.at, self.got) = (at, got);
        self.note_faults();
        self.count(conn.allocated());
        self.abandon_endless_work();
        if is_upgrade {
            self.conversation.upgraded = Some(conn.into_upgraded().received);
        } else {
            self.conn = Some(conn);
        }
    }

    /// Reads for the protocol that follows an upgrade, until the peer has nothing more to send or the transport fails.
    fn read_upgraded(&mut self, now: Duration) {
        let mut piece = [0; 300];
        let mut io = self.io(now, now + Duration::from_secs(60));
        let (at, got) = io.receive::<F>(&mut piece);
        let silent = io.silent;
        match got {
            Got::Bytes(n) if n > 0 => {
                let upgraded = self.conversation.upgraded.get_or_insert_default();
                upgraded.extend_from_slice(&piece[..n]);
            }
            // An injected fault.
            Got::Nothing if !silent => {}
            _ => {
                self.conversation.counts.open_at_close = self.handles.get();
                self.conversation.counts.closed = true;
            }
        }
        self.at = at;
    }

    fn io(&mut self, now: Duration, deadline: Duration) -> FaultyIo<'_> {
        FaultyIo {
            now,
            deadline,
            peer: &mut self.peer,
            plan: &mut self.plan,
            conversation: &mut self.conversation,
            handles: &self.handles,
            failed: &mut self.failed,
            transcript: &mut self.transcript,
            request: self.record.borrow().requests.len().saturating_sub(1),
            silent: false,
        }
    }

    /// Adds the faults of this step to the transcript.
    fn note_faults(&mut self) {
        if let (Some(transcript), Some(occurred)) = (&mut self.transcript, &self.plan.occurred) {
            for (class, occasion) in &occurred[self.faults_noted..] {
                transcript.fault(*class, *occasion);
            }
            self.faults_noted = occurred.len();
        }
    }

    /// Notes a call of `finish()`.
    fn note_finish(&mut self, now: Duration) {
        self.conversation.disruptions.finished = true;
        self.finished = Some(self.record.borrow().requests.len());
        if let Some(transcript) = &mut self.transcript {
            transcript.finish(now);
        }
    }

    /// Abandons a connection that takes more steps than its bytes and requests explain, or whose reply has no end.
    fn abandon_endless_work(&mut self) {
        let sent = self.conversation.output.len();
        let (counts, requests) = (
            self.conversation.counts,
            self.record.borrow().requests.len(),
        );
        if self.reply_began.1 != requests {
            self.reply_began = (sent, requests);
        }
        self.abandoned = counts.steps > steps_max(counts.bytes_moved, requests)
            || sent - self.reply_began.0 > REPLY_MAX;
    }

    fn count(&mut self, allocated: usize) {
        let mut record = self.record.borrow_mut();
        record.calls = 0;
        let counts = &mut self.conversation.counts;
        counts.allocated = counts.allocated.max(allocated);
        counts.content_max = record.content_max;
        if record.done {
            counts.open_after_reply = counts.open_after_reply.max(self.handles.get());
        }
        if let Some(before) = self.finished {
            counts.begun_after_finish = (record.requests.len() - before) as u64;
        }
    }
}

/// Returns more steps than a connection needs to move this number of bytes for this number of requests, whatever the
/// faults are.
pub(super) fn steps_max(bytes: u64, requests: usize) -> u64 {
    20_000 + 4 * bytes + 1000 * requests as u64
}

/// More bytes than a reply in a world has.
pub(super) const REPLY_MAX: usize = 32 << 20;

/// Returns the address of the peer of connection `number`.
pub(super) fn address(number: usize) -> String {
    format!("192.0.2.{}", number + 1)
}
