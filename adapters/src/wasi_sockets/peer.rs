//! [`Peer`]: one connection, and the loop that takes it as far as it gets.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Step, Want};
use wasip2::io::poll::Pollable;

use super::transport::Transport;

/// A connection with its transport.
pub(super) struct Peer<F, H> {
    conn: Connection<F, H>,
    transport: Transport,
    /// What came of the last step, if its turn was over then.
    got: Got<F>,
    waits: Waits,
    by: Option<Duration>,
}

/// What has to happen before a connection goes on.
#[derive(Clone, Copy, PartialEq)]
enum Waits {
    ToRead,
    ToWrite,
    /// The others have their turn.
    ForTurn,
    /// The handler waits, and is asked again when a moment is over: nothing can wake it.
    ForMoment,
    /// It is over, but for what the host has still to send.
    ToLeave,
}

impl<F, H: Handler> Peer<F, H> {
    pub(super) fn new(
        config: Arc<Config>,
        address: &str,
        handler: H,
        transport: Transport,
    ) -> Peer<F, H> {
        Peer {
            conn: Connection::new(config, address, handler),
            transport,
            got: Got::Nothing,
            waits: Waits::ForTurn,
            by: None,
        }
    }

    /// Whether it can go on at once.
    pub(super) fn has_turn(&self) -> bool {
        self.waits == Waits::ForTurn
    }

    /// What says that it can go on, if the host does.
    pub(super) fn watched(&self) -> Option<&Pollable> {
        match self.waits {
            Waits::ToRead => Some(self.transport.readable()),
            Waits::ToWrite | Waits::ToLeave => Some(self.transport.writable()),
            Waits::ForTurn | Waits::ForMoment => None,
        }
    }

    /// When it has to go on, whatever comes.
    pub(super) fn by(&self) -> Option<Duration> {
        self.by
    }

    /// Goes on until there is something that cannot be done at once. Answers whether it is over.
    pub(super) fn advance<FS: FileSystem<File = F>>(
        &mut self,
        now: Now,
        files: &FS,
        log: &dyn Fn(&str),
    ) -> bool {
        if self.waits == Waits::ToLeave {
            return self.transport.is_done();
        }
        let transport = &self.transport;
        let mut got = mem::replace(&mut self.got, Got::Nothing);
        for _ in 0..TURN {
            let Step {
                want, deadline: by, ..
            } = self.conn.step(now, got);
            self.by = by;
            self.waits = match want {
                Want::Write(_) => Waits::ToWrite,
                Want::Read(_) => Waits::ToRead,
                _ => Waits::ForTurn,
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
                    self.waits = Waits::ForMoment;
                    self.by = by.into_iter().chain([now.tick + MOMENT]).min();
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
                    self.by = None;
                    self.waits = Waits::ToLeave;
                    return transport.is_done();
                }
            };
            if let Got::Nothing = got {
                return false;
            }
        }
        self.got = got;
        self.waits = Waits::ForTurn;
        false
    }
}

/// So many steps a connection goes at a time, while others wait.
const TURN: u32 = 64;
/// How long a handler that waits is left alone.
const MOMENT: Duration = Duration::from_millis(10);
