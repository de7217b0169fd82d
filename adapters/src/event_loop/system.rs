//! [`System`]: what a worker needs from the operating system. The server has one implementation, `poller`; the
//! simulation in the tests has another, without sockets, threads or a clock.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use sanserve_core::{Connection, FileSystem, Handler, Now};

use crate::hang_up::HangUp;
use crate::layer::Layer;

/// The poll, the listeners and the clock of one worker.
pub(super) trait System {
    /// A connection's socket, which never blocks.
    type Socket: Socket;
    /// The events of one poll.
    type Events;

    /// Creates an empty list of events.
    fn events() -> Self::Events;

    /// Waits for events, for a wake-up, or until the timeout is over.
    ///
    /// # Errors
    /// [`Interrupted`](io::ErrorKind::Interrupted) if it is to be repeated.
    fn poll(&mut self, events: &mut Self::Events, timeout: Option<Duration>) -> io::Result<()>;

    /// Returns the events of the last poll. They are edge-triggered: only a change is reported, and changes that
    /// follow each other may be reported as one event. An event may also be late, or wrong.
    fn iter(events: &Self::Events) -> impl Iterator<Item = Event>;

    /// Returns a waker with which any thread can end a poll. The poll then reports [`Source::Completions`].
    fn waker(&self) -> Waker;

    /// Adds a socket to the poll; its events have this key. Reports immediately what the socket is ready for.
    fn register(&self, socket: &Self::Socket, key: usize) -> io::Result<()>;

    /// Removes a socket from the poll. Closing it has the same effect.
    fn deregister(&self, socket: &Self::Socket);

    /// Adds a pipe to the poll, for data; its events have this key.
    fn register_pipe(&self, pipe: BorrowedFd<'_>, key: usize);

    /// Returns the number of listeners; 0 after [`close_listeners`](System::close_listeners).
    fn listeners(&self) -> usize;

    /// Accepts a connection from a listener.
    fn accept(&self, listener: usize) -> io::Result<Accepted<Self::Socket>>;

    /// Closes all listeners.
    fn close_listeners(&mut self);

    /// Returns the current time.
    fn now(&self) -> Now;
}

/// A connection that was accepted, and the address of its peer, if it has one.
pub(super) type Accepted<S> = (S, Option<IpAddr>);

/// Something that has happened.
#[derive(Clone, Copy)]
pub(super) struct Event {
    pub(super) source: Source,
    pub(super) readiness: Readiness,
}

/// Where something has happened.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// The waker was called.
    Completions,
    /// A listener, by its number, may have a connection to accept.
    Listener(usize),
    /// The socket of the connection with this key.
    Socket(usize),
    /// A pipe of the CGI process of the connection with this key.
    Pipe(usize),
}

/// What a socket is ready for.
#[derive(Clone, Copy)]
pub(super) struct Readiness {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has closed its side.
    pub(super) read_closed: bool,
    /// The connection was reset, or is closed in both directions.
    pub(super) reset: bool,
}

/// The socket of a connection. Its operations do not wait: they return
/// [`WouldBlock`](io::ErrorKind::WouldBlock) instead.
pub(super) trait Socket: Sized + Send + Sync + 'static {
    /// What an upgraded connection becomes.
    type Stream;

    fn read(&self, into: &mut [u8]) -> io::Result<usize>;

    /// Writes; `more` says whether other bytes follow immediately.
    fn write(&self, from: &[u8], more: bool) -> io::Result<usize>;

    /// Returns whether [`send_file`](Socket::send_file) can send this file by reference.
    fn can_send<FS: FileSystem>(files: &FS, file: &mut FS::File) -> bool;

    /// Sends a piece of a file by reference, and returns its length; `None` if the file cannot be read.
    fn send_file<FS: FileSystem>(
        &self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>>;

    /// Holds back packets that are not full, or sends them.
    fn cork(&self, corked: bool);

    /// Tells the peer that nothing more will come.
    fn shutdown(&self);

    /// Closes the connection in both directions, so that a thread that reads from it returns.
    fn abort(&self);

    /// Returns whether there is unread data.
    fn has_unread(&self) -> bool;

    /// Returns whether the peer has not acknowledged everything that was written.
    fn has_unacknowledged(&self) -> bool;

    /// Reports to a connection what its peer has acknowledged, if a deadline has passed.
    fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now);

    /// Returns how the peer has hung up, if it has.
    fn hang_up(&self) -> Option<HangUp>;

    fn peer_addr(&self) -> Option<SocketAddr>;

    /// Turns the socket into a blocking stream for another protocol, which begins with `received`.
    fn into_stream(
        this: Arc<Self>,
        layer: Option<Box<dyn Layer<Self>>>,
        received: Vec<u8>,
    ) -> io::Result<Self::Stream>;
}
