//! TLS above a socket, as a stream for a [`Link`].
//!
//! The handshake happens while the connection waits for its first bytes. It has the deadline of a
//! head from the moment when the connection is accepted, however it drips.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::Link;
use crate::Tls;
use crate::tls::refusal;

impl Link {
    /// A socket below TLS. The handshake happens while it is served.
    ///
    /// # Errors
    /// If the socket is gone already.
    pub fn tls(socket: TcpStream, tls: &Tls) -> io::Result<Link> {
        socket.set_nodelay(true)?;
        let peer = socket.peer_addr()?.ip();
        let accept = TlsAcceptor::from(tls.config()).accept(socket);
        Ok(Link::below(Session::Handshake(accept), peer))
    }
}

/// One peer's TLS.
pub(super) enum Session {
    Handshake(Accept<TcpStream>),
    Open(TlsStream<TcpStream>),
}

impl Session {
    /// The socket, after the handshake.
    #[cfg(unix)]
    pub(super) fn socket(&self) -> Option<&TcpStream> {
        match self {
            Session::Handshake(_) => None,
            Session::Open(stream) => Some(stream.get_ref().0),
        }
    }

    /// Whether the handshake is not over.
    pub(super) fn is_handshaking(&self) -> bool {
        matches!(self, Session::Handshake(_))
    }

    /// The stream, after the handshake.
    fn stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let Session::Handshake(accept) = self {
            *self = Session::Open(ready!(Pin::new(accept).poll(cx)).map_err(plain)?);
        }
        match self {
            Session::Open(stream) => Poll::Ready(Ok(Pin::new(stream))),
            Session::Handshake(_) => unreachable!("it is open now"),
        }
    }
}

impl AsyncRead for Session {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(ready!(self.stream(cx))?.poll_read(cx, into));
        Poll::Ready(match read {
            // The peer is gone without a word. Whether something is missing shows in its request.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            read => read.map_err(plain),
        })
    }
}

impl AsyncWrite for Session {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.stream(cx))?.poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream(cx))?.poll_shutdown(cx)
    }
}

/// What the peer did wrong, in plain words. The alert that tells it is sent already.
fn plain(error: io::Error) -> io::Error {
    match error.downcast::<Error>() {
        Ok(error) => refusal(error),
        Err(error) => error,
    }
}
