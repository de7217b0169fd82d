//! [`Connection`]: the protocol. Everything that changes the state of a connection is in this folder:
//! here what it is and what it lends, in `hear` what comes from outside, in `moves` what follows from
//! it, in `source` what is done with a file or program, in `time` what happens when nothing comes, in
//! `rest` what is left of it then.
//!
//! # Theory of operation
//!
//! ```text
//!             +--------------------------------------------------------------+
//!             v                                                              |
//!   new --> Head --a head--> begin() --> follow(Next) --Done--> Drain --end--+
//!             |                            ^      |               |
//!             |                  resume(Event)    | Body Ask Send |
//!             |                            +------+ Read Feed Write Flush
//!          bad, late                              |               |
//!             +-----------> Closing <-------------+---------------+
//!                              |
//!                           Linger --> Closed
//! ```
//!
//! [`step`](Connection::step) settles the want that was pending ([`hear`]), then moves the machine
//! until something must happen outside ([`advance`]). `advance` makes one move and returns nothing,
//! or makes none and returns what is [`Pending`]; the state it works on is taken out before, so that
//! a move that forgets to say where it leads leads to `Closed`. Only [`want`] turns what is pending
//! into borrowed buffers.
//!
//! The peer is never waited for while there is something to tell it, and nothing is written before
//! the log line that speaks of it. Replies to pipelined requests collect in the outbox.
//!
//! [`hear`]: Connection::hear
//! [`advance`]: Connection::advance
//! [`want`]: Connection::want

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

pub use self::rest::Rest;
use self::source::{Feed, Source};
pub use self::time::Delivery;
use self::time::{Flow, Taken};
use crate::reply::Reply;
use crate::wire::{Body, RequestHead};
use crate::{Ask, Buffer, Config, Got, Handler, Now, Phase, Step, Want, https};

mod bad_request;
mod hear;
mod moves;
mod rest;
mod source;
mod time;

/// One connection to one peer, without I/O. See the [crate's page](crate) for the loop around it.
///
/// It is made for each connection that was accepted, and asked by [`step`](Self::step) what to do, until it wants
/// [`Close`](Want::Close). `F` is what the file system calls an open file. Whatever the peer sends, it neither fails
/// nor panics; an adapter that answers what was not wanted panics.
///
/// ```
/// use sanserve_core::{Config, Connection, Got, Next, Now, Want, from_fn};
///
/// let gone = from_fn(|ex| ex.send_error(410, "It was here"));
/// let mut conn = Connection::<(), _>::new(Config::default(), "192.0.2.1", gone);
/// let Want::Read(into) = conn.step(Now::default(), Got::Nothing).want else { panic!() };
/// into[..18].copy_from_slice(b"GET / HTTP/1.0\r\n\r\n");
/// let Want::Log(_) = conn.step(Now::default(), Got::Bytes(18)).want else { panic!() };
/// let Want::Write(from) = conn.step(Now::default(), Got::Nothing).want else { panic!() };
/// assert!(from.starts_with(b"HTTP/1.0 410 It was here\r\n"));
/// ```
pub struct Connection<F, H> {
    config: Config,
    peer: String,
    handler: H,
    state: State,
    pending: Pending,
    inbox: Buffer,
    outbox: Buffer,
    log: String,
    /// What went wrong with the reply, for the log; empty if nothing did.
    failure: String,
    head: RequestHead,
    body: Body,
    reply: Reply,
    source: Option<Source<F>>,
    now: Now,
    /// When the wait began that is not measured by bytes.
    since: Duration,
    inward: Option<Flow>,
    outward: Option<Flow>,
    taken: Taken,
    /// How much more content is taken.
    content_left: u64,
    /// How many requests there were.
    served: u32,
    /// The peer will send no more.
    ended: bool,
    /// The peer waits for a word before it sends content.
    expects: bool,
    /// The running reply is the last.
    last: bool,
    /// The peer has said that it will send nothing more.
    parted: bool,
    /// The peer speaks plain HTTP where TLS was expected.
    is_without_tls: bool,
    /// When the peer was found to have closed its side while a program ran, or when that last wrote something.
    peer_closed: Option<Duration>,
}

#[derive(Debug)]
enum State {
    /// A request head is collected.
    Head,
    /// The handler waits for content.
    Body,
    /// The handler waits for the file system.
    Ask(Ask),
    /// Of the file or program that is open, that part is left to be sent.
    Send(Range<u64>),
    /// The handler waits for what is open.
    Read,
    /// Content is on its way to the program.
    Feed(Feed),
    /// These bytes are on their way to a file that is being made, or it is to be completed.
    Give(Vec<u8>),
    /// The handler's content is being written; so many bytes of it were.
    Write(Cow<'static, [u8]>, usize),
    /// The handler waits for the outbox to be empty.
    Flush,
    /// The reply is complete; so many more bytes of content may be thrown away.
    Drain(u64),
    /// Nothing more will be said.
    Closing,
    /// The peer was told, and has time to take notice; more of it if it has not taken the reply yet.
    Linger { late: bool },
    /// The end.
    Closed,
}

/// What is wanted, without the buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Start,
    Read,
    Write,
    Fill,
    Copy,
    Give,
    Ask,
    Log,
    Shutdown,
    Close,
}

