//! [`ReplyState`]: tracks the progress of the reply to a request, and frames its content.
//!
//! The bytes themselves are in the outbox, where [`Exchange`](crate::Exchange) writes them.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt::Write;
use core::time::Duration;

use super::log::CloseReason;
use super::{Buffer, Next};
use crate::fs::Rights;

/// The state of one reply.
#[derive(Debug)]
pub(crate) struct ReplyState {
    pub(crate) stage: Stage,
    /// The offset of the reply in the outbox, as long as none of it has been sent.
    start: Option<usize>,
    pub(crate) status: u16,
    /// The `Content-Length` that was sent.
    pub(crate) content_length: Option<u64>,
    /// Whether a `Connection` field was sent.
    pub(crate) has_connection_field: bool,
    /// Why the connection closes after the reply, if it does.
    pub(crate) close: Option<CloseReason>,
    /// Whether the reply consists of its content alone, as it answers an HTTP/0.9 request. Errors have a status line
    /// nevertheless.
    pub(crate) simple: bool,
    /// Whether the request is HEAD although its request line could not be parsed.
    pub(crate) to_head: bool,
    /// The number of bytes of content so far.
    pub(crate) content: u64,
    /// The time at which the request was complete.
    pub(crate) since: Duration,
    /// Whether a [`Guard`](crate::Guard) has verified the credentials of the request.
    pub(crate) authenticated: bool,
    /// The rights that the client lacks. A [`Guard`](crate::Guard) sets them.
    pub(crate) missing_rights: Rights,
    /// Whether the client has sent no credentials, and users have rights that it lacks.
    pub(crate) can_log_in: bool,
    /// Whether the end of the reply has been logged.
    pub(crate) logged: bool,
    /// Why the reply is abandoned, if it is.
    pub(crate) fault: Option<Box<Fault>>,
}

/// Why a handler's reply is abandoned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The handler made this mistake.
    Mistake(&'static str),
    /// The handler failed, after it had begun its reply. This status and message replace the reply if none of it has
    /// been sent.
    Failed(u16, Cow<'static, str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing has been written.
    Start,
    /// The head is being written.
    Head,
    /// The head is complete; content follows with this framing.
    Content(Framing),
}

/// How the peer learns where the content ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no content, whatever `Content-Length` says: HEAD, 204, 304.
    Empty,
    /// By `Content-Length`, of which this many bytes are left.
    Length(u64),
    /// By chunked framing.
    Chunked,
    /// By the end of the connection.
    Close,
}

impl ReplyState {
    /// Returns the state of a reply that has not begun and will follow the `outbox` bytes that are in the outbox.
    pub(crate) fn new(outbox: usize, since: Duration, close: Option<CloseReason>) -> Self {
        ReplyState {
            stage: Stage::Start,
            start: Some(outbox),
            status: 0,
            content_length: None,
            has_connection_field: false,
            close,
            simple: false,
            to_head: false,
            content: 0,
            since,
            authenticated: false,
            missing_rights: Rights::NONE,
            can_log_in: false,
            logged: false,
            fault: None,
        }
    }

