//! [`ConnectionDriver`]: runs one connection until it would block, and parks it when it is idle.
//!
//! An idle connection is only a socket and a [`Parked`]. Everything that a request needs is in one allocation,
//! which is freed when the connection is idle again.

use std::io;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Parked, Phase, Step, Want};

use super::completions::Completion;
use super::log_buffer::LogBuffer;
use super::open_memo::OpenMemo;
use super::pending_call::{FsContext, PendingCall};
use super::shared::Shared;
use super::system::{Readiness, Socket};
use super::transport::{SEND_CHUNK_MAX, Transport};
use super::upgrade::{Upgraded, UpgradedSlot};
use crate::blocking::handshake_timeout;
use crate::fs_call::OpenSlot;
use crate::recording::{Call, ConnectionRecorder, Recorder};

/// A connection with its socket.
pub(super) struct ConnectionDriver<S, F, H> {
    transport: Transport<S>,
    /// The peer's address, or that of the client for which it speaks; none for a Unix domain socket.
    address: Option<IpAddr>,
    state: State<F, H>,
    recorder: ConnectionRecorder,
}

enum State<F, H> {
    Idle(Parked<H>),
    Active(Box<Active<F, H>>),
    /// Taken out, which a panic may make permanent.
    Taken,
}

/// What a connection needs while it serves a request.
struct Active<F, H> {
    conn: Connection<OpenSlot<F>, H>,
    call: PendingCall<F>,
    /// The answer to the last want, if the turn ended there.
    got: Got<OpenSlot<F>>,
}

/// What a connection needs of its worker while it runs.
struct Turn<'a, 'l, FS: FileSystem> {
    now: Now,
    context: &'a FsContext<'a, FS>,
    memo: &'a mut OpenMemo<FS::File>,
    log: &'a mut LogBuffer<'l>,
    only_reads: bool,
}

/// What the worker has to do with a connection next.
pub(super) enum Action {
    /// Drive it again when it is woken, or at this time.
    WaitFor(Option<Duration>),
    /// Drive it again when other connections have had their turn.
    Yield,
    /// Hand it over to the handler's new protocol.
    Upgrade,
    /// Close it.
    Close,
}

