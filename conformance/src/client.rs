//! [`Client`]: the client's end of a connection. It reads while it writes, so that a server that stops reading can
//! still reply.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::Fragmentation;

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
    /// # Errors
    /// Those of the socket.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self::new(socket.try_clone()?, HalfClose(socket)))
    }

    /// Sends these bytes, divided as `fragmentation` says, and returns all bytes that it receives. Half-closes after
    /// the last byte if `half_close` is set.
    pub(crate) fn send_and_read(
        self,
        bytes: &[u8],
        half_close: bool,
        fragmentation: Fragmentation,
    ) -> io::Result<Vec<u8>> {
        let Self { mut read, write } = self;
        let server_closed = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut bytes = Vec::new();
                let read = read.read_to_end(&mut bytes);
                server_closed.store(true, Ordering::Relaxed);
                read.map(|_| bytes)
            });
            let mut write = write;
            let sent = send(&mut write, bytes, fragmentation, &server_closed);
            // The write half is kept until the end, unless the client half-closes.
            let _open = (!half_close).then_some(write);
            let bytes = reader.join().expect("the reader does not panic");
            sent.and(bytes)
        })
    }
}

/// Sends all bytes, unless the server closes the connection first.
fn send(
    to: &mut dyn Write,
    bytes: &[u8],
    fragmentation: Fragmentation,
    server_closed: &AtomicBool,
) -> io::Result<()> {
    let (mut rest, mut sizes) = (bytes, fragmentation.sizes());
    while !rest.is_empty() && !server_closed.load(Ordering::Relaxed) {
        let piece = &rest[..sizes.next_size(rest.len())];
        match to.write_all(piece).and_then(|()| to.flush()) {
            Ok(()) => rest = &rest[piece.len()..],
            // Not an error here: what was read shows whether the server was right to close.
            Err(error) if is_closed(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_closed(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
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
