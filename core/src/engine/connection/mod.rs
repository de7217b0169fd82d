//! [`Connection`]: the protocol. Everything that changes the state of a connection is in this folder: here what it is and what it
//! lends, in `state` where it can be, in `answer` what comes from outside, in `transitions` what follows from it, in `source` what
//! is done with a file or program, in `timeouts` what happens when nothing comes, in `parked` what is left of it then.
//!
//! # Theory of operation
//!
//! ```text
//!             +--------------------------------------------------------------+
//!             v                                                              |
//!   new --> Head --a head--> begin() --> follow(Next) --Done--> Drain --end--+
//!             |                            ^      |               |
//!             |                  resume(Event)    | Body Ask Send |
//!             |                            +------+ Read Feed WriteFile Write Flush Wait
//!          bad, late                              |               |
//!             +-----------> Closing <-------------+---------------+
//!                              |
//!                           Linger --> Closed
//! ```
//!
//! [`step`](Connection::step) takes the answer to the want that was pending ([`take_answer`]), then makes transitions until
//! something must happen outside ([`transition`]). A transition takes the state out, and either leads to another transition or says
//! what is [`Pending`]; one that forgets to say where it leads panics in tests. Only [`want`] turns what is pending
//! into borrowed buffers.
//!
//! The peer is never waited for while there is something to send to it, and nothing is written before
//! the log line about it. Replies to pipelined requests collect in the outbox.
//!
//! [`take_answer`]: Connection::take_answer
//! [`transition`]: Connection::transition
//! [`want`]: Connection::want

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::task::Waker;
use core::time::Duration;

pub use self::parked::Parked;
use self::source::Source;
use self::state::{Inbound, Pending, Request, State, Transition};
pub use self::timeouts::Delivery;
use self::timeouts::{DeliveryState, Flow};
use crate::engine::log::CloseReason;
use crate::engine::reply_state::ReplyState;
use crate::engine::{Buffer, Config, Handler, Now, Phase, Step, Want, https};
use crate::fs::{Ask, Got};
use crate::text::date::LastDate;

mod answer;
mod bad_request;
mod parked;
mod source;
mod state;
mod timeouts;
mod transitions;

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
    config: Arc<Config>,
    peer: String,
    handler: H,
    state: State,
    pending: Pending,
    inbox: Buffer,
    outbox: Buffer,
    log: String,
    /// What went wrong with the reply, for the log; empty if nothing did.
    failure: String,
    request: Request,
    reply: ReplyState,
    source: Option<Source<F>>,
    now: Now,
    receiving: Option<Flow>,
    sending: Option<Flow>,
    delivery: DeliveryState,
    inbound: Inbound,
    /// How many requests there were.
    served: u32,
    /// Why the running reply is the last one, if it is.
    closing: Option<CloseReason>,
    /// Whether the adapter can hand its transport over.
    is_upgradable: bool,
    date: LastDate,
    /// The peer speaks plain HTTP where TLS was expected.
    is_without_tls: bool,
    /// When the peer was found to have closed its side while a program ran, or when that last wrote something.
    peer_closed: Option<Duration>,
    waker: Waker,
}

/// What is left of a connection that was [upgraded](Want::Upgrade): for the protocol that comes next.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "its user takes it apart, and must not lose a part"
)]
pub struct Upgraded<H> {
    /// The handler that asked for it, with whatever it knows.
    pub handler: H,
    /// What the peer has sent already: the first bytes of that protocol.
    pub received: Vec<u8>,
}

/// What changes if a transition achieves anything: bytes in the buffers, content of the reply, requests.
type Progress = (usize, usize, u64, u32);

/// How many transitions one step may make without any [`Progress`]. A handler that needs more asks again and again for what is
/// there already.
const TRANSITIONS_MAX: usize = 1_000;

impl<F, H> fmt::Debug for Connection<F, H> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("served", &self.served)
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}

