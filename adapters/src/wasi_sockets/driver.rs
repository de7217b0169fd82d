//! [`ConnectionDriver`]: runs one connection until it would block, and then knows what it is waiting for.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Step, Want};
use wasip2::io::poll::Pollable;

use super::transport::Transport;

/// A connection with its transport.
pub(super) struct ConnectionDriver<F, H> {
    conn: Connection<F, H>,
    transport: Transport,
    /// The answer to the last want, if the turn ended there.
    got: Got<F>,
    state: State,
    deadline: Option<Duration>,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Reading,
    Writing,
    /// Its next turn.
    Runnable,
    /// The handler waits. It is asked again at regular intervals, because nothing can wake it.
    HandlerWaiting,
    /// The connection has ended, but the host still has data to send.
    Draining,
}

impl<F, H: Handler> ConnectionDriver<F, H> {
    pub(super) fn new(
        config: Arc<Config>,
        address: &str,
        handler: H,
        transport: Transport,
    ) -> ConnectionDriver<F, H> {
        ConnectionDriver {
            conn: Connection::new(config, address, handler),
            transport,
            got: Got::Nothing,
            state: State::Runnable,
            deadline: None,
        }
    }

    /// Returns whether the connection can continue immediately.
    pub(super) fn is_runnable(&self) -> bool {
        self.state == State::Runnable
    }

    /// Returns what becomes ready when the connection can continue.
    pub(super) fn pollable(&self) -> Option<&Pollable> {
        match self.state {
            State::Reading => Some(self.transport.readable()),
            State::Writing | State::Draining => Some(self.transport.writable()),
            State::Runnable | State::HandlerWaiting => None,
        }
    }

    /// Returns the latest time at which the connection must run again.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Runs the connection until it would block or its turn is over. Returns whether it has ended.
    pub(super) fn drive<FS: FileSystem<File = F>>(
        &mut self,
        now: Now,
        files: &FS,
        log: &dyn Fn(&str),
    ) -> bool {
        if self.state == State::Draining {
            return self.transport.is_done();
        }
        let transport = &self.transport;
        let mut got = mem::replace(&mut self.got, Got::Nothing);
        for _ in 0..STEPS_PER_TURN {
            let Step { want, deadline, .. } = self.conn.step(now, got);
            self.deadline = deadline;
            self.state = match want {
                Want::Write(_) => State::Writing,
                Want::Read(_) => State::Reading,
                _ => State::Runnable,
            };
            got = match want {
                Want::Read(into) => transport.read(into),
                Want::Write(from) => transport.write(from),
                Want::ReadFile { file, at, into } => files.fill(file, at, into),
                Want::Copy { .. } => unreachable!("no file here is sendable"),
                Want::WriteFile { file, from } => files.answer_write(file, from),
                Want::Commit { file } => Got::Committed(files.commit(file)),
                Want::Ask(ask) => files.answer(ask).unsendable(),
                Want::Wait => {
                    self.state = State::HandlerWaiting;
                    self.deadline = deadline.into_iter().chain([now.tick + WAIT_INTERVAL]).min();
                    self.got = Got::Woken;
                    return false;
                }
                Want::Upgrade => unreachable!("no upgrade is allowed"),
                Want::Log(lines) => {
                    log(lines);
                    Got::Bytes(lines.len())
                }
                Want::Shutdown => {
                    transport.shutdown();
                    Got::Bytes(0)
                }
                Want::Close => {
                    transport.shutdown();
                    self.deadline = None;
                    self.state = State::Draining;
                    return transport.is_done();
                }
            };
            if let Got::Nothing = got {
                return false;
            }
        }
        self.got = got;
        self.state = State::Runnable;
        false
    }
}

/// The number of steps that a connection may make while others wait.
const STEPS_PER_TURN: u32 = 64;
/// How often a waiting handler is asked again.
const WAIT_INTERVAL: Duration = Duration::from_millis(10);
