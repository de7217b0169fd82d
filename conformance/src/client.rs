//! [`Client`]: the client's side of a connection. It is written to and read from at the same time, so
//! that a server that has heard enough is not drowned with the rest.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::Fragmentation;

/// The client's side of a connection: what it reads from, and what it writes to.
pub struct Client {
    read: Box<dyn Read + Send>,
    write: Box<dyn Write + Send>,
}

impl Client {
    /// A client made of two halves. To drop `write` tells the server that nothing more will come, as
    /// with a pipe and with a child's standard input; to drop both ends the connection.
    ///
    /// Whatever can wait for ever sets a limit of its own, so that a conversation that hangs fails.
    pub fn new(read: impl Read + Send + 'static, write: impl Write + Send + 'static) -> Self {
        let (read, write) = (Box::new(read), Box::new(write));
        Self { read, write }
    }

    /// Connects to a server's socket, and gives up if that is silent for 20 seconds.
    ///
    /// # Errors
    /// Those of the system.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIMEOUTS))?;
        Ok(Self::new(socket.try_clone()?, HalfClose(socket)))
    }

    /// Sends these bytes, cut as `fragmentation` says, and answers all that comes back. `half_close` tells the
    /// server that nothing follows.
    pub(crate) fn send_and_read(
        self,
        bytes: &[u8],
        half_close: bool,
        fragmentation: Fragmentation,
    ) -> io::Result<Vec<u8>> {
        let Self { mut read, write } = self;
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut bytes = Vec::new();
                let read = read.read_to_end(&mut bytes);
                ended.store(true, Ordering::Relaxed);
                read.map(|_| bytes)
            });
            let mut write = write;
            let sent = send(&mut write, bytes, fragmentation, &ended);
            // What is kept until the end does not half-close.
            let _kept = (!half_close).then_some(write);
            let bytes = reader.join().expect("a client's reader does not panic");
            sent.and(bytes)
        })
    }
}

/// Sends all of it unless the server has ended before.
fn send(
    to: &mut dyn Write,
    bytes: &[u8],
    fragmentation: Fragmentation,
    ended: &AtomicBool,
) -> io::Result<()> {
    let (mut rest, mut pieces) = (bytes, fragmentation.sizes());
    while !rest.is_empty() && !ended.load(Ordering::Relaxed) {
        let piece = &rest[..pieces.next_size(rest.len())];
        match to.write_all(piece).and_then(|()| to.flush()) {
            Ok(()) => rest = &rest[piece.len()..],
            // It is the reader who decides whether the server was right to go.
            Err(error) if is_gone(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_gone(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// The half of a socket that is written to.
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

/// So long a server may be silent: longer than any that conforms.
pub(crate) const TIMEOUTS: Duration = Duration::from_secs(20);