impl<S: Socket, F: Send + 'static, H: Handler> ConnectionDriver<S, F, H> {
    /// Creates the driver of a new connection.
    pub(super) fn new(
        transport: Transport<S>,
        address: Option<IpAddr>,
        handler: H,
        now: Now,
    ) -> ConnectionDriver<S, F, H> {
        ConnectionDriver {
            transport,
            address,
            state: State::Idle(Parked::new(handler, now.tick)),
            recorder: ConnectionRecorder::default(),
        }
    }

    /// Records the connection.
    pub(super) fn record(&mut self, recorder: &Recorder, config: &Config) {
        self.recorder = recorder.connection(&self.peer(), config);
    }

    /// Returns the address of the peer as log lines show it.
    fn peer(&self) -> String {
        let address = self.address;
        address.map_or_else(|| "unix:".into(), |ip| ip.to_string())
    }

    /// Runs the connection until it would block or its turn is over. A turn that `only_reads` ends when bytes have been
    /// received.
    pub(super) fn drive<FS: FileSystem<File = F>>(
        &mut self,
        now: Now,
        config: &Arc<Config>,
        context: &FsContext<'_, FS>,
        memo: &mut OpenMemo<F>,
        log: &mut LogBuffer<'_>,
        only_reads: bool,
    ) -> Action {
        if let State::Idle(parked) = &self.state {
            let deadline = self.deadline(parked, config);
            match () {
                () if deadline <= now.tick && self.transport.is_handshaking() => {
                    return Action::Close;
                }
                () if self.transport.is_readable() => self.activate(config, context),
                // Only the engine knows whether the peer still receives at the minimum rate.
                () if deadline <= now.tick && self.transport.has_unacknowledged() => {
                    self.activate(config, context);
                }
                () if deadline <= now.tick => return Action::Close,
                () => return Action::WaitFor(Some(deadline)),
            }
        }
        let State::Active(active) = &mut self.state else {
            return Action::Close;
        };
        let (transport, recorder) = (&mut self.transport, &mut self.recorder);
        let address = &mut self.address;
        let turn = Turn {
            now,
            context,
            memo,
            log,
            only_reads,
        };
        let action = active.drive(turn, transport, recorder, address);
        if let Action::Close | Action::Upgrade = action {
            recorder.end(&mut active.conn, now);
        }
        if let Action::WaitFor(_) = action
            && active.conn.can_park()
        {
            self.park();
            if let State::Idle(parked) = &self.state {
                return Action::WaitFor(Some(self.deadline(parked, config)));
            }
        }
        action
    }

    /// Returns when an idle connection is closed.
    fn deadline(&self, parked: &Parked<H>, config: &Config) -> Duration {
        let timeouts = &config.timeouts;
        match self.transport.is_handshaking() {
            true => parked.since() + handshake_timeout(timeouts),
            false => parked.deadline(timeouts),
        }
    }

    /// Allocates what a request needs.
    fn activate<FS: FileSystem<File = F>>(
        &mut self,
        config: &Arc<Config>,
        context: &FsContext<'_, FS>,
    ) {
        self.state = match mem::replace(&mut self.state, State::Taken) {
            State::Idle(parked) => {
                let waker = (context.waker)();
                let mut conn = Connection::unpark(Arc::clone(config), &self.peer(), parked);
                conn.set_waker(Waker::from(waker));
                if context.can_upgrade {
                    conn.allow_upgrade();
                    self.recorder.called(Call::AllowUpgrade);
                }
                State::Active(Box::new(Active {
                    conn,
                    call: PendingCall::default(),
                    got: Got::Nothing,
                }))
            }
            state => state,
        };
    }

    /// Frees what a request needs.
    fn park(&mut self) {
        self.state = match mem::replace(&mut self.state, State::Taken) {
            State::Active(active) => State::Idle(active.conn.park()),
            state => state,
        };
    }

    /// Returns what would be lost if the connection were closed now.
    pub(super) fn phase(&self) -> Phase {
        let phase = match &self.state {
            State::Idle(_) => Phase::Idle,
            State::Active(active) => active.conn.phase(),
            State::Taken => Phase::Busy,
        };
        match phase {
            // The first request may have arrived, but cannot be decrypted yet.
            Phase::Idle if self.transport.is_handshaking() => Phase::Head,
            phase => phase,
        }
    }

    /// Returns whether the connection may be closed to make room for another one. An idle connection may not if
    /// a request has just arrived.
    pub(super) fn is_evictable(&self) -> bool {
        match self.phase() {
            Phase::Idle => !self.transport.has_unread(),
            Phase::Head => true,
            Phase::Busy => false,
        }
    }

    /// Returns whether the connection holds what a request needs.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, State::Active(_))
    }

    /// Takes note of an event. Returns whether the connection waited for it.
    pub(super) fn on_event(&mut self, readiness: Readiness) -> bool {
        self.transport.on_event(readiness)
    }

    /// Returns whether the connection waits for the output of a process.
    pub(super) fn waits_for_process(&self) -> bool {
        matches!(&self.state, State::Active(active) if active.call.retry_after.is_some())
    }

    /// Takes a completion.
    pub(super) fn complete(&mut self, completion: Completion<F>) {
        match (&mut self.state, completion) {
            (State::Active(active), completion) => active.call.complete(completion),
            // No handler waits. The next one checks its condition before it waits.
            (_, Completion::Woken(waker)) => waker.reset(),
            _ => {}
        }
    }

    /// Makes the current reply the last one; without one, the connection ends.
    pub(super) fn finish(&mut self) {
        match &mut self.state {
            State::Active(active) => active.conn.finish(),
            state => *state = State::Taken,
        }
        self.recorder.called(Call::Finish);
    }

    pub(super) fn socket(&self) -> &S {
        self.transport.socket()
    }

    /// Turns the connection into a stream for another protocol, if that is still possible.
    pub(super) fn into_upgraded(self, shared: &Shared<S>) -> Option<Upgraded<'_, S, H>> {
        let State::Active(active) = self.state else {
            return None;
        };
        let sanserve_core::Upgraded { handler, received } = active.conn.into_upgraded();
        let (socket, stream) = self.transport.into_stream(received).ok()?;
        Some(Upgraded {
            handler,
            stream,
            slot: UpgradedSlot::new(shared, socket),
        })
    }

    /// Returns what went wrong with the transport, if anything did.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.transport.end()
    }
}

