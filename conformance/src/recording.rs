//! Recordings of real connections, as `sanserve --record FILE` and `Recorder` of `sanserve-server` write them, and their
//! replay.
//!
//! [`Recording::replay`] feeds each connection to a new [`Connection`](sanserve_core::Connection): the bytes that the
//! client sent, in the same pieces at the same times, and the recorded answers of the file system. Then it compares the
//! replies. Nothing here uses a socket, a disk or the system's clock.
//!
//! ```
//! use sanserve_conformance::recording::Recording;
//! use sanserve_core::Files;
//!
//! # let text = "# sanserve recording 1\nend\t0\n";
//! let recording = Recording::parse(text)?;
//! let replay = recording.replay(|config| config, Files::new);
//! assert!(replay.differences.is_empty(), "{replay}");
//! # Ok::<(), String>(())
//! ```

mod command;
mod comparison;
mod event;
mod parse;
mod probe;
mod replayed;
mod replies;
mod timeline;

use std::fmt;

use sanserve_core::{Config, Handler};

use self::event::{End, Event};

/// A recording that was read.
#[derive(Debug)]
pub struct Recording {
    notes: Vec<(String, String)>,
    connections: Vec<RecordedConnection>,
    dropped: Option<u64>,
}

/// The events of one connection.
#[derive(Debug)]
struct RecordedConnection {
    number: u64,
    peer: String,
    config: Config,
    events: Vec<Event>,
    end: End,
}

/// The result of a [replay](Recording::replay).
#[derive(Debug, Default)]
pub struct Replay {
    /// The number of connections.
    pub connections: usize,
    /// The number of replies that were compared.
    pub replies: usize,
    /// The number of replies that were not compared, because they depend on content that was not recorded.
    pub skipped: usize,
    /// Where the replies differ from the recorded ones.
    pub differences: Vec<Difference>,
}

/// A difference between a recorded reply and that of the replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the connection in the recording.
    pub connection: u64,
    /// The number of the reply on this connection, from 0. Interim replies count.
    pub reply: usize,
    /// The request line; empty if the request was not understood.
    pub request: String,
    /// What differs, such as `status 200, now 404`.
    pub text: String,
}

impl Recording {
    /// Parses a recording. Its last line may be incomplete, because the server was killed; it is then ignored.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Recording, String> {
        parse::parse(text)
    }

    /// Returns the notes of this name that the server has added.
    pub fn notes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let notes = self.notes.iter().filter(move |(is, _)| is == name);
        notes.map(|(_, value)| value.as_str())
    }

    /// Returns the number of events that were dropped while the file was written, or `None` if the file has no end,
    /// because the server was killed.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        self.dropped
    }

    /// Replays all connections. `config` sets what a recording does not contain, such as the error page; the log format
    /// is always Python's. `handler` creates the handler of each connection.
    ///
    /// The handler must behave as it did in the server. A password that the server knew without asking the file system
    /// counts as right, unless the recorded reply is a 401.
    pub fn replay<H: Handler>(
        &self,
        config: impl Fn(Config) -> Config,
        handler: impl Fn() -> H,
    ) -> Replay {
        let mut replay = Replay::default();
        for connection in &self.connections {
            let config = config(connection.config.clone());
            let replayed = replayed::run(connection, config, handler());
            comparison::compare(connection, &replayed, &mut replay);
        }
        replay
    }

    /// Replays a recording of the command `sanserve`, whose notes are its options.
    pub fn replay_command(&self) -> Replay {
        self.replay(
            |config| command::config(self, config),
            || command::handler(self),
        )
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(out, "{difference}")?;
        }
        let Replay {
            connections,
            replies,
            skipped,
            differences,
        } = self;
        write_count(out, *connections, "connection", "connections")?;
        out.write_str(", ")?;
        write_count(out, *replies, "reply", "replies")?;
        out.write_str(", ")?;
        write_count(out, differences.len(), "difference", "differences")?;
        match skipped {
            0 => Ok(()),
            1 => write!(out, "; 1 reply depends on content that was not recorded"),
            _ => write!(
                out,
                "; {skipped} replies depend on content that was not recorded"
            ),
        }
    }
}

fn write_count(out: &mut fmt::Formatter<'_>, n: usize, one: &str, many: &str) -> fmt::Result {
    write!(out, "{n} {}", if n == 1 { one } else { many })
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            connection,
            reply,
            request,
            text,
        } = self;
        write!(
            out,
            "connection {connection}, reply {reply}, {request:?}: {text}"
        )
    }
}
