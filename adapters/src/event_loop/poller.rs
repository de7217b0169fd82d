//! [`Poller`]: the [`System`] of one worker: its poll, listeners and clock, and the tokens of its events.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use mio::event::Event as MioEvent;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use sanserve_core::Now;

use super::system::{Accepted, Event, Readiness, Source, System};
use crate::Listener;
use crate::blocking::Clock;

/// What a worker polls.
pub(super) struct Poller {
    poll: Poll,
    waker: Waker,
    listeners: Vec<Listener>,
    clock: Clock,
}

impl Poller {
    /// Creates everything that the system may refuse, before any thread is started.
    pub(super) fn new(listeners: Vec<Listener>) -> io::Result<Poller> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), COMPLETIONS)?;
        let poller = Poller {
            poll,
            waker: Waker::from(Arc::new(PollWaker(waker))),
            listeners,
            clock: Clock::start(),
        };
        for (number, listener) in poller.listeners.iter().enumerate() {
            let token = Token(FIRST_LISTENER + number);
            poller.register_fd(listener.as_raw_fd(), token, Interest::READABLE)?;
        }
        Ok(poller)
    }

    fn register_fd(&self, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&fd), token, interest)
    }
}

impl System for Poller {
    type Socket = TcpStream;
    type Events = Events;

    fn events() -> Events {
        Events::with_capacity(EVENTS_MAX)
    }

    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.poll.poll(events, timeout)
    }

    fn iter(events: &Events) -> impl Iterator<Item = Event> {
        events.iter().map(|event| Event {
            source: source(event.token()),
            readiness: readiness(event),
        })
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn register(&self, socket: &TcpStream, key: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.register_fd(socket.as_raw_fd(), Token(2 * key), interest)
    }

    fn deregister(&self, socket: &TcpStream) {
        // It is not registered if the first request upgraded it.
        let socket = socket.as_raw_fd();
        let _ = self.poll.registry().deregister(&mut SourceFd(&socket));
    }

    fn register_pipe(&self, pipe: BorrowedFd<'_>, key: usize) {
        // A pipe that cannot be registered is checked from time to time.
        let _ = self.register_fd(pipe.as_raw_fd(), Token(2 * key + 1), Interest::READABLE);
    }

    fn listeners(&self) -> usize {
        self.listeners.len()
    }

    fn accept(&self, listener: usize) -> io::Result<Accepted<TcpStream>> {
        self.listeners[listener].accept()
    }

    fn close_listeners(&mut self) {
        self.listeners.clear();
    }

    fn now(&self) -> Now {
        self.clock.now()
    }
}

struct PollWaker(mio::Waker);

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _ = self.0.wake();
    }
}

fn source(token: Token) -> Source {
    match token {
        COMPLETIONS => Source::Completions,
        Token(listener @ FIRST_LISTENER..) => Source::Listener(listener - FIRST_LISTENER),
        Token(socket) if socket % 2 == 0 => Source::Socket(socket / 2),
        Token(pipe) => Source::Pipe(pipe / 2),
    }
}

fn readiness(event: &MioEvent) -> Readiness {
    Readiness {
        readable: event.is_readable(),
        writable: event.is_writable(),
        read_closed: event.is_read_closed(),
        reset: event.is_error() || event.is_write_closed(),
    }
}

const EVENTS_MAX: usize = 1024;

const COMPLETIONS: Token = Token(usize::MAX);
/// The token of the first listener. The tokens of connections are below: twice the key of a connection for its
/// socket, and one more for the pipes of its CGI process, because they report different events.
const FIRST_LISTENER: usize = usize::MAX / 2;
