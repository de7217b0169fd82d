//! [`UpgradedStream`]: the asynchronous stream of a connection that was upgraded to another protocol.

use std::fmt;
use std::io::{self, Cursor, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::read_write::ReadWrite;

/// The stream of a connection whose handler returned [`Next::Upgrade`](sanserve_core::Next::Upgrade), for the
/// protocol that follows HTTP. It first returns the bytes that the peer sent after its request and that were
/// received with it. Over TLS, `poll_shutdown` notifies the peer (`close_notify`).
///
/// It has no timeouts: how long a peer may be silent is up to the new protocol.
pub struct UpgradedStream {
    stream: Box<dyn ReadWrite>,
    received: Cursor<Vec<u8>>,
}

impl UpgradedStream {
    pub(super) fn new(stream: Box<dyn ReadWrite>, received: Vec<u8>) -> UpgradedStream {
        UpgradedStream {
            stream,
            received: Cursor::new(received),
        }
    }
}

impl AsyncRead for UpgradedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.received.read(into.initialize_unfilled())?;
        if n > 0 || into.remaining() == 0 {
            into.advance(n);
            return Poll::Ready(Ok(()));
        }
        // Frees the memory of the buffer.
        self.received = Cursor::default();
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for UpgradedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Debug for UpgradedStream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("UpgradedStream").finish_non_exhaustive()
    }
}
