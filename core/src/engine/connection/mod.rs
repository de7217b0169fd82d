//! [`Connection`]: runs the protocol of one connection as a state machine.
//!
//! This file has its public interface, and turns the pending operation into a [`Want`]; `state` has its states,
//! `answer` the answers of the adapter, `transitions` the transitions, `source` the open file or CGI process,
//! `bad_request` the replies to requests that cannot be parsed, `timeouts` the deadlines and `parked` the idle
//! connection without buffers.
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
//! [`step`](Connection::step) applies the answer to the pending want ([`take_answer`]), then makes transitions
//! ([`transition`]) until the adapter has to do something. A transition takes the state out, and either sets the next
//! one or says which want is [`Pending`]; one that does neither panics in tests. Only [`want`] turns what is pending
//! into borrowed buffers.
//!
//! The connection never waits for the peer while it has something to send to it, and writes nothing before the log line
//! about it. The replies to pipelined requests collect in the outbox.
//!
//! [`take_answer`]: Connection::take_answer
//! [`transition`]: Connection::transition
//! [`want`]: Connection::want

use alloc::boxed::Box;
use alloc::string::String;
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
use crate::engine::{Buffer, Config, Handler, Now, Peer, Phase, Step, Want, https};
use crate::fs::{Ask, Got};
use crate::sync::{Arc, share};
use crate::text::date::LastDates;

mod answer;
mod bad_request;
mod parked;
mod source;
mod state;
mod timeouts;
mod transitions;

/// The server side of one HTTP connection, without I/O. The [crate's page](crate) has the loop around it.
///
/// An adapter creates one for each accepted connection, and calls [`step`](Self::step) until the connection wants
/// [`Close`](Want::Close). `F` is the file system's type of an open file, `H` the [`Handler`]. Nothing that the peer
/// sends makes it fail or panic; only a wrong answer of the adapter panics.
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
    peer: Peer,
    handler: H,
    state: State,
    pending: Pending,
    inbox: Buffer,
    outbox: Buffer,
    log: String,
    /// The failures of the reply, for the log; empty if there are none.
    failure: String,
    request: Request,
    reply: ReplyState,
    source: Option<Source<F>>,
    now: Now,
    receiving: Option<Flow>,
    sending: Option<Flow>,
    delivery: DeliveryState,
    inbound: Inbound,
    /// The number of requests so far.
    served: u32,
    /// Whether the request that was in progress at the last read, and all since then, have safe methods.
    only_safe: bool,
    /// Why the current reply is the last one, if it is.
    closing: Option<CloseReason>,
    /// Whether the adapter can hand its transport over.
    is_upgradable: bool,
    dates: LastDates,
    /// The peer speaks plain HTTP on an HTTPS port.
    is_without_tls: bool,
    /// When the peer was found to have closed its side during long work, or when bytes were last read or written since
    /// then. Until the next step has told the time, it is `Duration::MAX`.
    peer_closed: Option<Duration>,
    waker: Waker,
}

/// The parts of a connection that was [upgraded](Want::Upgrade), for the next protocol.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_structs,
    reason = "its user destructures it, and must not lose a part"
)]
pub struct Upgraded<H> {
    /// The handler that returned [`Next::Upgrade`](crate::Next::Upgrade), with its state.
    pub handler: H,
    /// The bytes that the peer has sent already: the first ones of the next protocol.
    pub received: Vec<u8>,
}

/// The numbers of which one changes if a transition makes progress: bytes in the inbox and the outbox, content of the
/// reply, requests.
type Progress = (usize, usize, u64, u32);

/// The number of transitions that one step may make without any [`Progress`]. A handler that causes more keeps asking
/// for the same thing.
const TRANSITIONS_MAX: usize = 1_000;

impl<F, H> fmt::Debug for Connection<F, H> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("peer", &self.peer.client_address())
            .field("served", &self.served)
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}

