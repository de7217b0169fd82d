//! [`Peer`]: one connection, and the loop that takes it as far as it gets.
//!
//! While nothing is going on it is no more than a socket and a [`Parked`]: what is held for a request is
//! on the heap, and goes back as one piece.

use std::io;
use std::mem;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use mio::event::Event;
use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Parked, Phase, Step, Want};

use super::files::{Desk, Files};
use super::lines::Lines;
use super::mail::Done;
use super::recent::Recent;
use super::shared::Shared;
use super::transport::{MOST, Transport};
use super::upgrade::{Place, Upgraded};
use crate::blocking::handshake_time;
use crate::delivery;
use crate::fs_call::OpenSlot;

/// A connection with its socket.
pub(super) struct Peer<F, H> {
    transport: Transport,
    /// Whose it is; nobody's if it came by a path.
    address: Option<IpAddr>,
    state: State<F, H>,
}

enum State<F, H> {
    Rests(Parked<H>),
    Works(Box<Work<F, H>>),
    /// A panic came between.
    Lost,
}

/// What a request needs.
struct Work<F, H> {
    conn: Connection<OpenSlot<F>, H>,
    files: Files<F>,
    /// What came of the last step, if its turn was over then.
    got: Got<OpenSlot<F>>,
}

/// What has to happen before a connection goes on.
pub(super) enum Until {
    /// Something that it will be woken for, or this time.
    Woken(Option<Duration>),
    /// The others have had their turn.
    Turn,
    /// Nothing: its handler takes it over.
    Upgraded,
    /// Nothing: it is over.
    Never,
}

impl<F: Send + 'static, H: Handler> Peer<F, H> {
    /// One that has just come.
    pub(super) fn new(
        transport: Transport,
        address: Option<IpAddr>,
        handler: H,
        now: Now,
    ) -> Peer<F, H> {
        Peer {
            transport,
            address,
            state: State::Rests(Parked::new(handler, now.tick)),
        }
    }

    /// Goes on until there is something that cannot be done at once.
    pub(super) fn advance<FS: FileSystem<File = F>>(
        &mut self,
        now: Now,
        config: &Arc<Config>,
        desk: &Desk<'_, FS>,
        log: &mut Lines<'_>,
    ) -> Until {
        if let State::Rests(rest) = &self.state {
            let by = self.deadline(rest, config);
            match () {
                () if by <= now.tick && self.transport.is_handshaking() => return Until::Never,
                () if self.transport.is_readable() => self.wake(config, desk),
                // The engine knows whether it goes on.
                () if by <= now.tick && self.transport.has_unacknowledged() => {
                    self.wake(config, desk);
                }
                () if by <= now.tick => return Until::Never,
                () => return Until::Woken(Some(by)),
            }
        }
        let State::Works(work) = &mut self.state else {
            return Until::Never;
        };
        let until = work.advance(now, &mut self.transport, desk, log);
        if let Until::Woken(_) = until
            && work.conn.can_park()
        {
            self.rest();
            if let State::Rests(rest) = &self.state {
                return Until::Woken(Some(self.deadline(rest, config)));
            }
        }
        until
    }

    /// When a connection is closed that has nothing to do.
    fn deadline(&self, rest: &Parked<H>, config: &Config) -> Duration {
        let timeouts = &config.timeouts;
        match self.transport.is_handshaking() {
            true => rest.since() + handshake_time(timeouts),
            false => rest.deadline(timeouts),
        }
    }

    /// Gets what a request needs.
    fn wake<FS: FileSystem<File = F>>(&mut self, config: &Arc<Config>, desk: &Desk<'_, FS>) {
        self.state = match mem::replace(&mut self.state, State::Lost) {
            State::Rests(rest) => {
                let waker = (desk.waker)();
                let address = self.address;
                let address = address.map_or_else(|| "unix:".into(), |ip| ip.to_string());
                let mut conn = Connection::unpark(Arc::clone(config), &address, rest);
                conn.set_waker(Waker::from(waker));
                if desk.can_upgrade {
                    conn.allow_upgrade();
                }
                State::Works(Box::new(Work {
                    conn,
                    files: Files::default(),
                    got: Got::Nothing,
                }))
            }
            state => state,
        };
    }

    /// Gives it back.
    fn rest(&mut self) {
        self.state = match mem::replace(&mut self.state, State::Lost) {
            State::Works(work) => State::Rests(work.conn.park()),
            state => state,
        };
    }

    /// What would be lost if it were closed now.
    pub(super) fn phase(&self) -> Phase {
        let phase = match &self.state {
            State::Rests(_) => Phase::Idle,
            State::Works(work) => work.conn.phase(),
            State::Lost => Phase::Busy,
        };
        match phase {
            // What has come of its first request cannot be read yet.
            Phase::Idle if self.transport.is_handshaking() => Phase::Head,
            phase => phase,
        }
    }

    /// Whether it may be closed although its peer has not asked for that. A request that has just come
    /// speaks against it.
    pub(super) fn is_evictable(&self) -> bool {
        match self.phase() {
            Phase::Idle => !self.transport.has_unread(),
            Phase::Head => true,
            Phase::Busy => false,
        }
    }

    /// Whether it holds what a request needs.
    pub(super) fn works(&self) -> bool {
        matches!(self.state, State::Works(_))
    }

    /// The system says that something can be done. Answers whether that was waited for.
    pub(super) fn can(&mut self, event: &Event) -> bool {
        self.transport.can(event)
    }

    /// Whether it waits for a program to say something.
    pub(super) fn listens(&self) -> bool {
        matches!(&self.state, State::Works(work) if work.files.moment.is_some())
    }

    /// A thread is done with what it had of this.
    pub(super) fn bring(&mut self, done: Done<F>) {
        match (&mut self.state, done) {
            (State::Works(work), done) => work.files.bring(done),
            // Nothing waits. The handler looks for what woke it before it waits.
            (_, Done::Woken(waker)) => waker.reset(),
            _ => {}
        }
    }

    /// Makes the running reply the last one; if there is none, this is the end.
    pub(super) fn finish(&mut self) {
        match &mut self.state {
            State::Works(work) => work.conn.finish(),
            state => *state = State::Lost,
        }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.transport.socket()
    }

    /// Turns it into a transport for another protocol, if that is still possible.
    pub(super) fn into_upgraded(self, shared: &Shared) -> Option<Upgraded<'_, H>> {
        let State::Works(work) = self.state else {
            return None;
        };
        let sanserve_core::Upgraded { handler, received } = work.conn.into_upgraded();
        let (socket, stream) = self.transport.into_stream(received).ok()?;
        Some(Upgraded {
            handler,
            stream,
            place: Place::keep(shared, socket),
        })
    }

    /// What went wrong with the transport, if anything did.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.transport.end()
    }
}

