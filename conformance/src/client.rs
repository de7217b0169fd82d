//! [`Client`]: the client's end of a connection. It reads while it writes, so that a server that stops reading can
//! still reply.

mod progress;
mod reader;
mod sender;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use self::progress::Progress;
use self::reader::{Action, Reader};
use self::sender::Sender;
use crate::{Case, Fragmentation, Pace};

/// The client's end of a connection.
pub struct Client {
    read: Box<dyn Read + Send>,
    write: Box<dyn Write + Send>,
    reset: Option<Action>,
    reset_delay: Option<Duration>,
    stop: Option<Action>,
}

impl Client {
    /// Creates a client from two halves. Dropping `write` must half-close the connection, as with a pipe or the
    /// standard input of a child process; dropping both must close it. A write must fail once the server has closed the
    /// connection.
    ///
    /// Set timeouts on both halves, so that a conversation that hangs fails.
    pub fn new(read: impl Read + Send + 'static, write: impl Write + Send + 'static) -> Self {
        Self {
            read: Box::new(read),
            write: Box::new(write),
            reset: None,
            reset_delay: None,
            stop: None,
        }
    }

    /// Sets the function that tells the server to stop, for the cases that [stop it](Case::stops). It is called on a
    /// thread of its own, and may wait until the server has stopped.
    #[must_use]
    pub fn with_stop(mut self, stop: impl FnOnce() + Send + 'static) -> Self {
        self.stop = Some(Box::new(stop));
        self
    }

    /// Sets the socket below the halves, which is reset if a case says so.
    pub(crate) fn with_socket(mut self, socket: TcpStream) -> Self {
        self.reset = Some(Box::new(move || reset_when_dropped(&socket)));
        self.reset_delay = Some(RESET_DELAY);
        self
    }

    /// Connects to a listening server. A read or write fails after 20 seconds without data.
    ///
    /// On Unix the socket has a small receive buffer and Ethernet-sized segments, so that the buffers between server
    /// and client hold much less than a large reply, as they do in a network. A local connection would otherwise
    /// buffer megabytes, and no write would ever be partial.
    ///
    /// # Errors
    /// The errors of the socket.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let socket = connect_socket(to)?;
        let (read, socket_below) = (socket.try_clone()?, socket.try_clone()?);
        Ok(Self::new(read, HalfClose(socket)).with_socket(socket_below))
    }

    /// Sends these bytes at once, before [`send_and_read`](Self::send_and_read).
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write
            .write_all(bytes)
            .and_then(|()| self.write.flush())
    }

    /// Sends the request of a case, and returns all bytes that the client receives.
    pub(crate) fn converse(self, case: &Case, fragmentation: Fragmentation) -> io::Result<Vec<u8>> {
        self.send_and_read(&case.request, case.half_close, &case.pace, fragmentation)
    }

    /// Sends these bytes, divided as `fragmentation` says, and returns all bytes that it receives. Half-closes after
    /// the last byte if `half_close` is set.
    pub(crate) fn send_and_read(
        self,
        bytes: &[u8],
        half_close: bool,
        pace: &Pace,
        fragmentation: Fragmentation,
    ) -> io::Result<Vec<u8>> {
        let Self {
            read,
            mut write,
            reset,
            reset_delay,
            stop,
        } = self;
        assert!(
            pace.stop.is_none() || stop.is_some(),
            "this case stops the server: pass a function to `Client::with_stop` or \
             `StartedServer::new`, or leave the case out"
        );
        let until = Instant::now() + pace.within.unwrap_or(READ_TIMEOUT);
        let progress = Arc::new(Progress::default());
        let (result, received) = mpsc::channel();
        let (close, closed) = mpsc::channel();
        let reader = Reader {
            from: read,
            pace: pace.clone(),
            progress: Arc::clone(&progress),
            closed,
            stop,
            reset,
        };
        // Not a scoped thread: if the conversation does not end in time, the reader is left behind.
        let reader = {
            let progress = Arc::clone(&progress);
            thread::spawn(move || {
                let bytes = reader.read();
                progress.end();
                // After the time limit the receiver is gone.
                let _ = result.send(bytes);
            })
        };
        let mut sender = Sender {
            to: &mut *write,
            pace,
            progress,
            until,
            reset_delay,
        };
        let sent = sender.send(bytes, fragmentation);
        let sent = sent.and_then(|()| sender.wait_for_close());
        drop(close);
        // The write half is kept until the end, unless the client half-closes.
        let _open = (!half_close).then_some(write);
        let bytes = match pace.within {
            None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => received.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        match bytes {
            Ok(bytes) => {
                reader.join().expect("the reader does not panic");
                sent.and(bytes)
            }
            Err(RecvTimeoutError::Timeout) => sent.and(Err(io::Error::new(
                ErrorKind::TimedOut,
                "the conversation does not end in time",
            ))),
            Err(RecvTimeoutError::Disconnected) => panic!("the reader panicked"),
        }
    }
}

/// Connects a socket whose buffers are small, see [`Client::connect`].
#[cfg(any(unix, windows))]
pub(crate) fn connect_socket(to: SocketAddr) -> io::Result<TcpStream> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    // Not every system can do that.
    #[cfg(unix)]
    let _ = socket.set_tcp_mss(SEGMENT);
    socket.connect(&to.into())?;
    with_options(socket.into())
}

/// Connects a socket.
#[cfg(not(any(unix, windows)))]
pub(crate) fn connect_socket(to: SocketAddr) -> io::Result<TcpStream> {
    with_options(TcpStream::connect(to)?)
}

fn with_options(socket: TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(READ_TIMEOUT))?;
    socket.set_write_timeout(Some(READ_TIMEOUT))?;
    Ok(socket)
}

/// Makes the connection end with a reset when all handles of the socket are dropped.
#[cfg(any(unix, windows))]
fn reset_when_dropped(socket: &TcpStream) {
    // If it fails, the connection ends without a reset, and the case shows whether that matters.
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

#[cfg(any(unix, windows))]
fn is_reset_when_dropped(socket: &TcpStream) -> bool {
    let linger = socket2::SockRef::from(socket).linger();
    linger.is_ok_and(|linger| linger == Some(Duration::ZERO))
}

#[cfg(not(any(unix, windows)))]
fn is_reset_when_dropped(_: &TcpStream) -> bool {
    false
}

/// A connection cannot be reset here.
#[cfg(not(any(unix, windows)))]
fn reset_when_dropped(_: &TcpStream) {}

/// The write half of a socket, which half-closes it when dropped.
struct HalfClose(TcpStream);

impl Write for HalfClose {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for HalfClose {
    fn drop(&mut self) {
        if !is_reset_when_dropped(&self.0) {
            let _ = self.0.shutdown(Shutdown::Write);
        }
    }
}

/// How long a read waits for the server: longer than a conforming server ever takes.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The time in which the reset of a closed connection arrives.
const RESET_DELAY: Duration = Duration::from_millis(200);

/// The receive buffer of a client, in bytes.
#[cfg(any(unix, windows))]
const RECEIVE_BUFFER: usize = 16 * 1024;

/// The largest segment that a server sends to a client, in bytes: as large as Ethernet allows.
#[cfg(unix)]
const SEGMENT: u32 = 1460;