impl<F, H: Handler> Connection<F, H> {
    /// Returns a new connection. `peer` is the peer's address as log lines show it. A server with more than one
    /// connection shares an `Arc` of its settings among them.
    ///
    /// # Panics
    /// If [`Limits::outbox`](crate::Limits::outbox) is below 512 bytes, which is too small for any reply.
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
            peer: Peer::new(peer),
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
            only_safe: true,
            closing: None,
            is_upgradable: false,
            dates: LastDates::default(),
            is_without_tls: false,
            waker: Waker::noop().clone(),
            peer_closed: None,
        }
    }

    /// Takes the answer to the last want ([`Got::Nothing`] in the first step), and returns the next want.
    ///
    /// It always returns, whatever the peer or the handler does: if a handler keeps asking for the same thing, such as
    /// [`Next::Body`](crate::Next::Body) after [`Event::End`](crate::Event::End), the reply is a 500 that names the
    /// mistake.
    ///
    /// # Panics
    /// If the answer does not fit the want, which is a mistake in the adapter.
    // An adapter calls this at one place and matches the want there; inlined, the want stays in registers.
    #[inline(always)]
    pub fn step(&mut self, now: Now, got: Got<F>) -> Step<'_, F> {
        if now != self.now {
            self.pause(now.tick.saturating_sub(self.now.tick));
            self.now = now;
        }
        if self.peer_closed == Some(Duration::MAX) {
            self.peer_closed = Some(now.tick);
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
            want: self.pending_want(),
            deadline,
        }
    }

    /// Returns the want of the last step again, with what the adapter has read into its buffer: for an adapter that
    /// records its answers. Call it before the step that takes the answer. Before the first step it is [`Want::Close`].
    // Inlined, as `step` is.
    #[inline(always)]
    pub fn pending_want(&mut self) -> Want<'_, F> {
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
                _ => unreachable!("Want::Ask is pending in this state only"),
            },
            Pending::Log => Want::Log(&self.log),
            Pending::Wait => Want::Wait,
            Pending::Upgrade => Want::Upgrade,
            Pending::Shutdown => Want::Shutdown,
            Pending::Start | Pending::Close => Want::Close,
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

    /// Returns whether the request that was in progress when the last [`Want::Read`] was answered, and all that have
    /// begun since then, are GET or HEAD, whose methods are safe (RFC 9110 §9.2.1). For an adapter that answers an
    /// [`Ask`] of several requests, all received before it looked at the files, with one look: after any other request
    /// it has to look again.
    pub fn has_only_safe_requests(&self) -> bool {
        self.only_safe
    }

    /// Makes the current reply the last one, for a server that shuts down. A connection that waits for a request, or
    /// for the rest of a head, closes at the next step.
    pub fn finish(&mut self) {
        self.closing = Some(CloseReason::Shutdown);
        self.reply.close_for(CloseReason::Shutdown);
    }

    /// Notes that the peer speaks plain HTTP on an HTTPS port. [`Handler::begin_without_tls`] answers its first
    /// request, error pages are plain text, and the connection closes afterwards. Call it before the step that receives
    /// the first bytes; further calls have no effect.
    pub fn without_tls(&mut self) {
        if self.is_without_tls {
            return;
        }
        self.is_without_tls = true;
        let config = Arc::make_mut(&mut self.config);
        config.error_page = share(Box::new(https::error_page));
        config.error_content_type = https::TYPE.into();
    }

    /// Replaces the address of the peer: for an adapter that learns only later for which client the peer speaks, from a
    /// header of the PROXY protocol. Call it before the step that receives the first bytes. After a connection was
    /// [parked](Self::park), [`unpark`](Self::unpark) takes the address.
    pub fn set_peer(&mut self, address: &str) {
        self.peer.set_address(address);
    }

    /// Sets the waker that handlers get, to wake this connection while it [waits](Want::Wait). Without a waker the
    /// adapter has to answer [`Want::Wait`] from time to time. After a connection was [parked](Self::park), this has to
    /// be called again.
    pub fn set_waker(&mut self, waker: Waker) {
        self.waker = waker;
    }

    /// Allows handlers to take the connection over ([`Next::Upgrade`](crate::Next::Upgrade)): for adapters that answer
    /// [`Want::Upgrade`] by handing over their transport. Without it, an upgrade is answered with 501. After a
    /// connection was [parked](Self::park), this has to be called again.
    pub fn allow_upgrade(&mut self) {
        self.is_upgradable = true;
    }

    /// Takes apart a connection that [wants to be upgraded](Want::Upgrade).
    pub fn into_upgraded(self) -> Upgraded<H> {
        Upgraded {
            handler: self.handler,
            received: self.inbox.filled().to_vec(),
        }
    }

    /// Returns whether the connection waits for long work: the output of a CGI process, a file that takes long to
    /// produce, the verification of a password, or a wake-up. Meanwhile nothing is read from the peer, so the adapter
    /// has to watch the transport: it calls [`peer_closed`](Self::peer_closed) when the peer has closed its side, and
    /// [`peer_reset`](Self::peer_reset) when the connection is broken.
    pub fn awaits_work(&self) -> bool {
        match (self.pending, &self.state) {
            (Pending::ReadFile, _) => self.source.as_ref().is_some_and(Source::may_be_slow),
            (Pending::Wait, _) => true,
            (Pending::Ask, State::Ask { ask, .. }) => matches!(ask, Ask::Verify(_)),
            _ => false,
        }
    }

    /// Notes that the peer has closed its side. Whether it still reads shows only when something is sent, so work that
    /// yields no bytes for [`Timeouts::half_closed`](crate::Timeouts::half_closed) after the next step is ended. It has
    /// no effect unless the connection [waits for work](Self::awaits_work), nor if it is called again.
    pub fn peer_closed(&mut self) {
        if self.awaits_work() {
            self.peer_closed.get_or_insert(Duration::MAX);
        }
    }

    /// Ends a connection that is broken, and the work for its peer. Answer the pending want with [`Got::Nothing`]
    /// afterwards.
    pub fn peer_reset(&mut self) {
        if self.pending == Pending::ReadFile && self.source.as_ref().is_some_and(Source::is_process)
        {
            self.log_note("The client disconnected, so its script was killed");
        }
        // Logged first: the unsent bytes in the outbox do not count as sent.
        self.log_reply(false);
        self.outbox.consume(self.outbox.len());
        self.handler.release();
        (self.state, self.source) = (State::Closed, None);
        // Lines that the adapter has logged must not be logged again.
        if self.pending != Pending::Log {
            self.pending = Pending::Close;
        }
    }

    /// Returns the number of bytes that the connection has allocated on the heap, without the handler's.
    pub fn allocated(&self) -> usize {
        let head = self.request.head.capacity();
        let buffers = self.inbox.capacity() + self.outbox.capacity() + head;
        let collected = match &self.state {
            State::Feed(feed) => feed.capacity(),
            State::WriteFile(bytes) => bytes.capacity(),
            _ => 0,
        };
        let log = self.log.capacity() + self.failure.capacity();
        buffers + log + self.peer.allocated() + collected
    }

    /// Returns the number of bytes for which the outbox has room.
    fn room(&self) -> usize {
        self.config.limits.outbox.saturating_sub(self.outbox.len())
    }
}
