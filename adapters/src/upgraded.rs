//! [`UpgradedStream`]: the blocking stream of a connection that was upgraded to another protocol.

use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use crate::layer::Layer;

/// The stream of a connection whose handler returned [`Next::Upgrade`](sanserve_core::Next::Upgrade): a socket,
/// with or without TLS on top, for the protocol that follows HTTP. It first returns the bytes that the peer
/// sent after its request and that were received with it.
///
/// It blocks and has no timeouts: how long a peer may be silent is up to the new protocol, which can set
/// timeouts on the [`socket`](Self::socket). Without TLS its operations are those of the socket. When it is
/// dropped, a TLS peer is notified (`close_notify`) if that is possible without waiting.
pub struct UpgradedStream {
    socket: Arc<TcpStream>,
    layer: Option<Box<dyn Layer>>,
    received: Cursor<Vec<u8>>,
}

impl UpgradedStream {
    /// Takes over the socket from HTTP; from now on it blocks.
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

    /// Returns the socket, to query addresses, set timeouts, poll it, or shut it down from another thread
    /// through [`TcpStream::try_clone`]. With TLS, it must not be read or written directly. After an error of
    /// kind [`WouldBlock`](ErrorKind::WouldBlock) or [`TimedOut`](ErrorKind::TimedOut) the same bytes have to
    /// be written again.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Tells the peer that nothing more will come; reading is still possible.
    ///
    /// # Errors
    /// If the connection is lost.
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
        // Frees the memory of the buffer.
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
            while layer.has_output() {
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