impl<F: Send + 'static, H: Handler> Active<F, H> {
    fn drive<FS: FileSystem<File = F>, S: Socket>(
        &mut self,
        turn: Turn<'_, '_, FS>,
        transport: &mut Transport<S>,
        recorder: &mut ConnectionRecorder,
        address: &mut Option<IpAddr>,
    ) -> Action {
        let Turn {
            now,
            context,
            memo,
            log,
            only_reads,
        } = turn;
        let Active { conn, call, got } = self;
        let last_got = got;
        let mut got = mem::replace(last_got, Got::Nothing);
        let mut steps_left = STEPS_PER_TURN;
        transport.socket().report_delivery(conn, now);
        while steps_left > 0 {
            steps_left -= 1;
            if (conn.awaits_work() || call.works_for_reply())
                && let Some(hang_up) = transport.hang_up()
            {
                recorder.called(hang_up.call());
                got = hang_up.notify(conn, got);
            }
            if transport.has_layer() {
                if let Some(client) = transport.take_client() {
                    *address = Some(client);
                    conn.set_peer(&client.to_string());
                }
                if transport.is_plain() {
                    recorder.called(Call::WithoutTls);
                    conn.without_tls();
                }
            }
            recorder.record(conn, now, &mut got);
            let Step {
                want,
                deadline,
                copy_follows,
                peer_may_send,
                ..
            } = conn.step(now, got);
            call.retry_after = None;
            got = match want {
                Want::Read(into) => {
                    let got = transport.read(into);
                    if let Got::Bytes(1..) = got {
                        memo.clear();
                        if only_reads {
                            *last_got = got;
                            return Action::Yield;
                        }
                    }
                    got
                }
                Want::Write(from) => {
                    let got = transport.write(from, copy_follows);
                    if let Got::Bytes(n) = got {
                        steps_left = steps_left.saturating_sub(n as u64 / WRITE_PER_STEP);
                    }
                    got
                }
                Want::ReadFile { file, at, into } => call.read_file(file, at, into, context),
                Want::Copy { file, at, len } => {
                    let got = call.copy(file, at, len, transport, context);
                    if let Got::Bytes(n) = got {
                        steps_left = steps_left.saturating_sub(n as u64 / COPY_PER_STEP);
                    }
                    got
                }
                Want::WriteFile { file, from } => call.write_file(file, from, context),
                Want::Commit { file } => call.commit(file, context),
                Want::Wait => call.wait(),
                Want::Upgrade => return Action::Upgrade,
                Want::Ask(_) => call.ask(conn, context, memo, transport),
                Want::Log(lines) => {
                    log.push(lines);
                    Got::Bytes(lines.len())
                }
                Want::Shutdown if !peer_may_send && transport.may_close() => return Action::Close,
                Want::Shutdown => {
                    // The client may look for its lines in the log when it sees the end.
                    log.flush();
                    transport.shutdown();
                    Got::Bytes(0)
                }
                Want::Close => return Action::Close,
            };
            if let Got::Nothing = got {
                recorder.waits_until(deadline);
                let retry_at = call.retry_after.map(|after| now.tick + after);
                return Action::WaitFor(deadline.into_iter().chain(retry_at).min());
            }
        }
        *last_got = got;
        Action::Yield
    }
}

/// The number of steps that a connection may make while others wait.
const STEPS_PER_TURN: u64 = 64;
/// Sending this many bytes of a file counts as one step.
const COPY_PER_STEP: u64 = SEND_CHUNK_MAX / STEPS_PER_TURN;
/// Writing this many bytes, which had to be made or read before, counts as one step: 128 KiB fill a turn.
const WRITE_PER_STEP: u64 = 128 * 1024 / STEPS_PER_TURN;
