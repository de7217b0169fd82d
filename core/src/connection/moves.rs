//! The moves of the machine. Each function that returns something says what must happen before it
//! can be tried again; the others lead to the state that they leave behind.

use alloc::borrow::Cow;
use core::fmt::Display;
use core::mem;

use super::bad_request::BadRequest;
use super::source::Feed;
use super::{Connection, Pending, State};
use crate::log::LogEvent;
use crate::reply::Reply;
use crate::wire::{Body, ParseError, Piece, Version};
use crate::{Ask, Event, Exchange, Handler, Next, Protocol, status};

impl<F, H: Handler> Connection<F, H> {
    /// Makes one move, or says what must happen before the next.
    pub(super) fn advance(&mut self) -> Option<Pending> {
        match mem::replace(&mut self.state, State::Closed) {
            State::Head => self.read_head(),
            State::Body => self.read_body(),
            State::Ask(ask) => self.wait(State::Ask(ask), Pending::Ask),
            State::Send(range) => self.send(range),
            State::Read => self.read_source(),
            State::Feed(feed) => self.feed(feed),
            State::Give(bytes) => self.give(bytes),
            State::Flush => match self.output() {
                Some(pending) => self.wait(State::Flush, pending),
                None => self.resume(Event::End),
            },
            State::Write(bytes, at) => self.write_content(bytes, at),
            State::Drain(left) => self.drain(left),
            State::Closing => {
                self.source = None;
                // Here it is known what the peer took.
                if self.outbox.is_empty() {
                    self.log_reply(true);
                }
                let pending = self.output().unwrap_or(Pending::Shutdown);
                self.wait(State::Closing, pending)
            }
            State::Linger { .. } if self.ended => None,
            State::Linger { late } => {
                self.inbox.eat(self.inbox.len());
                self.wait(State::Linger { late }, Pending::Read)
            }
            State::Closed => {
                self.source = None;
                self.log_reply(false);
                Some(if self.log.is_empty() {
                    Pending::Close
                } else {
                    Pending::Log
                })
            }
        }
    }

    pub(super) fn wait(&mut self, state: State, pending: Pending) -> Option<Pending> {
        self.state = state;
        Some(pending)
    }

    pub(super) fn go(&mut self, state: State) -> Option<Pending> {
        self.state = state;
        None
    }

    /// What is to be told before anything is waited for.
    pub(super) fn output(&self) -> Option<Pending> {
        match () {
            () if !self.log.is_empty() => Some(Pending::Log),
            () if !self.outbox.is_empty() => Some(Pending::Write),
            () => None,
        }
    }

    fn read_head(&mut self) -> Option<Pending> {
        if self.room() == 0 {
            return self.wait(State::Head, self.output()?);
        }
        // Of nothing there is nothing to find, and the last head is not forgotten for it.
        let found = match self.inbox.filled() {
            [] => Ok(None),
            input => self.head.parse(input, &self.config.limits.head),
        };
        match found {
            Ok(Some(n)) => {
                self.inbox.eat(n);
                self.begin()
            }
            Err(error) => self.refuse(error),
            Ok(None) => match self.output() {
                Some(pending) => self.wait(State::Head, pending),
                None if self.last || self.ended && self.inbox_is_blank() => None,
                None if self.ended => self.refuse(ParseError::Incomplete),
                None => self.wait(State::Head, Pending::Read),
            },
        }
    }

    /// Whether the peer may still send something, which would break the connection if nobody read it.
    pub(super) fn may_hear_more(&self) -> bool {
        !(self.ended || self.parted && self.inbox.is_empty())
    }

    /// Whether nothing has come, or just the empty line that some clients add to their content.
    pub(super) fn inbox_is_blank(&self) -> bool {
        self.inbox.filled().trim_ascii().is_empty()
    }

    fn begin(&mut self) -> Option<Pending> {
        let modern = self.config.protocol == Protocol::Http11;
        self.served += 1;
        let close = self.last
            || self.is_without_tls
            || !modern
            || !self.head.keep_alive()
            || self.served >= self.config.limits.requests;
        self.begin_reply(close);
        let simple = self.head.version() == Version::Http09;
        if simple && self.served > 1 {
            // In the middle of a connection nobody knows where a reply without a head begins.
            return self.refuse(ParseError::RequestLine);
        }
        self.reply.simple = simple;
        (self.inward, self.outward, self.peer_closed) = (None, None, None);
        self.content_left = self.config.limits.content;
        (self.body, self.expects) = match (Body::of_request(&self.head), self.head.expects_100()) {
            (Ok(body), Ok(expects)) => (body, expects && modern),
            (Err(error), _) => return self.refuse(error),
            // A server of HTTP/1.0 knows of no expectation.
            (Ok(body), Err(_)) if !modern => (body, false),
            (_, Err(error)) => return self.refuse(error),
        };
        self.expects &= self.body.left() != Some(0);
        self.parted = !self.head.keep_alive() && self.body.left() == Some(0);
        let is_without_tls = self.is_without_tls;
        let (handler, mut ex) = self.exchange();
        let next = match is_without_tls {
            false => handler.begin(&mut ex),
            true => handler.begin_without_tls(&mut ex),
        };
        self.follow(next)
    }

