//! The transitions of a connection. Each leads to the next state, or returns the want that must be answered before it
//! is tried again.

use alloc::borrow::Cow;
use core::fmt::Display;
use core::mem;
use core::time::Duration;

use super::bad_request::BadRequest;
use super::source::Feed;
use super::state::{Inbound, Pending, Request, State, Transition};
use super::{Connection, Progress};
use crate::engine::log::{CloseReason, LogEvent};
use crate::engine::reply_state::{Fault, ReplyState, Stage};
use crate::engine::{Event, Exchange, Handler, Next, Protocol};
use crate::fs::Ask;
use crate::text::status;
use crate::wire::{Body, ParseError, Piece, Version};

impl<F, H: Handler> Connection<F, H> {
    /// Makes one transition.
    pub(super) fn transition(&mut self) -> Transition {
        match mem::replace(&mut self.state, State::InTransition) {
            State::Head { since } => self.read_head(since),
            State::Body => self.read_body(),
            State::Ask { ask, since } => self.wait(State::Ask { ask, since }, Pending::Ask),
            State::Send(range) => self.send(range),
            State::Read => self.read_source(),
            State::Feed(feed) => self.feed(feed),
            State::WriteFile(bytes) => self.write_file(bytes),
            State::Commit => self.commit(),
            State::Flush if self.output().is_none() => self.resume(Event::End),
            State::Flush => self.wait_after_output(State::Flush, Pending::Write),
            State::Wait { until } => self.wait_after_output(State::Wait { until }, Pending::Wait),
            State::Upgrade => self.upgrade(),
            State::Write(bytes, at) => self.write_content(bytes, at),
            State::Drain(left) => self.drain(left),
            State::Closing => self.close(),
            State::Linger { .. } if self.inbound == Inbound::Eof => self.go(State::Closed),
            State::Linger { since, late } => {
                self.inbox.consume(self.inbox.len());
                self.wait(State::Linger { since, late }, Pending::Read)
            }
            State::Closed => self.end(),
            State::InTransition => {
                debug_assert!(false, "a transition leads to a state");
                self.go(State::Closed)
            }
        }
    }

    /// Writes the rest of the outbox, then closes this side.
    fn close(&mut self) -> Transition {
        self.source = None;
        // Only here everything has been written.
        if self.outbox.is_empty() {
            self.log_reply(true);
        }
        self.wait_after_output(State::Closing, Pending::Shutdown)
    }

    /// Drops the source, and ends the connection.
    fn end(&mut self) -> Transition {
        self.source = None;
        self.log_reply(false);
        let pending = match self.log.is_empty() {
            true => Pending::Close,
            false => Pending::Log,
        };
        self.wait(State::Closed, pending)
    }

    /// Hands the connection over once everything has been written.
    #[cold]
    fn upgrade(&mut self) -> Transition {
        if self.outbox.is_empty() {
            self.log_reply(true);
        }
        self.wait_after_output(State::Upgrade, Pending::Upgrade)
    }

    /// Returns a want that must be answered before `state` is continued.
    pub(super) fn wait(&mut self, state: State, pending: Pending) -> Transition {
        self.state = state;
        Transition::Wait(pending)
    }

    /// Does the same as [`wait`](Self::wait), but writes the log and the outbox first.
    pub(super) fn wait_after_output(&mut self, state: State, pending: Pending) -> Transition {
        let pending = self.output().unwrap_or(pending);
        self.wait(state, pending)
    }

    pub(super) fn go(&mut self, state: State) -> Transition {
        self.state = state;
        Transition::Continue
    }

    /// Returns the want to write the log or the outbox, if either is not empty.
    pub(super) fn output(&self) -> Option<Pending> {
        match () {
            () if !self.log.is_empty() => Some(Pending::Log),
            () if !self.outbox.is_empty() => Some(Pending::Write),
            () => None,
        }
    }

