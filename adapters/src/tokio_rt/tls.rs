//! [`Session`]: TLS on top of a socket, as a stream for a [`Transport`](super::Transport). If the peer begins
//! with plain HTTP, it passes that through.
//!
//! The handshake takes place while the connection waits for its first bytes. It has the deadline of a request
//! head, counted from when the connection was accepted.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::Error;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{FallibleAccept, TlsAcceptor};

use super::read_write::ReadWrite;
use super::system::Socket;
use crate::Tls;
use crate::proxy_protocol::HeaderReader;
use crate::tls::{begins_http, drain, protocol_error};

/// The TLS session of one peer, or plain HTTP if the peer begins with that.
pub(super) enum Session {
    /// No byte has arrived yet. `None` only during a transition, and after a failed handshake.
    First(Option<(TcpStream, TlsAcceptor)>),
    Handshake(FallibleAccept<TcpStream>),
    Open(TlsStream<TcpStream>),
    Plain(TcpStream),
}

impl Session {
    /// Creates the session of a socket from which nothing was read.
    pub(super) fn new(socket: TcpStream, tls: &Tls) -> Session {
        Session::First(Some((socket, TlsAcceptor::from(tls.config()))))
    }

    /// Returns the socket, after the handshake.
    #[cfg(unix)]
    pub(super) fn socket(&self) -> Option<&TcpStream> {
        match self {
            Session::First(_) | Session::Handshake(_) => None,
            Session::Open(stream) => Some(stream.get_ref().0),
            Session::Plain(socket) => Some(socket),
        }
    }

    /// Reads a piece of the header of a proxy, which precedes the handshake.
    pub(super) fn poll_header(
        &self,
        header: &mut HeaderReader,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Session::First(Some((socket, _))) => socket.poll_header(header, cx),
            // Nothing else is read before the header.
            _ => Poll::Ready(Err(ErrorKind::Unsupported.into())),
        }
    }

    /// Returns whether the handshake is still in progress.
    pub(super) fn is_handshaking(&self) -> bool {
        matches!(self, Session::First(_) | Session::Handshake(_))
    }

    /// Returns whether the peer speaks plain HTTP.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Session::Plain(_))
    }

    /// Returns the stream, after the handshake.
    fn stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn ReadWrite>>> {
        if let Session::First(first) = self {
            let begins_http = match first {
                Some((socket, _)) => ready!(poll_first_byte(socket, cx))?,
                None => false,
            };
            let (socket, acceptor) = first.take().ok_or(ErrorKind::NotConnected)?;
            *self = match begins_http {
                true => Session::Plain(socket),
                false => Session::Handshake(acceptor.accept(socket).into_fallible()),
            };
        }
        if let Session::Handshake(accept) = self {
            *self = match ready!(Pin::new(accept).poll(cx)) {
                Ok(stream) => Session::Open(stream),
                Err((error, socket)) => {
                    drain(SockRef::from(&socket));
                    *self = Session::First(None);
                    return Poll::Ready(Err(describe(error)));
                }
            };
        }
        Poll::Ready(match self {
            Session::Open(stream) => Ok(Pin::new(stream)),
            Session::Plain(socket) => Ok(Pin::new(socket)),
            Session::First(_) | Session::Handshake(_) => unreachable!("it is open now"),
        })
    }
}

/// Peeks whether the first byte begins a request.
fn poll_first_byte(socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
    let mut byte = [0];
    let mut into = ReadBuf::new(&mut byte);
    ready!(socket.poll_peek(cx, &mut into))?;
    Poll::Ready(Ok(into
        .filled()
        .first()
        .is_some_and(|&byte| begins_http(byte))))
}

impl AsyncRead for Session {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(ready!(self.stream(cx))?.poll_read(cx, into));
        Poll::Ready(match read {
            // The peer may have closed without `close_notify`. An incomplete request will show it.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            read => read.map_err(describe),
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

/// Converts an error of the peer to a short message. The alert that reports it was already sent.
fn describe(error: io::Error) -> io::Error {
    match error.downcast::<Error>() {
        Ok(error) => protocol_error(error),
        Err(error) => error,
    }
}