    /// Tells the handler what it waited for.
    pub(super) fn resume(&mut self, event: Event<'_>) -> Option<Pending> {
        let (handler, mut ex) = self.exchange();
        let next = handler.resume(&mut ex, event);
        self.follow(next)
    }

    fn exchange(&mut self) -> (&mut H, Exchange<'_>) {
        let Connection {
            head,
            body,
            peer,
            expects,
            config,
            reply,
            outbox,
            log,
            failure,
            now,
            handler,
            ..
        } = self;
        let (expects, now) = (*expects, *now);
        let drain = config.limits.drain;
        (
            handler,
            Exchange {
                head,
                peer,
                expects,
                content_stays: expects || body.left().is_some_and(|left| left > drain),
                config,
                now,
                reply,
                outbox,
                log,
                failure,
                written: 0,
            },
        )
    }

    fn follow(&mut self, next: Next) -> Option<Pending> {
        if let Next::Done = next {
            self.reply.finish(&mut self.outbox);
        }
        if let Some(fault) = self.reply.fault {
            return self.abandon(500, &format_args!("The handler {fault}"));
        }
        if let Next::Open(_)
        | Next::List(_)
        | Next::Run(_)
        | Next::Pack(_)
        | Next::Create(_)
        | Next::Done = next
        {
            self.source = None;
        }
        self.since = self.now.tick;
        self.go(match next {
            Next::Body => State::Body,
            Next::Open(path) => State::Ask(Ask::Open(path)),
            Next::List(path) => State::Ask(Ask::List(path)),
            Next::Run(program) => State::Ask(Ask::Run(program)),
            Next::Verify(given) => State::Ask(Ask::Verify(given)),
            Next::Pack(pack) => State::Ask(Ask::Pack(pack)),
            Next::Create(create) => State::Ask(Ask::Create(create)),
            Next::Give(bytes) => State::Give(bytes),
            Next::Feed => State::Feed(Feed::default()),
            Next::Read => State::Read,
            Next::Send(range) => State::Send(range),
            Next::Write(bytes) => State::Write(bytes, 0),
            Next::Flush => State::Flush,
            Next::Done if self.reply.close => State::Closing,
            Next::Done => {
                self.log_reply(true);
                return self.drain(self.config.limits.drain);
            }
        })
    }

    fn read_body(&mut self) -> Option<Pending> {
        if self.room() == 0 {
            return self.wait(State::Body, self.output()?);
        }
        match self.next_piece(State::Body) {
            Ok(0) => self.resume(Event::End),
            Ok(n) => {
                let mut inbox = mem::take(&mut self.inbox);
                let pending = self.resume(Event::Data(&inbox.filled()[..n]));
                inbox.eat(n);
                self.inbox = inbox;
                pending
            }
            Err(pending) => pending,
        }
    }

    /// How long the next piece of content is, 0 at the end. Or, if it is not there, what must
    /// happen before it is looked for again in `state`.
    pub(super) fn next_piece(&mut self, state: State) -> Result<usize, Option<Pending>> {
        if self
            .body
            .left()
            .is_some_and(|left| left > self.content_left)
        {
            return Err(self.abandon(413, &status::phrase(413)));
        }
        if mem::take(&mut self.expects) {
            self.reply.send_continue(&mut self.outbox);
        }
        loop {
            // A handler may write what it is given.
            let most = self.config.limits.outbox;
            match self.body.next_up_to(self.inbox.filled(), most) {
                Ok(Piece::Data(n)) => {
                    let Some(left) = self.content_left.checked_sub(n as u64) else {
                        return Err(self.abandon(413, &status::phrase(413)));
                    };
                    self.content_left = left;
                    return Ok(n);
                }
                Ok(Piece::End) => return Ok(0),
                Ok(Piece::Skip(n) | Piece::Trailers(n)) => self.inbox.eat(n),
                Ok(Piece::More) if self.ended => {
                    return Err(self.abandon_bad(ParseError::Incomplete));
                }
                Ok(Piece::More) => {
                    let pending = self.output().unwrap_or(Pending::Read);
                    return Err(self.wait(state, pending));
                }
                Err(error) => return Err(self.abandon_bad(error)),
            }
        }
    }

