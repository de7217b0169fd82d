//! [`Connection`]: the protocol. Everything that changes the state of a connection is in this folder:
//! here what comes from outside, in `moves` what follows from it, in `time` what happens when nothing
//! comes.
//!
//! # Theory of operation
//!
//! ```text
//!             +--------------------------------------------------------------+
//!             v                                                              |
//!   new --> Head --a head--> begin() --> follow(Next) --Done--> Drain --end--+
//!             |                            ^      |               |
//!             |                  resume(Event)    | Body Ask      |
//!             |                            +------+ Send Flush    |
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

use alloc::string::String;
use core::mem;
use core::ops::Range;
use core::time::Duration;

use self::time::Flow;
use crate::reply::Reply;
use crate::wire::{Body, Head};
use crate::{Ask, Buffer, Config, Event, Got, Handler, Now, Opened, Step, Want};

mod moves;
mod time;

/// One connection to one peer, without I/O. See the [crate's page](crate) for the loop around it.
pub struct Connection<F, H> {
    config: Config,
    peer: String,
    handler: H,
    state: State,
    pending: Pending,
    inbox: Buffer,
    outbox: Buffer,
    log: String,
    head: Head,
    body: Body,
    reply: Reply,
    /// The open file, and whether it can be sent by reference.
    source: Option<(F, bool)>,
    now: Now,
    /// When the wait began that is not measured by bytes.
    since: Duration,
    inward: Option<Flow>,
    outward: Option<Flow>,
    /// How many requests there were.
    served: u32,
    /// The peer will send no more.
    ended: bool,
    /// The peer waits for a word before it sends content.
    expects: bool,
    /// The running reply is the last.
    last: bool,
}

#[derive(Debug)]
enum State {
    /// A request head is collected.
    Head,
    /// The handler waits for content.
    Body,
    /// The handler waits for the file system.
    Ask(Ask),
    /// That part of the open file is left to be sent.
    Send(Range<u64>),
    /// The handler waits for the outbox to be empty.
    Flush,
    /// The reply is complete; so many more bytes of content may be thrown away.
    Drain(u64),
    /// Nothing more will be said.
    Closing,
    /// The peer was told, and has time to take notice.
    Linger,
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
        Connection {
            config,
            peer: peer.into(),
            handler,
            state: State::Head,
            pending: Pending::Start,
            inbox: Buffer::new(),
            outbox: Buffer::new(),
            log: String::new(),
            head: Head::new(),
            body: Body::EMPTY,
            reply: Reply::new(0, true),
            source: None,
            now: Now::default(),
            since: Duration::ZERO,
            inward: None,
            outward: None,
            served: 0,
            ended: false,
            expects: false,
            last: false,
        }
    }

    /// Takes the answer to the last want ([`Got::Nothing`] at first), and says what is wanted now.
    /// Whatever the peer does, this returns.
    ///
    /// # Panics
    /// If the answer is of another kind than the want: a mistake in the adapter.
    pub fn step(&mut self, now: Now, got: Got<F>) -> Step<'_, F> {
        self.now = now;
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
            want: self.want(),
            by,
        }
    }

    /// Makes the running reply the last one; a connection that waits for a request closes at the
    /// next step.
    pub fn finish(&mut self) {
        self.last = true;
        self.reply.close = true;
    }

    /// How many bytes of memory this holds besides itself.
    pub fn allocated(&self) -> usize {
        let buffers = self.inbox.capacity() + self.outbox.capacity() + self.head.capacity();
        buffers + self.log.capacity() + self.peer.capacity()
    }

    fn hear(&mut self, got: Got<F>) {
        match (self.pending, got) {
            (Pending::Start, _) => self.since = self.now.tick,
            (Pending::Log, _) => self.log.clear(),
            (Pending::Close, _) => {}
            (Pending::Shutdown, _) => self.linger(),
            (_, Got::Nothing) => {}
            (Pending::Fill | Pending::Copy, Got::Bytes(0)) | (Pending::Fill, Got::Failed) => {
                self.abandon(500, &"The file ended before its time");
            }
            (_, Got::Failed) => self.state = State::Closed,
            (Pending::Read, Got::Bytes(0)) => self.ended = true,
            (Pending::Read, Got::Bytes(n)) => self.received(n),
            (Pending::Write, Got::Bytes(n)) => {
                self.outbox.eat(n);
                self.reply.sent(n);
                time::count(&mut self.outward, n);
            }
            (Pending::Fill, Got::Bytes(n)) => {
                self.outbox.grew(n);
                self.reply.frame(n, &mut self.outbox);
                self.sent(n);
            }
            (Pending::Copy, Got::Bytes(n)) => {
                self.reply.count(n);
                time::count(&mut self.outward, n);
                self.sent(n);
            }
            (Pending::Ask, Got::Opened(result)) => {
                let State::Ask(Ask::Open(path)) = mem::replace(&mut self.state, State::Closed)
                else {
                    panic!("Ask::List was answered by Got::Opened");
                };
                let event = match result {
                    Ok(Opened::File {
                        file,
                        meta,
                        sendable,
                    }) => {
                        self.source = Some((file, sendable));
                        Event::Opened(path, meta)
                    }
                    Ok(Opened::Directory) => Event::Directory(path),
                    Err(error) => Event::Failed(path, error),
                };
                self.resume(event);
            }
            (Pending::Ask, Got::Listed(result)) => {
                let State::Ask(Ask::List(path)) = mem::replace(&mut self.state, State::Closed)
                else {
                    panic!("Ask::Open was answered by Got::Listed");
                };
                self.resume(match result {
                    Ok(entries) => Event::Listed(path, entries),
                    Err(error) => Event::Failed(path, error),
                });
            }
            (pending, _) => panic!("Want::{pending:?} was answered by something else"),
        }
    }

    fn received(&mut self, n: usize) {
        if matches!(self.state, State::Head) && self.inbox.is_empty() {
            self.since = self.now.tick;
        }
        self.inbox.grew(n);
        time::count(&mut self.inward, n);
    }

    fn sent(&mut self, n: usize) {
        let State::Send(range) = &mut self.state else {
            unreachable!("files move in this state only")
        };
        range.start += n as u64;
    }

    /// Turns what is pending into what is lent.
    fn want(&mut self) -> Want<'_, F> {
        let room = self.room();
        match self.pending {
            Pending::Read => {
                // Who rests is lent little, since that is held for as long as nothing comes.
                let least = if self.rests() {
                    1
                } else {
                    self.config.limits.outbox / 8
                };
                Want::Read(self.inbox.space(least))
            }
            Pending::Write => Want::Write(self.outbox.filled()),
            Pending::Fill | Pending::Copy => {
                let (State::Send(range), Some((file, _))) = (&self.state, &mut self.source) else {
                    unreachable!("files move in this state only, and are open then")
                };
                let (at, len) = (range.start, range.end - range.start);
                if self.pending == Pending::Copy {
                    return Want::Copy { file, at, len };
                }
                let n = usize::try_from(len).map_or(room, |len| len.min(room));
                Want::Fill {
                    file,
                    at,
                    into: &mut self.outbox.space(n)[..n],
                }
            }
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