    /// Records why the reply is abandoned. If there are several reasons, the first is kept.
    #[cold]
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert_with(|| Box::new(fault));
    }

    /// Returns whether the reply is complete if the handler returns this. A reply to HEAD is complete with its head: its
    /// content is not generated.
    #[inline]
    pub(crate) fn is_ended_by(&self, next: &Next) -> bool {
        match next {
            Next::Done => true,
            Next::Flush | Next::Write(_) | Next::Send(_) | Next::Wait(_) => {
                self.stage == Stage::Content(Framing::Empty)
            }
            _ => false,
        }
    }

    /// Closes the connection after this reply. If there are several reasons, the first is kept.
    pub(crate) fn close_for(&mut self, reason: CloseReason) {
        self.close = self.close.or(Some(reason));
    }

    /// Notes that `n` bytes of the outbox have been sent.
    pub(crate) fn sent(&mut self, n: usize) {
        self.start = self.start.and_then(|start| start.checked_sub(n));
    }

    /// Removes the whole reply from the outbox if none of it has been sent. Returns whether it did.
    pub(crate) fn retract(&mut self, outbox: &mut Buffer) -> bool {
        let Some(start) = self.start else {
            return false;
        };
        outbox.truncate(start);
        *self = ReplyState {
            authenticated: self.authenticated,
            missing_rights: self.missing_rights,
            simple: self.simple,
            to_head: self.to_head,
            ..ReplyState::new(start, self.since, Some(CloseReason::Error))
        };
        true
    }

    /// Records a mistake of the handler. If there are several, the first is kept.
    pub(crate) fn record_fault(&mut self, mistake: &'static str) {
        self.fail(Fault::Mistake(mistake));
    }

    /// Notes that the head is complete. For an HTTP/0.9 request the head is not sent.
    pub(crate) fn end_head(&mut self, framing: Framing, outbox: &mut Buffer) {
        if self.simple
            && let Some(start) = self.start
        {
            outbox.truncate(start);
        }
        // RFC 9110 §15.2: the final reply follows an interim one.
        self.stage = if self.status < 200 {
            // The interim reply stays if the final one is replaced by an error. There is none after a 101.
            if self.status != 101 {
                self.start = self.start.map(|_| outbox.len());
            }
            Stage::Start
        } else {
            Stage::Content(framing)
        };
    }

    /// Inserts the interim reply `100 Continue`, before this reply if it has begun.
    pub(crate) fn send_continue(&mut self, outbox: &mut Buffer) {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        if let Some(start) = &mut self.start {
            outbox.insert(*start, CONTINUE);
            *start += CONTINUE.len();
        }
    }

    /// Returns how many of `len` further bytes fit into the content.
    pub(crate) fn accepts(&self, len: u64) -> u64 {
        match self.stage {
            Stage::Content(Framing::Length(left)) => len.min(left),
            Stage::Content(Framing::Chunked | Framing::Close) => len,
            _ => 0,
        }
    }

    /// Counts `n` bytes of content that are in the outbox already or were sent without it.
    pub(crate) fn count(&mut self, n: usize) {
        self.content += n as u64;
        if let Stage::Content(Framing::Length(left)) = &mut self.stage {
            *left -= n as u64;
        }
    }

    /// Writes content to the outbox.
    pub(crate) fn write(&mut self, bytes: &[u8], outbox: &mut Buffer) {
        let Stage::Content(framing) = self.stage else {
            return self.record_fault("wrote content before end_headers()");
        };
        let n = self.accepts(bytes.len() as u64) as usize;
        if n < bytes.len() && framing != Framing::Empty {
            self.record_fault("wrote more than Content-Length");
        }
        outbox.push(&bytes[..n]);
        self.frame(n, outbox);
    }

    /// Turns the last `n` bytes of the outbox into content, as a chunk if the framing is chunked.
    pub(crate) fn frame(&mut self, n: usize, outbox: &mut Buffer) {
        self.count(n);
        if n > 0 && self.stage == Stage::Content(Framing::Chunked) {
            let mut size = Buffer::new();
            write!(size, "{n:x}\r\n").expect("a buffer takes everything");
            outbox.insert(outbox.len() - n, size.filled());
            outbox.push(b"\r\n");
        }
    }

    /// Completes the reply, after the handler has returned [`Next::Done`](crate::Next::Done).
    pub(crate) fn finish(&mut self, outbox: &mut Buffer) {
        match self.stage {
            // An interim reply without a final one: close, so that the peer does not wait for it.
            Stage::Start if self.status > 0 => self.close_for(CloseReason::Error),
            Stage::Start => self.record_fault("sent no reply"),
            Stage::Head => self.record_fault("did not call end_headers()"),
            Stage::Content(Framing::Chunked) => outbox.push(b"0\r\n\r\n"),
            Stage::Content(Framing::Length(1..)) => {
                self.record_fault("wrote less than Content-Length");
            }
            Stage::Content(_) => {}
        }
    }
}