    /// Writes what is left of a handler's content from `at` on, as far as there is room.
    fn write_content(&mut self, bytes: Cow<'static, [u8]>, at: usize) -> Option<Pending> {
        let left = &bytes[at..];
        if left.is_empty() {
            return self.resume(Event::End);
        }
        if self.room() == 0 {
            let pending = self.output()?;
            return self.wait(State::Write(bytes, at), pending);
        }
        let n = left.len().min(self.room());
        self.reply.write(&left[..n], &mut self.outbox);
        match self.reply.fault {
            Some(fault) => self.abandon(500, &format_args!("The handler {fault}")),
            None => self.go(State::Write(bytes, at + n)),
        }
    }

    /// Throws away what is left of the content, so that the next request can be found.
    fn drain(&mut self, left: u64) -> Option<Pending> {
        let n = match self.body.next(self.inbox.filled()) {
            Ok(Piece::End) => {
                self.since = self.now.tick;
                return self.go(State::Head);
            }
            Ok(Piece::Data(n) | Piece::Skip(n) | Piece::Trailers(n)) => n,
            Ok(Piece::More) if !self.ended && !self.last => {
                let pending = self.output().unwrap_or(Pending::Read);
                return self.wait(State::Drain(left), pending);
            }
            Ok(Piece::More) | Err(_) => return self.go(State::Closing),
        };
        self.inbox.eat(n);
        self.go(left
            .checked_sub(n as u64)
            .map_or(State::Closing, State::Drain))
    }

    /// Begins a reply of which nothing is known yet.
    fn begin_reply(&mut self, close: bool) {
        self.reply = Reply::new(self.outbox.len(), self.now.tick, close);
        self.failure.clear();
    }

    /// Takes the whole reply back, if none of it has left.
    fn take_reply_back(&mut self) -> bool {
        let taken = self.reply.take_back(&mut self.outbox);
        if taken {
            self.failure.clear();
        }
        taken
    }

    /// Replies to a request that cannot be understood, and closes.
    fn refuse(&mut self, error: ParseError) -> Option<Pending> {
        self.begin_reply(true);
        self.abandon_bad(error)
    }

    /// Gives up a reply: in its place comes an error, if none of it has left, else the connection
    /// breaks off and the log says why.
    pub(super) fn abandon(&mut self, status: u16, message: &dyn Display) -> Option<Pending> {
        if self.take_reply_back() {
            let (_, mut ex) = self.exchange();
            ex.send_error(status, message);
            return self.go(State::Closing);
        }
        self.log_failure(message);
        self.go(State::Closed)
    }

    /// Logs why a reply breaks off.
    pub(super) fn log_failure(&mut self, message: &dyn Display) {
        let (_, mut ex) = self.exchange();
        ex.log_failure(message);
    }

    /// Gives up a reply because of the content of its request.
    fn abandon_bad(&mut self, error: ParseError) -> Option<Pending> {
        let takes_back = self.take_reply_back();
        let (_, mut ex) = self.exchange();
        let bad_request = BadRequest {
            request_line: ex.head.request_line(),
            error,
        };
        if takes_back {
            let explanation = bad_request.explanation();
            let logged = ex.log.len();
            ex.send_error_with(error.status(), bad_request, explanation);
            if error == ParseError::Tls {
                // There is no request to be logged, now or at the end of the reply.
                ex.log.truncate(logged);
                ex.log_message(TLS);
                self.reply.logged = true;
            }
            return self.go(State::Closing);
        }
        ex.log_failure(&bad_request);
        self.go(State::Closed)
    }

    /// Replies 408 to a head that does not come to its end.
    pub(super) fn time_out_head(&mut self) {
        self.begin_reply(true);
        self.abandon(408, &status::phrase(408));
    }

    /// Logs that the reply is over, once.
    pub(super) fn log_reply(&mut self, complete: bool) {
        let Reply {
            status,
            content,
            since,
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
            failure: (!failure.is_empty()).then_some(&failure),
        });
        // Its memory is for the next one.
        *ex.failure = failure;
    }

    /// A program has to say something in the log.
    pub(super) fn note(&mut self, text: &str) {
        let (_, mut ex) = self.exchange();
        text.lines().for_each(|line| ex.log_message(line));
    }
}

/// What is logged of a handshake of TLS.
const TLS: &str = "TLS on a plain HTTP port: use http://, or start the server with TLS";