    fn read_head(&mut self, since: Duration) -> Transition {
        let state = State::Head { since };
        if self.room() == 0 {
            return self.wait_after_output(state, Pending::Write);
        }
        // `parse` is not called for an empty inbox: it would reset the last head, which the log still needs.
        let found = match self.inbox.filled() {
            [] => Ok(None),
            input => self.request.head.parse(input, &self.config.limits.head),
        };
        match found {
            Ok(Some(n)) => {
                self.inbox.consume(n);
                self.begin()
            }
            Err(error) => self.refuse(error),
            Ok(None) => {
                let eof = self.inbound == Inbound::Eof;
                match self.output() {
                    // The peer may have sent more requests. If they were left unread, closing the transport would
                    // destroy the end of the reply (RFC 9112 §9.6).
                    Some(_) if self.closing.is_some() => self.go(State::Closing),
                    Some(pending) => self.wait(state, pending),
                    None if self.closing.is_some() || eof && self.inbox_is_blank() => {
                        self.go(State::Closed)
                    }
                    None if eof => self.refuse(ParseError::Incomplete),
                    None => self.wait(state, Pending::Read),
                }
            }
        }
    }

    /// Returns whether the peer may still send. If its bytes were left unread, closing the transport would reset the
    /// connection.
    pub(super) fn peer_may_send(&self) -> bool {
        match self.inbound {
            Inbound::Open => true,
            Inbound::CloseAnnounced => !self.inbox.is_empty(),
            Inbound::Eof => false,
        }
    }

    /// Returns whether the inbox is empty, or has only the line break that some clients send after their content.
    pub(super) fn inbox_is_blank(&self) -> bool {
        self.inbox.filled().trim_ascii().is_empty()
    }

    fn begin(&mut self) -> Transition {
        self.served += 1;
        self.only_safe &= matches!(self.request.head.method(), "GET" | "HEAD");
        let reason = self.close_reason();
        self.begin_reply(reason);
        let simple = self.request.head.version() == Version::Http09;
        if simple && self.served > 1 {
            // On a reused connection the client could not tell where a reply without a head begins.
            return self.refuse(ParseError::RequestLine);
        }
        self.reply.simple = simple;
        (self.receiving, self.sending, self.peer_closed) = (None, None, None);
        if let Err(error) = self.frame_request() {
            return self.refuse(error);
        }
        if let Some(find) = &self.config.find_client {
            self.peer.find_client(&self.request.head, find);
        }
        let is_without_tls = self.is_without_tls;
        let (handler, mut ex) = self.exchange();
        let next = match is_without_tls {
            false => handler.begin(&mut ex),
            true => handler.begin_without_tls(&mut ex),
        };
        self.follow(next)
    }

    /// Returns why the connection closes after the reply to this request, as far as this is known before the handler is
    /// called.
    fn close_reason(&self) -> Option<CloseReason> {
        let is_http11 = self.config.protocol == Protocol::Http11;
        self.closing.or(match () {
            () if self.is_without_tls => Some(CloseReason::WithoutTls),
            () if !is_http11 => Some(CloseReason::Http10),
            () if !self.request.head.keep_alive() => Some(CloseReason::Requested),
            () if self.served >= self.config.limits.requests => Some(CloseReason::RequestLimit),
            () => None,
        })
    }

    /// Determines the framing of the request's content, and whether the peer waits for `100 Continue` before it sends
    /// it.
    fn frame_request(&mut self) -> Result<(), ParseError> {
        let is_http11 = self.config.protocol == Protocol::Http11;
        let Request {
            head,
            body,
            content_left,
            expects_continue,
        } = &mut self.request;
        *content_left = self.config.limits.content;
        *body = Body::of_request(head)?;
        *expects_continue = match head.expects_100() {
            Ok(expects) => expects && is_http11 && body.remaining() != Some(0),
            // An HTTP/1.0 server ignores expectations.
            Err(_) if !is_http11 => false,
            Err(error) => return Err(error),
        };
        if !head.keep_alive() && body.remaining() == Some(0) && self.inbound == Inbound::Open {
            self.inbound = Inbound::CloseAnnounced;
        }
        Ok(())
    }

    /// Resumes the handler with an event.
    pub(super) fn resume(&mut self, event: Event<'_>) -> Transition {
        let (handler, mut ex) = self.exchange();
        let next = handler.resume(&mut ex, event);
        self.follow(next)
    }

    /// Does the same as [`resume`](Self::resume) for data, which is frequent: inlined for this event alone.
    #[inline(always)]
    pub(super) fn resume_with_data(&mut self, bytes: &[u8]) -> Transition {
        let (handler, mut ex) = self.exchange();
        let next = handler.resume(&mut ex, Event::Data(bytes));
        self.follow(next)
    }