impl<F, H: Handler> Connection<F, H> {
    /// A new connection to `peer`, which is its address as log lines show it.
    ///
    /// # Panics
    /// If [`Limits::outbox`](crate::Limits::outbox) is below 512 bytes, too little for any reply.
    pub fn new(config: Config, peer: &str, handler: H) -> Self {
        assert!(
            config.limits.outbox >= 512,
            "Limits::outbox is too small for any reply"
        );
        let largest_head = config.limits.head.buffer();
        Connection {
            config,
            peer: peer.into(),
            handler,
            state: State::Head,
            pending: Pending::Start,
            inbox: Buffer::up_to(largest_head.saturating_add(config.limits.outbox / 8)),
            outbox: Buffer::up_to(config.limits.outbox),
            log: String::new(),
            failure: String::new(),
            head: RequestHead::new(),
            body: Body::EMPTY,
            reply: Reply::new(0, Duration::ZERO, true),
            source: None,
            now: Now::default(),
            since: Duration::ZERO,
            inward: None,
            outward: None,
            taken: Taken::default(),
            content_left: 0,
            served: 0,
            ended: false,
            expects: false,
            last: false,
            parted: false,
            is_without_tls: false,
            peer_closed: None,
        }
    }

    /// Takes the answer to the last want ([`Got::Nothing`] at first), and says what is wanted now.
    /// Whatever the peer does, this returns.
    ///
    /// # Panics
    /// If the answer is of another kind than the want: a mistake in the adapter.
    pub fn step(&mut self, now: Now, got: Got<F>) -> Step<'_, F> {
        if now != self.now {
            self.pause(now.tick.saturating_sub(self.now.tick));
            self.now = now;
        }
        self.hear(got);
        let by = loop {
            let Some(pending) = self.advance() else {
                continue;
            };
            self.pending = pending;
            match self.deadline() {
                Some(by) if by <= now.tick => self.expire(),
                by => break by,
            }
        };
        Step {
            more: match self.pending {
                Pending::Write => self.is_to_copy(),
                Pending::Shutdown => self.may_hear_more(),
                _ => false,
            },
            phase: self.phase(),
            want: self.want(),
            by,
        }
    }

    /// Returns what would be lost if the connection were closed now.
    pub fn phase(&self) -> Phase {
        match (self.pending, &self.state) {
            (Pending::Read, State::Head) if self.inbox.is_empty() => Phase::Idle,
            (Pending::Read, State::Head | State::Drain(_) | State::Linger { late: true }) => {
                Phase::Head
            }
            _ => Phase::Busy,
        }
    }

    /// Makes the running reply the last one; a connection that waits for a request, or for the rest of a head, closes at
    /// the next step.
    pub fn finish(&mut self) {
        self.last = true;
        self.reply.close = true;
    }

    /// Says that the peer has begun to speak plain HTTP at a port for HTTPS. Its first request is answered by
    /// [`Handler::begin_without_tls`], errors are plain text, and the connection closes afterwards. To be called before the
    /// step that is given its first bytes.
    pub fn without_tls(&mut self) {
        self.is_without_tls = true;
        self.config.error_page = https::error_page;
        self.config.error_content_type = https::TYPE;
    }

    /// Returns whether the output of a program, the end of other work that takes long, or whether a password is right,
    /// is waited for. Nothing is read
    /// from the peer meanwhile, so the adapter has to watch the link: it calls [`peer_closed`](Self::peer_closed) when
    /// the peer has closed its side, and [`peer_reset`](Self::peer_reset) when the connection is gone.
    pub fn awaits_work(&self) -> bool {
        match (self.pending, &self.state) {
            (Pending::Fill, _) => self.source.as_ref().is_some_and(Source::works),
            (Pending::Ask, State::Ask(ask)) => matches!(ask, Ask::Verify(_)),
            _ => false,
        }
    }

    /// Notes that the peer will send nothing more. Whether it still reads shows only when something is sent: work
    /// that yields nothing for [`Patience::half_closed`](crate::Patience::half_closed) from now on is ended. It makes
    /// no difference where no work is [waited for](Self::awaits_work), nor the second time.
    pub fn peer_closed(&mut self) {
        if self.awaits_work() {
            self.peer_closed.get_or_insert(self.now.tick);
        }
    }

    /// Ends the connection, which is gone, with whatever is done for its peer. The answer to the pending want is
    /// [`Got::Nothing`] then.
    pub fn peer_reset(&mut self) {
        if self.pending == Pending::Fill && self.source.as_ref().is_some_and(Source::is_program) {
            self.note("The client disconnected, and its script was ended");
        }
        self.outbox.eat(self.outbox.len());
        (self.state, self.source) = (State::Closed, None);
    }

    /// How many bytes of memory this holds besides itself.
    pub fn allocated(&self) -> usize {
        let buffers = self.inbox.capacity() + self.outbox.capacity() + self.head.capacity();
        let collected = match &self.state {
            State::Feed(feed) => feed.capacity(),
            State::Give(bytes) => bytes.capacity(),
            _ => 0,
        };
        let log = self.log.capacity() + self.failure.capacity();
        buffers + log + self.peer.capacity() + collected
    }

    /// Turns what is pending into what is lent.
    fn want(&mut self) -> Want<'_, F> {
        match self.pending {
            Pending::Read => {
                // Who rests is lent little, since that is held for as long as nothing comes; and so is
                // who has nothing more to say that counts.
                let least = if self.rests() || matches!(self.state, State::Linger { .. }) {
                    1
                } else {
                    self.config.limits.outbox / 8
                };
                Want::Read(self.inbox.space(least))
            }
            Pending::Write => Want::Write(self.outbox.filled()),
            Pending::Fill | Pending::Copy | Pending::Give => self.want_of_source(),
            Pending::Ask => match &self.state {
                State::Ask(ask) => Want::Ask(ask),
                _ => unreachable!("something is asked in this state only"),
            },
            Pending::Log => Want::Log(&self.log),
            Pending::Shutdown => Want::Shutdown,
            Pending::Start | Pending::Close => Want::Close,
        }
    }

    /// How much the outbox still takes.
    fn room(&self) -> usize {
        self.config.limits.outbox.saturating_sub(self.outbox.len())
    }
}
