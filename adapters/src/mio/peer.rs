//! [`Peer`]: one connection, and the loop that takes it as far as it gets.

use std::io;
use std::mem;
use std::net::TcpStream;
use std::time::Duration;

use mio::event::Event;
use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Step, Want};

use super::files::{Desk, Done, Files, Held};
use super::lines::Lines;
use super::link::Link;
use crate::Open;

/// A connection with its socket.
pub(super) struct Peer<H> {
    conn: Connection<Held, H>,
    link: Link,
    files: Files,
    /// What came of the last step, if its turn was over then.
    got: Got<Held>,
}

/// What has to happen before a connection goes on.
pub(super) enum Until {
    /// Something that it will be woken for, or this time.
    Woken(Option<Duration>),
    /// The others have had their turn.
    Turn,
    /// Nothing: it is over.
    Never,
}

impl<H: Handler> Peer<H> {
    pub(super) fn new(config: Config, address: &str, handler: H, link: Link) -> Peer<H> {
        Peer {
            conn: Connection::new(config, address, handler),
            link,
            files: Files::default(),
            got: Got::Nothing,
        }
    }

    /// Goes on until there is something that cannot be done at once.
    pub(super) fn advance<FS: FileSystem<File = Open>>(
        &mut self,
        now: Now,
        desk: &Desk<'_, FS>,
        log: &mut Lines<'_>,
    ) -> Until {
        let Peer {
            conn,
            link,
            files,
            got: kept,
        } = self;
        let mut got = mem::replace(kept, Got::Nothing);
        for _ in 0..TURN {
            let Step { want, by } = conn.step(now, got);
            files.moment = None;
            got = match want {
                Want::Read(into) => link.read(into),
                Want::Write(from) => link.write(from),
                Want::Fill { file, at, into } => files.fill(file, at, into, desk),
                Want::Copy { file, at, len } => files.copy(file, at, len, link, desk),
                Want::Give { file, from } => files.give(file, from, desk),
                Want::Ask(ask) => files.ask(ask, desk, link.sends_files()),
                Want::Log(lines) => {
                    log.push(lines);
                    Got::Bytes(lines.len())
                }
                // Who has seen the end of a connection finds its lines in the log.
                Want::Shutdown => {
                    log.flush();
                    link.shutdown();
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

    /// The system says that something can be done. Answers whether that was waited for.
    pub(super) fn can(&mut self, event: &Event) -> bool {
        self.link.can(event)
    }

    /// Whether it waits for a program to say something.
    pub(super) fn listens(&self) -> bool {
        self.files.moment.is_some()
    }

    /// A thread is done with what it had of this.
    pub(super) fn bring(&mut self, done: Done) {
        self.files.bring(done);
    }

    /// Makes the running reply the last one.
    pub(super) fn finish(&mut self) {
        self.conn.finish();
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.link.socket()
    }

    /// What went wrong with the link, if anything did.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.link.end()
    }
}

/// So many steps a connection goes at a time, while others wait.
const TURN: u32 = 64;