    /// Abandons the reply if there was no progress since the last call.
    #[cold]
    pub(super) fn check_progress(&mut self, last: &mut Option<Progress>) {
        let now = (
            self.inbox.len(),
            self.outbox.len(),
            self.reply.content,
            self.served,
        );
        if last.replace(now) == Some(now) {
            self.state = State::InTransition;
            _ = self.abandon_for_mistake("keeps asking for the same thing");
        }
    }

    fn exchange(&mut self) -> (&mut H, Exchange<'_>) {
        let Connection {
            request,
            peer,
            config,
            reply,
            outbox,
            log,
            failure,
            now,
            handler,
            waker,
            is_upgradable,
            dates,
            ..
        } = self;
        let Request {
            head,
            body,
            expects_continue,
            ..
        } = request;
        let (expects, now) = (*expects_continue, *now);
        let drain = config.limits.drain;
        (
            handler,
            Exchange {
                head,
                peer,
                expects,
                has_unread_content: expects || body.remaining().is_some_and(|left| left > drain),
                config,
                shared_config: config,
                now,
                reply,
                outbox,
                log,
                failure,
                waker,
                is_upgradable: *is_upgradable,
                dates,
                written: 0,
            },
        )
    }

    fn follow(&mut self, next: Next) -> Transition {
        let is_done = self.reply.is_ended_by(&next);
        if is_done {
            self.reply.finish(&mut self.outbox);
        }
        if self.reply.fault.is_some() {
            return self.abandon_for_fault();
        }
        if is_done {
            return self.done();
        }
        if let Next::Open(_)
        | Next::List(_)
        | Next::Run(_)
        | Next::Archive(_)
        | Next::Create(_)
        | Next::Change(_)
        | Next::Upload(_) = next
        {
            self.source = None;
        }
        if let Some(source) = &mut self.source {
            source.since = self.now.tick;
        }
        self.go(match next {
            Next::Body => State::Body,
            Next::Open(path) => return self.ask(Ask::Open(path)),
            Next::List(path) => return self.ask(Ask::List(path)),
            Next::Run(script) => return self.ask(Ask::Run(script)),
            Next::Verify(credentials) => return self.ask(Ask::Verify(credentials)),
            Next::Archive(request) => return self.ask(Ask::Archive(request)),
            Next::Create(create) => return self.ask(Ask::Create(create)),
            Next::Change(change) => return self.ask(Ask::Change(change)),
            Next::Upload(request) => return self.ask(Ask::Upload(request)),
            Next::WriteFile(bytes) => State::WriteFile(bytes),
            Next::Commit => State::Commit,
            Next::Feed => State::Feed(Feed::default()),
            Next::Read => State::Read,
            Next::Send(range) => State::Send(range),
            Next::Write(bytes) => State::Write(bytes, 0),
            Next::Flush => State::Flush,
            Next::Wait(time) => State::Wait {
                until: self.now.tick.saturating_add(time),
            },
            Next::Upgrade => return self.begin_upgrade(),
            Next::Done => State::Closing,
        })
    }

    /// Ends a complete reply.
    fn done(&mut self) -> Transition {
        self.source = None;
        if self.reply.close.is_some() {
            return self.go(State::Closing);
        }
        self.log_reply(true);
        self.drain(self.config.limits.drain)
    }

    fn ask(&mut self, ask: Ask) -> Transition {
        self.go(State::Ask {
            ask,
            since: self.now.tick,
        })
    }

    /// Begins to hand the connection over, if the handler has sent a complete 101 (or a 2xx to CONNECT) and the adapter
    /// supports it.
    #[cold]
    fn begin_upgrade(&mut self) -> Transition {
        let status = self.reply.status;
        let is_told =
            status == 101 || self.request.head.method() == "CONNECT" && matches!(status, 200..=299);
        match () {
            () if !self.is_upgradable => {
                self.abandon(501, &"This server does not support upgrades")
            }
            () if !is_told || self.reply.stage == Stage::Head => {
                self.abandon_for_mistake("upgraded the connection without a complete 101")
            }
            () if self.request.body.remaining() != Some(0) => {
                self.abandon_for_mistake("upgraded the connection before it had read the content")
            }
            () => self.go(State::Upgrade),
        }
    }