impl<F: Send + 'static, H: Handler> Work<F, H> {
    fn advance<FS: FileSystem<File = F>>(
        &mut self,
        now: Now,
        transport: &mut Transport,
        desk: &Desk<'_, FS>,
        log: &mut Lines<'_>,
    ) -> Until {
        let Work { conn, files, got } = self;
        let kept = got;
        let (mut got, mut recent) = (mem::replace(kept, Got::Nothing), Recent::default());
        let mut turn = TURN;
        delivery::report(conn, now, transport.socket());
        while turn > 0 {
            turn -= 1;
            if (conn.awaits_work() || files.work_for_reply())
                && let Some(hang_up) = transport.hang_up()
            {
                got = hang_up.tell(conn, got);
            }
            if transport.is_plain() {
                conn.without_tls();
            }
            let Step {
                want,
                deadline: by,
                copy_follows,
                peer_may_send,
                ..
            } = conn.step(now, got);
            files.moment = None;
            got = match want {
                Want::Read(into) => {
                    recent = Recent::Nothing;
                    transport.read(into)
                }
                Want::Write(from) => {
                    let got = transport.write(from, copy_follows);
                    if let Got::Bytes(n) = got {
                        turn = turn.saturating_sub(n as u64 / WRITTEN);
                    }
                    got
                }
                Want::ReadFile { file, at, into } => files.fill(file, at, into, desk),
                Want::Copy { file, at, len } => {
                    let got = files.copy(file, at, len, transport, desk);
                    if let Got::Bytes(n) = got {
                        turn = turn.saturating_sub(n as u64 / STEP);
                    }
                    got
                }
                Want::WriteFile { file, from } => files.write(file, from, desk),
                Want::Commit { file } => files.commit(file, desk),
                Want::Wait => files.wait(),
                Want::Upgrade => return Until::Upgraded,
                Want::Ask(ask) => files.ask(ask, desk, &mut recent, transport.sends_files()),
                Want::Log(lines) => {
                    log.push(lines);
                    Got::Bytes(lines.len())
                }
                // Who has seen the end of a connection finds its lines in the log.
                Want::Shutdown => {
                    log.flush();
                    if !peer_may_send && transport.may_close() {
                        return Until::Never;
                    }
                    transport.shutdown();
                    Got::Bytes(0)
                }
                Want::Close => {
                    log.flush();
                    return Until::Never;
                }
            };
            if let Got::Nothing = got {
                let moment = files.moment.map(|moment| now.tick + moment);
                return Until::Woken(by.into_iter().chain(moment).min());
            }
        }
        *kept = got;
        Until::Turn
    }
}

/// So many steps a connection goes at a time, while others wait.
const TURN: u64 = 64;
/// To send so much of a file is one of them.
const STEP: u64 = MOST / TURN;
/// And so is to write so many bytes, which were made or read first: 128 KiB are a turn.
const WRITTEN: u64 = 128 * 1024 / TURN;
