//! [`Reply`]: how far the reply to a request is, and how its content is framed.
//!
//! The bytes themselves are in the outbox; [`Exchange`](crate::Exchange) puts them there.

use core::fmt::Write;
use core::time::Duration;

use super::Buffer;
use super::log::CloseReason;

/// The state of one reply.
#[derive(Debug)]
pub(crate) struct ReplyState {
    pub(crate) stage: Stage,
    /// Where in the outbox it starts, as long as none of it has left.
    start: Option<usize>,
    pub(crate) status: u16,
    /// The `Content-Length` that was announced.
    pub(crate) content_length: Option<u64>,
    /// Whether a `Connection` field was sent.
    pub(crate) has_connection_field: bool,
    /// Why the connection closes after it, if it does.
    pub(crate) close: Option<CloseReason>,
    /// Whether it is its content and nothing else, in answer to a simple request of HTTP/0.9. A request
    /// that is refused is told so in a reply with a status line.
    pub(crate) simple: bool,
    /// Whether it answers HEAD although the request line was not understood.
    pub(crate) to_head: bool,
    /// Bytes of its content so far.
    pub(crate) content: u64,
    /// When its request was there.
    pub(crate) since: Duration,
    /// Whether a [`Guard`](crate::Guard) has found the credentials of its request right.
    pub(crate) authenticated: bool,
    /// Whether the log knows that it is over.
    pub(crate) logged: bool,
    /// What the handler did wrong.
    pub(crate) fault: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was sent.
    Start,
    /// The head is being written.
    Head,
    /// Content follows, framed so.
    Content(Framing),
}

/// How the peer learns where the content ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none, whatever its length is said to be: HEAD, 204, 304.
    Empty,
    /// By `Content-Length`; so many bytes are left.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

impl ReplyState {
    /// One of which nothing was sent yet, to be put behind `outbox` bytes of earlier ones.
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
            logged: false,
            fault: None,
        }
    }

    /// Whether all of it is its head, which is complete.
    pub(crate) fn is_head_only(&self) -> bool {
        self.stage == Stage::Content(Framing::Empty)
    }

    /// Closes the connection after this reply. The first reason counts.
    pub(crate) fn close_for(&mut self, reason: CloseReason) {
        self.close = self.close.or(Some(reason));
    }

    /// So many bytes of the outbox have left.
    pub(crate) fn sent(&mut self, n: usize) {
        self.start = self.start.and_then(|start| start.checked_sub(n));
    }

    /// Takes the whole reply back, if none of it has left.
    pub(crate) fn retract(&mut self, outbox: &mut Buffer) -> bool {
        let Some(start) = self.start else {
            return false;
        };
        outbox.truncate(start);
        *self = ReplyState {
            authenticated: self.authenticated,
            simple: self.simple,
            to_head: self.to_head,
            ..ReplyState::new(start, self.since, Some(CloseReason::Error))
        };
        true
    }

    /// Notes what the handler did wrong; the first mistake counts.
    pub(crate) fn record_fault(&mut self, fault: &'static str) {
        self.fault = self.fault.or(Some(fault));
    }

    /// The head is complete, and for HTTP/0.9 not sent.
    pub(crate) fn end_head(&mut self, framing: Framing, outbox: &mut Buffer) {
        if self.simple
            && let Some(start) = self.start
        {
            outbox.truncate(start);
        }
        // RFC 9110 §15.2: an interim reply is followed by the final one.
        self.stage = if self.status < 200 {
            Stage::Start
        } else {
            Stage::Content(framing)
        };
    }

    /// Sends the interim reply that asks for the content, before this reply if that has begun.
    pub(crate) fn send_continue(&mut self, outbox: &mut Buffer) {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        if let Some(start) = &mut self.start {
            outbox.insert(*start, CONTINUE);
            *start += CONTINUE.len();
        }
    }

    /// How many of `len` bytes the content still takes.
    pub(crate) fn accepts(&self, len: u64) -> u64 {
        match self.stage {
            Stage::Content(Framing::Length(left)) => len.min(left),
            Stage::Content(Framing::Chunked | Framing::Close) => len,
            _ => 0,
        }
    }

    /// So many bytes of content went past the outbox, or were put there already.
    pub(crate) fn count(&mut self, n: usize) {
        self.content += n as u64;
        if let Stage::Content(Framing::Length(left)) = &mut self.stage {
            *left -= n as u64;
        }
    }

    /// Adds content.
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

    /// Makes content of the last `n` bytes of the outbox.
    pub(crate) fn frame(&mut self, n: usize, outbox: &mut Buffer) {
        self.count(n);
        if n > 0 && self.stage == Stage::Content(Framing::Chunked) {
            let mut size = Buffer::new();
            write!(size, "{n:x}\r\n").expect("a buffer takes everything");
            outbox.insert(outbox.len() - n, size.filled());
            outbox.push(b"\r\n");
        }
    }

    /// The handler says that this was all.
    pub(crate) fn finish(&mut self, outbox: &mut Buffer) {
        match self.stage {
            // An interim reply with nothing behind it: the peer is not left to wait for more.
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
