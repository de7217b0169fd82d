//! The interface between a [`Connection`](crate::Connection) and its adapter: [`Want`], [`Step`], [`Now`] and
//! [`Phase`].
//!
//! The connection wants one operation at a time. The adapter performs it and passes the result, a [`Got`](crate::Got),
//! to the next step.

use core::time::Duration;

use crate::fs::Ask;

/// The current time, as the adapter reads it from its clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "adapters write it as a literal; there is no third clock"
)]
pub struct Now {
    /// A monotonic clock: the time since some fixed moment. Deadlines are on this scale.
    pub tick: Duration,
    /// Seconds since 1970-01-01 00:00 UTC, if the machine knows the date. If `None`, replies have no `Date` field
    /// (RFC 9110 §6.6.1) and log lines no time.
    pub unix: Option<i64>,
}

/// One operation that the connection wants, its deadline, and hints.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "adapters destructure it, and should notice a new hint"
)]
pub struct Step<'a, F> {
    /// What the connection wants next.
    pub want: Want<'a, F>,
    /// The [`Now::tick`] at which to give up: cancel the operation and answer [`Got::Nothing`](crate::Got::Nothing).
    /// Every wait for the peer has a deadline.
    pub deadline: Option<Duration>,
    /// For a [`Write`](Want::Write): a [`Copy`](Want::Copy) follows immediately, so a socket may hold these bytes back
    /// and send both together (`MSG_MORE`).
    pub copy_follows: bool,
    /// For a [`Shutdown`](Want::Shutdown): the peer may still be sending. If `false`, and if the peer has acknowledged
    /// everything, the adapter may close the transport and end the loop.
    pub peer_may_send: bool,
    /// What would be lost if the adapter closed the connection now instead of waiting.
    pub phase: Phase,
}

/// What would be lost if a connection were closed. A server that has too many connections closes one in the earliest
/// phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a server that closes connections to make room has to know all phases"
)]
pub enum Phase {
    /// Nothing: no byte of a request has arrived, and every reply has been written.
    Idle,
    /// Little: part of a request head, content that is discarded after its reply has been written, or the end of a last
    /// reply that the peer is slow to acknowledge.
    Head,
    /// A request: its content is being read, its reply is being made or written, or the connection is being closed.
    Busy,
}

/// An operation that a connection wants its adapter to perform.
///
/// Each variant names its answer. [`Got::Nothing`](crate::Got::Nothing) ("not yet, ask again") is a valid answer to all
/// of them; an operation on a file or CGI process may also be [refused](crate::Got::Refused), and one on the transport
/// may [fail](crate::Got::Failed). Any other answer is a mistake in the adapter, and [`step`](crate::Connection::step)
/// panics.
///
/// The enum is exhaustive, so that adapters notice a new variant: a want that an adapter ignored would leave the
/// connection waiting forever.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a want that an adapter does not know would leave a connection waiting forever"
)]
pub enum Want<'a, F> {
    /// Read from the peer into this buffer, which is never empty. The answer is [`Got::Bytes`](crate::Got::Bytes) with
    /// the number of bytes read; 0 means that the peer has closed its side.
    Read(&'a mut [u8]),
    /// Write these bytes, at least one, to the peer. The answer is [`Got::Bytes`](crate::Got::Bytes) with the number of
    /// bytes written, which may be fewer.
    Write(&'a [u8]),
    /// Read from the open file or CGI process into this buffer, which is never empty;
    /// [`FileSystem::fill`](crate::FileSystem::fill) does that. The answer is [`Got::Bytes`](crate::Got::Bytes) with
    /// the number of bytes read; 0 means the end.
    ReadFile {
        /// The open file or CGI process.
        file: &'a mut F,
        /// The offset in the file, in bytes. It has no meaning for a CGI process.
        at: u64,
        /// The buffer, which is no longer than the rest of the range to be sent.
        into: &'a mut [u8],
    },
    /// Send `len` bytes of the file from offset `at` to the peer by reference, such as with `sendfile`. Wanted only for
    /// files that were opened as [`sendable`](crate::Opened::File). The answer is [`Got::Bytes`](crate::Got::Bytes)
    /// with the number of bytes sent, which may be fewer; 0 means the end of the file.
    Copy {
        /// The open file.
        file: &'a mut F,
        /// The offset in the file, in bytes.
        at: u64,
        /// The number of bytes to send; never 0.
        len: u64,
    },
    /// Write these bytes, at least one, to the standard input of a CGI process or to a file that is being created;
    /// [`FileSystem::answer_write`](crate::FileSystem::answer_write) does that. The answer is
    /// [`Got::Bytes`](crate::Got::Bytes) with the number of bytes written, which may be fewer; 0 means that no more are
    /// accepted.
    WriteFile {
        /// The CGI process or the file.
        file: &'a mut F,
        /// The bytes to write.
        from: &'a [u8],
    },
    /// Commit a file that is being created: its content is complete, so give it its name, see
    /// [`Create`](crate::Create). The answer is [`Got::Committed`](crate::Got::Committed).
    Commit {
        /// The file.
        file: &'a mut F,
    },
    /// Ask the file system; [`FileSystem::answer`](crate::FileSystem::answer) returns the answer.
    Ask(&'a Ask),
    /// Wait until the [waker](crate::Connection::set_waker) is woken, unless it has been since the last time. The
    /// answer is [`Got::Woken`](crate::Got::Woken). An adapter that cannot be woken gives it after a short time.
    Wait,
    /// Hand the transport to another protocol, with [`Connection::into_upgraded`](crate::Connection::into_upgraded),
    /// and end the loop. Wanted only of adapters that [allow it](crate::Connection::allow_upgrade).
    Upgrade,
    /// Print these log lines, each of which ends with a newline. Any answer is valid.
    Log(&'a str),
    /// Close the sending side of the transport, but continue to read. Any answer is valid.
    Shutdown,
    /// Drop the connection, close the transport and end the loop.
    Close,
}
