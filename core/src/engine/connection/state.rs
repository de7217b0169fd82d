//! The parts of a connection's state: its current activity ([`State`]), the kind of want that is [`Pending`], the
//! current [`Request`], and whether the peer may still send ([`Inbound`]).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::source::Feed;
use crate::fs::Ask;
use crate::wire::{Body, RequestHead};

/// The current activity of the connection. The waits that are limited by time alone record when they began; for waits
/// on a file or CGI process, `Source` does.
#[derive(Debug)]
pub(super) enum State {
    /// Waiting for a request head, or for the rest of one.
    Head { since: Duration },
    /// The handler waits for content.
    Body,
    /// The handler waits for the file system.
    Ask { ask: Ask, since: Duration },
    /// Sending: this range of the open file, or the rest of the CGI process's output, is left.
    Send(Range<u64>),
    /// The handler waits for bytes from the open file or CGI process.
    Read,
    /// Writing content to the CGI process.
    Feed(Feed),
    /// Writing these bytes to the file that is being created.
    WriteFile(Vec<u8>),
    /// Committing the file that is being created.
    Commit,
    /// Writing content of the handler, from this offset.
    Write(Cow<'static, [u8]>, usize),
    /// The handler waits for the outbox to be empty.
    Flush,
    /// The handler waits to be woken, or until this time.
    Wait { until: Duration },
    /// The connection is handed over once everything has been written.
    Upgrade,
    /// The reply is complete; up to this many more bytes of the request's content are discarded.
    Drain(u64),
    /// The connection closes once the outbox has been written.
    Closing,
    /// This side is closed; the peer has time to notice. `late` means that it has not acknowledged the whole reply yet.
    Linger { since: Duration, late: bool },
    /// The connection has ended.
    Closed,
    /// A transition is running. If it remains afterwards, the transition has set no state, which is a bug of the
    /// engine.
    InTransition,
}

/// What follows a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// Another transition.
    Continue,
    /// A want that the adapter has to answer first.
    Wait(Pending),
}

/// The kind of a [`Want`](crate::Want), without its buffers.
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

/// Whether the peer may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inbound {
    /// It may.
    Open,
    /// It has announced that this request is its last one.
    CloseAnnounced,
    /// It has closed its side.
    Eof,
}

/// The request that is being read or answered.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: RequestHead,
    pub(super) body: Body,
    /// The number of bytes of content that the handler may still read.
    pub(super) content_left: u64,
    /// The peer waits for `100 Continue` before it sends content (RFC 9110 §10.1.1).
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