    fn read_body(&mut self) -> Transition {
        if self.room() == 0 {
            return self.wait_after_output(State::Body, Pending::Write);
        }
        match self.next_piece(State::Body) {
            Ok(0) => self.resume(Event::End),
            Ok(n) => {
                let mut inbox = mem::take(&mut self.inbox);
                let then = self.resume_with_data(&inbox.filled()[..n]);
                inbox.consume(n);
                self.inbox = inbox;
                then
            }
            Err(then) => then,
        }
    }

    /// Returns the length of the next piece of content at the front of the inbox, 0 at its end. If there is none yet,
    /// returns as `Err` what must happen before `state` is continued.
    pub(super) fn next_piece(&mut self, state: State) -> Result<usize, Transition> {
        if self
            .request
            .body
            .remaining()
            .is_some_and(|left| left > self.request.content_left)
        {
            return Err(self.abandon(413, &status::phrase(413)));
        }
        if mem::take(&mut self.request.expects_continue) {
            self.reply.send_continue(&mut self.outbox);
        }
        loop {
            // No more than a handler may write back in one call.
            let max = self.config.limits.outbox;
            match self.request.body.next_up_to(self.inbox.filled(), max) {
                Ok(Piece::Data(n)) => {
                    let Some(left) = self.request.content_left.checked_sub(n as u64) else {
                        return Err(self.abandon(413, &status::phrase(413)));
                    };
                    self.request.content_left = left;
                    return Ok(n);
                }
                Ok(Piece::End) => return Ok(0),
                Ok(Piece::Skip(n) | Piece::Trailers(n)) => self.inbox.consume(n),
                Ok(Piece::More) if self.inbound == Inbound::Eof => {
                    return Err(self.abandon_for_bad_request(ParseError::Incomplete));
                }
                Ok(Piece::More) => {
                    return Err(self.wait_after_output(state, Pending::Read));
                }
                Err(error) => return Err(self.abandon_for_bad_request(error)),
            }
        }
    }

    /// Writes the handler's content from `at` on, as far as it fits into the outbox.
    fn write_content(&mut self, bytes: Cow<'static, [u8]>, at: usize) -> Transition {
        let left = &bytes[at..];
        if left.is_empty() {
            return self.resume(Event::End);
        }
        if self.room() == 0 {
            return self.wait_after_output(State::Write(bytes, at), Pending::Write);
        }
        let n = left.len().min(self.room());
        self.reply.write(&left[..n], &mut self.outbox);
        match self.reply.fault {
            Some(_) => self.abandon_for_fault(),
            None => self.go(State::Write(bytes, at + n)),
        }
    }

    /// Discards the unread content of the request, after which the next request begins.
    fn drain(&mut self, left: u64) -> Transition {
        let n = match self.request.body.next(self.inbox.filled()) {
            Ok(Piece::End) => {
                return self.go(State::Head {
                    since: self.now.tick,
                });
            }
            Ok(Piece::Data(n) | Piece::Skip(n) | Piece::Trailers(n)) => n,
            Ok(Piece::More) if self.inbound != Inbound::Eof && self.closing.is_none() => {
                return self.wait_after_output(State::Drain(left), Pending::Read);
            }
            Ok(Piece::More) | Err(_) => return self.go(State::Closing),
        };
        self.inbox.consume(n);
        self.go(left
            .checked_sub(n as u64)
            .map_or(State::Closing, State::Drain))
    }

    /// Resets the reply state for a new reply.
    fn begin_reply(&mut self, close: Option<CloseReason>) {
        self.reply = ReplyState::new(self.outbox.len(), self.now.tick, close);
        self.failure.clear();
    }

    /// Removes the whole reply from the outbox if none of it has been sent. Returns whether it did.
    fn retract_reply(&mut self) -> bool {
        let is_retracted = self.reply.retract(&mut self.outbox);
        if is_retracted {
            self.failure.clear();
        }
        is_retracted
    }

    /// Replies to a request that cannot be parsed, and closes.
    #[cold]
    fn refuse(&mut self, error: ParseError) -> Transition {
        self.begin_reply_to_partial_head();
        self.abandon_for_bad_request(error)
    }

