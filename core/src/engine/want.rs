//! All that passes between a [`Connection`](crate::Connection) and the adapter that carries it.
//!
//! The connection wants one thing of the world at a time. The adapter does it and says what it
//! got; that answer is the argument of the next step. Nothing else is exchanged.

use core::time::Duration;

use crate::fs::Ask;

/// What time it is, as the adapter sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "adapters write it as a literal; there is no third clock"
)]
pub struct Now {
    /// Time since some fixed moment; must never go back. Deadlines are on this scale.
    pub tick: Duration,
    /// Seconds since 1970-01-01 00:00 UTC, if the machine knows the date. Without it replies have
    /// no `Date` (RFC 9110 §6.6.1) and log lines no time.
    pub unix: Option<i64>,
}

/// One thing wanted, and until when.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "adapters take it apart, and a hint that they overlook should be noticed"
)]
pub struct Step<'a, F> {
    /// What the connection wants next.
    pub want: Want<'a, F>,
    /// The [`Now::tick`] after which there is no point in going on: let the operation expire and
    /// answer [`Got::Nothing`](crate::Got::Nothing). Every wait for the peer has one.
    pub deadline: Option<Duration>,
    /// Of a [`Write`](Want::Write): a [`Copy`](Want::Copy) follows at once, so a socket may hold these bytes back and send both together.
    pub copy_follows: bool,
    /// Of a [`Shutdown`](Want::Shutdown): the peer may go on sending. If not, and if the peer has acknowledged everything, the
    /// transport may as well be closed, and this is the end.
    pub peer_may_send: bool,
    /// What would be lost if the connection were closed now, in place of waiting.
    pub phase: Phase,
}

/// What would be lost if a connection were closed, for servers that close one to make room for
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a server that closes connections to make room has to know all phases"
)]
pub enum Phase {
    /// Nothing: no byte of a request has come, and every reply has been written.
    Idle,
    /// Part of a request head, which may never be complete; content that is not needed, after a reply that has been
    /// written; or the end of a last reply, which the peer is slow to take.
    Head,
    /// A request: its content is read, its reply is made or written, or the connection is being closed.
    Busy,
}

/// What a connection wants of its adapter. Each variant says which answer fits; an answer of
/// another kind panics, and [`Got::Nothing`](crate::Got::Nothing) ("not yet, ask again") fits all of them. What is wanted of a file or
/// program may also be [refused](crate::Got::Refused), and what is wanted of the transport [fail](crate::Got::Failed).
///
/// This enum is exhaustive: a want that an adapter does not know would leave a connection waiting without an end, so a new one has to be a
/// change that adapters notice.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a want that an adapter does not know would leave a connection waiting forever"
)]
pub enum Want<'a, F> {
    /// Read from the peer into this room, which is never empty.
    /// [`Got::Bytes`](crate::Got::Bytes): how many bytes came; 0 says that the peer will send no more.
    Read(&'a mut [u8]),
    /// Write these bytes, never none, to the peer. [`Got::Bytes`](crate::Got::Bytes): how many went, perhaps fewer.
    Write(&'a [u8]),
    /// Read the file from offset `at` into this room, which is never empty.
    /// [`Got::Bytes`](crate::Got::Bytes): how many bytes came; 0 says that the file has ended.
    ReadFile {
        /// The open file.
        file: &'a mut F,
        /// Offset in bytes.
        at: u64,
        /// Room that ends where the reply's range ends, at the latest.
        into: &'a mut [u8],
    },
    /// Send `len` bytes of the file from offset `at` to the peer without passing them through
    /// here. Wanted only of files that were opened as [`sendable`](crate::Opened::File).
    /// [`Got::Bytes`](crate::Got::Bytes): how many went, perhaps fewer; 0 says that the file has ended.
    Copy {
        /// The open file.
        file: &'a mut F,
        /// Offset in bytes.
        at: u64,
        /// How many bytes are left to send; never 0.
        len: u64,
    },
    /// Pass these bytes, never none, to a program that is about to run, or to a file that is being created.
    /// [`Got::Bytes`](crate::Got::Bytes): how many it took, perhaps fewer; 0 says that it takes no more.
    WriteFile {
        /// The program or the file.
        file: &'a mut F,
        /// What comes next on its standard input, or in it.
        from: &'a [u8],
    },
    /// Give a file that is being created its name: it is complete, see [`Create`](crate::Create).
    /// [`Got::Committed`](crate::Got::Committed) is the answer.
    Commit {
        /// The file.
        file: &'a mut F,
    },
    /// Ask the file system; [`FileSystem::answer`](crate::FileSystem::answer) does.
    Ask(&'a Ask),
    /// Wait until the [waker](crate::Connection::set_waker) is woken, if it was not since the last time:
    /// [`Got::Woken`](crate::Got::Woken). An adapter that cannot be woken gives that answer after a moment.
    Wait,
    /// Hand the transport over, with [`Connection::into_upgraded`](crate::Connection::into_upgraded). Wanted only of adapters that
    /// [allow it](crate::Connection::allow_upgrade). The loop ends.
    Upgrade,
    /// Print finished log lines, each ended by a newline. Any answer will do.
    Log(&'a str),
    /// Tell the peer that nothing more will come, but go on reading. Any answer will do.
    Shutdown,
    /// The end: drop the connection and close the link.
    Close,
}
