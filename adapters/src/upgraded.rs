//! [`UpgradedStream`]: the transport of a connection that was upgraded to another protocol, for threads.

use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use crate::layer::Layer;

/// The transport of a connection whose handler returned [`Next::Upgrade`](sanserve_core::Next::Upgrade): a socket, bare or below TLS,
/// for the protocol that follows HTTP. It reads the bytes that the peer sent after its request first, although they
/// have been received already.
///
/// It blocks, and has no timeouts: how long a peer may be silent is up to the new protocol, which can set timeouts on the
/// [`socket`](Self::socket). Without TLS its operations are those of the socket. When it is dropped, a peer with TLS is
/// notified (`close_notify`) if that is possible at once.
pub struct UpgradedStream {
    socket: Arc<TcpStream>,
    layer: Option<Box<dyn Layer>>,
    received: Cursor<Vec<u8>>,
}

impl UpgradedStream {
    /// A socket as it is left by HTTP; from now on it blocks.
    pub(crate) fn new(
        socket: Arc<TcpStream>,
        layer: Option<Box<dyn Layer>>,
        received: Vec<u8>,
    ) -> io::Result<UpgradedStream> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(None)?;
        socket.set_write_timeout(None)?;
        Ok(UpgradedStream {
            socket,
            layer,
            received: Cursor::new(received),
        })
    }

    /// Returns the socket: to learn addresses, to set timeouts, to wait for it, or to shut it down from another thread, through
    /// [`TcpStream::try_clone`]. Below TLS it must not be read or written. After an error of the kinds
    /// [`WouldBlock`](ErrorKind::WouldBlock) and [`TimedOut`](ErrorKind::TimedOut) the same bytes have to be written again.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Tells the peer that nothing more will come; reading goes on.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match &mut self.layer {
            None => self.socket.shutdown(std::net::Shutdown::Write),
            Some(layer) => {
                layer.shutdown();
                self.flush()
            }
        }
    }
}

impl Read for UpgradedStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.received.read(into)? {
            0 if !into.is_empty() => {}
            n => return Ok(n),
        }
        // Its memory is of no use any more.
        self.received = Cursor::default();
        loop {
            self.flush()?;
            let read = match &mut self.layer {
                None => return (&*self.socket).read(into),
                Some(layer) => layer.read(&self.socket, into),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for UpgradedStream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let Some(layer) = &mut self.layer else {
            return (&*self.socket).write(from);
        };
        if from.is_empty() {
            return Ok(0);
        }
        loop {
            match layer.write(&self.socket, from) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(layer) = &mut self.layer {
            while layer.holds() {
                match layer.flush(&self.socket) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    flushed => flushed?,
                }
            }
        }
        Ok(())
    }
}

impl Drop for UpgradedStream {
    fn drop(&mut self) {
        if let Some(layer) = &mut self.layer {
            layer.shutdown();
            let _ = self.socket.set_nonblocking(true);
            let _ = layer.flush(&self.socket);
        }
    }
}

impl fmt::Debug for UpgradedStream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.layer.is_none();
        let mut out = out.debug_struct("UpgradedStream");
        out.field("socket", &self.socket).field("bare", &bare);
        out.finish_non_exhaustive()
    }
}