    /// Begins the last reply, to a head that may be incomplete or malformed. The start of its request line still shows
    /// whether the method is HEAD.
    fn begin_reply_to_partial_head(&mut self) {
        self.peer.forget_client();
        self.begin_reply(Some(CloseReason::Error));
        let input = self.inbox.filled();
        let line = input.strip_prefix(b"\r\n").unwrap_or(input);
        self.reply.to_head = self.request.head.method().is_empty()
            && line.starts_with(b"HEAD ")
            && !self.config.page_for_bad_head;
    }

    /// Abandons a reply: replaces it by an error if none of it has been sent; otherwise closes the connection, and logs
    /// the message.
    #[cold]
    pub(super) fn abandon(&mut self, status: u16, message: &dyn Display) -> Transition {
        self.handler.release();
        if self.retract_reply() {
            let (_, mut ex) = self.exchange();
            ex.send_error(status, message);
            return self.go(State::Closing);
        }
        self.log_failure(message);
        self.go(State::Closed)
    }

    /// Abandons a reply because of the fault that was recorded, or closes if there is none.
    #[cold]
    fn abandon_for_fault(&mut self) -> Transition {
        match self.reply.fault.take().as_deref() {
            Some(Fault::Failed(status, message)) => self.abandon(*status, message),
            Some(Fault::Mistake(mistake)) => self.abandon_for_mistake(mistake),
            None => self.go(State::Closing),
        }
    }

    /// Abandons a reply because of a mistake of the handler.
    #[cold]
    pub(super) fn abandon_for_mistake(&mut self, mistake: &'static str) -> Transition {
        let (_, mut ex) = self.exchange();
        ex.record(LogEvent::Mistake(mistake));
        self.abandon(500, &format_args!("The handler {mistake}"))
    }

    /// Logs why a reply breaks off.
    #[cold]
    pub(super) fn log_failure(&mut self, message: &dyn Display) {
        let (_, mut ex) = self.exchange();
        ex.log_failure(message);
    }

    /// Abandons a reply because the request, or its content, is malformed.
    #[cold]
    fn abandon_for_bad_request(&mut self, error: ParseError) -> Transition {
        self.handler.release();
        let is_retracted = self.retract_reply();
        let (_, mut ex) = self.exchange();
        let bad_request = BadRequest {
            request_line: ex.head.request_line(),
            error,
        };
        if is_retracted {
            let explanation = bad_request.explanation();
            let logged = ex.log.len();
            ex.send_error_with(error.status(), bad_request, explanation);
            if error == ParseError::Tls {
                // A TLS handshake has no request to log, neither now nor at the end of the reply.
                ex.log.truncate(logged);
                ex.log_message(TLS);
                self.reply.logged = true;
            }
            return self.go(State::Closing);
        }
        ex.log_failure(&bad_request);
        self.go(State::Closed)
    }

    /// Replies 408 to a head that is not complete in time.
    #[cold]
    pub(super) fn time_out_head(&mut self) {
        self.begin_reply_to_partial_head();
        self.abandon(408, &status::phrase(408));
    }

    /// Logs the end of the reply, once.
    pub(super) fn log_reply(&mut self, complete: bool) {
        let ReplyState {
            status,
            content,
            since,
            close,
            ..
        } = self.reply;
        if status == 0 || mem::replace(&mut self.reply.logged, true) {
            return;
        }
        let unsent = self.outbox.len() as u64 * u64::from(!complete);
        let (_, mut ex) = self.exchange();
        let failure = mem::take(ex.failure);
        ex.record(LogEvent::Reply {
            status,
            bytes: content.saturating_sub(unsent),
            time: ex.now.tick.saturating_sub(since),
            complete,
            close,
            failure: (!failure.is_empty()).then_some(&failure),
        });
        // Reuses its memory for the next reply.
        *ex.failure = failure;
    }

    /// Logs lines of a CGI script.
    #[cold]
    pub(super) fn log_note(&mut self, text: &str) {
        let (_, mut ex) = self.exchange();
        text.lines().for_each(|line| ex.log_message(line));
    }
}

/// The log message for a TLS handshake on a plain HTTP port.
const TLS: &str = "TLS on a plain HTTP port: use http://, or start the server with TLS";
