//! [`Client`]: the client's end of a connection. It reads while it writes, so that a server that stops reading can
//! still reply.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::pace::Pace;
use crate::{Case, Fragmentation};

/// The client's end of a connection.
pub struct Client {
    read: Box<dyn Read + Send>,
    write: Box<dyn Write + Send>,
}

impl Client {
    /// Creates a client from two halves. Dropping `write` must half-close the connection, as with a pipe or the
    /// standard input of a child process; dropping both must close it.
    ///
    /// Set timeouts on both halves, so that a conversation that hangs fails.
    pub fn new(read: impl Read + Send + 'static, write: impl Write + Send + 'static) -> Self {
        let (read, write) = (Box::new(read), Box::new(write));
        Self { read, write }
    }

    /// Connects to a listening server. A read fails after 20 seconds without data.
    ///
    /// On Unix the socket has a small receive buffer and Ethernet-sized segments, so that the buffers between server
    /// and client hold much less than a large reply, as they do in a network. A local connection would otherwise
    /// buffer megabytes, and no write would ever be partial.
    ///
    /// # Errors
    /// The errors of the socket.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let socket = connect_socket(to)?;
        Ok(Self::new(socket.try_clone()?, HalfClose(socket)))
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
        let Self { read, mut write } = self;
        let server_closed = Arc::new(AtomicBool::new(false));
        let (result, received) = mpsc::channel();
        // Not a scoped thread: if the conversation does not end in time, the reader is left behind.
        let reader = {
            let (pace, server_closed) = (pace.clone(), Arc::clone(&server_closed));
            thread::spawn(move || {
                let bytes = read_to_end(read, &pace);
                server_closed.store(true, Ordering::Relaxed);
                // After the time limit the receiver is gone.
                let _ = result.send(bytes);
            })
        };
        let sent = send(&mut write, bytes, pace, fragmentation, &server_closed);
        // The write half is kept until the end, unless the client half-closes.
        let _open = (!half_close).then_some(write);
        let bytes = match pace.within {
            None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(within) => received.recv_timeout(within),
        };
        match bytes {
            Ok(bytes) => {
                reader.join().expect("the reader does not panic");
                sent.and(bytes)
            }
            Err(RecvTimeoutError::Timeout) => Err(io::Error::new(
                ErrorKind::TimedOut,
                "the conversation does not end in time",
            )),
            Err(RecvTimeoutError::Disconnected) => panic!("the reader panicked"),
        }
    }
}

/// Reads to the end, at this pace.
fn read_to_end(mut from: impl Read, pace: &Pace) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    thread::sleep(pace.first_read);
    let Some((len, pause)) = pace.reads else {
        from.read_to_end(&mut bytes)?;
        return Ok(bytes);
    };
    let mut piece = vec![0; len];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes.extend(&piece[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        thread::sleep(pause);
    }
}

/// Sends all bytes, unless the server closes the connection first.
fn send(
    to: &mut dyn Write,
    bytes: &[u8],
    pace: &Pace,
    fragmentation: Fragmentation,
    server_closed: &AtomicBool,
) -> io::Result<()> {
    let (mut sent, mut sizes) = (0, fragmentation.sizes());
    while sent < bytes.len() && !server_closed.load(Ordering::Relaxed) {
        let next_pause = pace.next_pause(sent);
        let most = next_pause.map_or(bytes.len() - sent, |(len, _)| len);
        let piece = &bytes[sent..][..sizes.next_size(most)];
        match to.write_all(piece).and_then(|()| to.flush()) {
            Ok(()) => sent += piece.len(),
            // Not an error here: what was read shows whether the server was right to close.
            Err(error) if is_closed(&error) => break,
            Err(error) => return Err(error),
        }
        if let Some((_, pause)) = next_pause.filter(|(len, _)| *len == piece.len()) {
            thread::sleep(pause);
        }
    }
    Ok(())
}

fn is_closed(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Connects a socket whose buffers are small, see [`Client::connect`].
#[cfg(unix)]
pub(crate) fn connect_socket(to: SocketAddr) -> io::Result<TcpStream> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    // Not every system can do that.
    let _ = socket.set_tcp_mss(SEGMENT);
    socket.connect(&to.into())?;
    with_options(socket.into())
}

/// Connects a socket.
#[cfg(not(unix))]
pub(crate) fn connect_socket(to: SocketAddr) -> io::Result<TcpStream> {
    with_options(TcpStream::connect(to)?)
}

fn with_options(socket: TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(READ_TIMEOUT))?;
    Ok(socket)
}

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
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

/// How long a read waits for the server: longer than a conforming server ever takes.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The receive buffer of a client, in bytes.
#[cfg(unix)]
const RECEIVE_BUFFER: usize = 16 * 1024;

/// The largest segment that a server sends to a client, in bytes: as large as Ethernet allows.
#[cfg(unix)]
const SEGMENT: u32 = 1460;
