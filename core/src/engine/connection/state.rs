//! Where a connection is: [`State`], what it has [`Pending`] outside, and what it knows of the peer's side.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::source::Feed;
use crate::fs::Ask;
use crate::wire::{Body, RequestHead};

/// What the connection is doing. Each wait that is not measured by bytes knows when it began; for those on a file or a program that
/// is in its `Source`.
#[derive(Debug)]
pub(super) enum State {
    /// A request head is awaited or collected.
    Head { since: Duration },
    /// The handler waits for content.
    Body,
    /// The handler waits for the file system.
    Ask { ask: Ask, since: Duration },
    /// This part of the open file, or the rest of the program's output, is left to be sent.
    Send(Range<u64>),
    /// The handler waits for bytes of the open file or program.
    Read,
    /// Content is on its way to the program.
    Feed(Feed),
    /// These bytes are on their way to the file that is being created.
    WriteFile(Vec<u8>),
    /// The file that is being created gets its name.
    Commit,
    /// The handler's content is being written; this many bytes of it were.
    Write(Cow<'static, [u8]>, usize),
    /// The handler waits for the outbox to be empty.
    Flush,
    /// The handler waits to be woken, or for this time.
    Wait { until: Duration },
    /// The connection is handed over once everything is written.
    Upgrade,
    /// The reply is complete; this many more bytes of content may be discarded.
    Drain(u64),
    /// Nothing more will be written than what is in the outbox.
    Closing,
    /// The peer was notified, and has time to take notice; more of it (`late`) if it has not taken the reply yet.
    Linger { since: Duration, late: bool },
    /// The end.
    Closed,
    /// A transition is running. A transition that does not say where it leads leaves this behind, which is a mistake of the
    /// engine.
    InTransition,
}

/// What a transition leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// The next transition.
    Continue,
    /// A want.
    Wait(Pending),
}

/// What is wanted, without the buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    Start,
    Read,
    Write,
    ReadFile,
    Copy,
    WriteFile,
    Commit,
    Ask,
    Wait,
    Upgrade,
    Log,
    Shutdown,
    Close,
}

/// What the peer may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inbound {
    /// Anything.
    Open,
    /// Nothing: it announced that this request is its last one.
    CloseAnnounced,
    /// Nothing: it has closed its side.
    Eof,
}

/// The request that is read or answered.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: RequestHead,
    pub(super) body: Body,
    /// How much more content the handler may read.
    pub(super) content_left: u64,
    /// The peer waits for 100 before it sends content (RFC 9110 §10.1.1).
    pub(super) expects_continue: bool,
}

impl Request {
    pub(super) fn new() -> Request {
        Request {
            head: RequestHead::new(),
            body: Body::EMPTY,
            content_left: 0,
            expects_continue: false,
        }
    }
}