impl<F, H: Handler> Connection<F, H> {
    /// A new connection to `peer`, which is its address as log lines show it. A server with more than one connection shares
    /// an `Arc` of its settings among them.
    ///
    /// # Panics
    /// If [`Limits::outbox`](crate::Limits::outbox) is below 512 bytes, too little for any reply.
    pub fn new(config: impl Into<Arc<Config>>, peer: &str, handler: H) -> Self {
        let config = config.into();
        assert!(
            config.limits.outbox >= 512,
            "Limits::outbox is too small for any reply"
        );
        let largest_head = config.limits.head.buffer_size();
        let largest_reply = config.limits.outbox;
        Connection {
            config,
            peer: peer.into(),
            handler,
            state: State::Head {
                since: Duration::ZERO,
            },
            pending: Pending::Start,
            inbox: Buffer::with_typical_len(largest_head.saturating_add(largest_reply / 8)),
            outbox: Buffer::with_typical_len(largest_reply),
            log: String::new(),
            failure: String::new(),
            request: Request::new(),
            reply: ReplyState::new(0, Duration::ZERO, None),
            source: None,
            now: Now::default(),
            receiving: None,
            sending: None,
            delivery: DeliveryState::default(),
            inbound: Inbound::Open,
            served: 0,
            closing: None,
            is_upgradable: false,
            date: LastDate::default(),
            is_without_tls: false,
            waker: Waker::noop().clone(),
            peer_closed: None,
        }
    }

    /// Takes the answer to the last want ([`Got::Nothing`] at first), and says what is wanted now.
    /// Whatever the peer or the handler does, this returns: a handler that asks again and again for what it was given, such as
    /// [`Next::Body`](crate::Next::Body) after [`Event::End`](crate::Event::End), gets a 500 that names the mistake.
    ///
    /// # Panics
    /// If the answer is of another kind than the want: a mistake in the adapter.
    // An adapter calls it at one place, and matches the want there: it does not pass through memory then.
    #[inline(always)]
    pub fn step(&mut self, now: Now, got: Got<F>) -> Step<'_, F> {
        if now != self.now {
            self.pause(now.tick.saturating_sub(self.now.tick));
            self.now = now;
        }
        self.take_answer(got);
        let (mut transitions, mut progress) = (0, None);
        let deadline = loop {
            if let Transition::Wait(pending) = self.transition() {
                self.pending = pending;
                match self.deadline() {
                    Some(deadline) if deadline <= now.tick => self.expire(),
                    deadline => break deadline,
                }
            }
            transitions += 1;
            if transitions == TRANSITIONS_MAX {
                transitions = 0;
                self.check_progress(&mut progress);
            }
        };
        Step {
            copy_follows: self.pending == Pending::Write && self.copies_next(),
            peer_may_send: self.pending == Pending::Shutdown && self.peer_may_send(),
            phase: self.phase(),
            want: self.want(),
            deadline,
        }
    }

    /// Returns what would be lost if the connection were closed now.
    pub fn phase(&self) -> Phase {
        match (self.pending, &self.state) {
            (Pending::Read, State::Head { .. }) if self.inbox.is_empty() => Phase::Idle,
            (
                Pending::Read,
                State::Head { .. } | State::Drain(_) | State::Linger { late: true, .. },
            ) => Phase::Head,
            _ => Phase::Busy,
        }
    }

    /// Makes the running reply the last one; a connection that waits for a request, or for the rest of a head, closes at
    /// the next step.
    pub fn finish(&mut self) {
        self.closing = Some(CloseReason::Shutdown);
        self.reply.close_for(CloseReason::Shutdown);
    }

    /// Says that the peer has begun to speak plain HTTP at a port for HTTPS. Its first request is answered by
    /// [`Handler::begin_without_tls`], errors are plain text, and the connection closes afterwards. To be called before the
    /// step that is given its first bytes; a further call does nothing.
    pub fn without_tls(&mut self) {
        if self.is_without_tls {
            return;
        }
        self.is_without_tls = true;
        let config = Arc::make_mut(&mut self.config);
        config.error_page = Arc::new(https::error_page);
        config.error_content_type = https::TYPE.into();
    }

    /// Lends the handler what wakes this connection while it [waits](Want::Wait). Without a waker the adapter has to answer
    /// [`Want::Wait`] from time to time. A connection that was [parked](Self::park) has none until this is called again.
    pub fn set_waker(&mut self, waker: Waker) {
        self.waker = waker;
    }

    /// Allows the handler to take the connection over ([`Next::Upgrade`](crate::Next::Upgrade)): for adapters that answer
    /// [`Want::Upgrade`] by handing their transport over. Without it such a handler gets a 501. A connection that was
    /// [parked](Self::park) has to be allowed it again.
    pub fn allow_upgrade(&mut self) {
        self.is_upgradable = true;
    }

    /// Ends the HTTP of a connection that [wants to be upgraded](Want::Upgrade).
    pub fn into_upgraded(self) -> Upgraded<H> {
        Upgraded {
            handler: self.handler,
            received: self.inbox.filled().to_vec(),
        }
    }

    /// Returns whether the connection waits for the output of a program, the end of other work that takes long, the verdict on a password, or
    /// to be woken. Nothing is read from the peer meanwhile, so the adapter has to watch the link: it calls [`peer_closed`](Self::peer_closed) when
    /// the peer has closed its side, and [`peer_reset`](Self::peer_reset) when the connection is gone.
    pub fn awaits_work(&self) -> bool {
        match (self.pending, &self.state) {
            (Pending::ReadFile, _) => self.source.as_ref().is_some_and(Source::may_be_slow),
            (Pending::Wait, _) => true,
            (Pending::Ask, State::Ask { ask, .. }) => matches!(ask, Ask::Verify(_)),
            _ => false,
        }
    }

    /// Notes that the peer will send nothing more. Whether it still reads shows only when something is sent: work
    /// that yields nothing for [`Timeouts::half_closed`](crate::Timeouts::half_closed) from now on is ended. It makes
    /// no difference where no work is [waited for](Self::awaits_work), nor the second time.
    pub fn peer_closed(&mut self) {
        if self.awaits_work() {
            self.peer_closed.get_or_insert(self.now.tick);
        }
    }

    /// Ends the connection, which is gone, with whatever is done for its peer. The answer to the pending want is
    /// [`Got::Nothing`] then.
    pub fn peer_reset(&mut self) {
        if self.pending == Pending::ReadFile && self.source.as_ref().is_some_and(Source::is_process)
        {
            self.log_note("The client disconnected, so its script was killed");
        }
        // Before what was not taken is thrown away.
        self.log_reply(false);
        self.outbox.consume(self.outbox.len());
        (self.state, self.source) = (State::Closed, None);
    }

    /// How many bytes of memory this holds besides itself.
    pub fn allocated(&self) -> usize {
        let head = self.request.head.capacity();
        let buffers = self.inbox.capacity() + self.outbox.capacity() + head;
        let collected = match &self.state {
            State::Feed(feed) => feed.capacity(),
            State::WriteFile(bytes) => bytes.capacity(),
            _ => 0,
        };
        let log = self.log.capacity() + self.failure.capacity();
        buffers + log + self.peer.capacity() + collected
    }

    /// Turns what is pending into what is lent.
    fn want(&mut self) -> Want<'_, F> {
        match self.pending {
            Pending::Read => {
                // An idle or lingering connection gets only a minimal read buffer, because it keeps that memory until
                // data arrives.
                let least = if self.is_released() || matches!(self.state, State::Linger { .. }) {
                    1
                } else {
                    self.config.limits.outbox / 8
                };
                Want::Read(self.inbox.reserve(least))
            }
            Pending::Write => Want::Write(self.outbox.filled()),
            Pending::ReadFile | Pending::Copy | Pending::WriteFile | Pending::Commit => {
                self.source_want()
            }
            Pending::Ask => match &self.state {
                State::Ask { ask, .. } => Want::Ask(ask),
                _ => unreachable!("something is asked in this state only"),
            },
            Pending::Log => Want::Log(&self.log),
            Pending::Wait => Want::Wait,
            Pending::Upgrade => Want::Upgrade,
            Pending::Shutdown => Want::Shutdown,
            Pending::Start | Pending::Close => Want::Close,
        }
    }

    /// How much the outbox still takes.
    fn room(&self) -> usize {
        self.config.limits.outbox.saturating_sub(self.outbox.len())
    }
}
