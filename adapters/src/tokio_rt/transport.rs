//! [`Transport`]: a stream that speaks the connection's language.

use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
#[cfg(feature = "tls")]
use std::net::IpAddr;
#[cfg(unix)]
use std::pin::Pin;
#[cfg(unix)]
use std::task::{Context, Poll, Waker};

#[cfg(unix)]
use sanserve_core::{Connection, Handler, Now};
use sanserve_core::{FsError, Got};
#[cfg(unix)]
use tokio::io::ReadBuf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::UpgradedStream;
use super::files::FileAccess;
use super::read_write::ReadWrite;
#[cfg(feature = "tls")]
use super::tls::Session;
#[cfg(feature = "tls")]
use crate::Tls;
#[cfg(unix)]
use crate::delivery;
#[cfg(unix)]
use crate::hang_up::HangUp;

/// A stream that is to be served: a socket, as [`From`] makes it, or any other.
pub struct Transport {
    stream: Stream,
    /// A byte that was read while it was looked whether the peer has left.
    ahead: Option<u8>,
    /// How many bytes the stream has taken and not flushed yet.
    taken: usize,
    /// The peer was not told yet that nothing more will come.
    ending: bool,
    failure: io::Result<()>,
}

enum Stream {
    /// A bare socket, which takes files by reference.
    Socket(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<Session>, IpAddr),
    Other(Box<dyn ReadWrite>, String),
}

impl From<TcpStream> for Transport {
    /// The bare socket.
    fn from(socket: TcpStream) -> Transport {
        Transport::of(Stream::Socket(socket))
    }
}

impl Transport {
    /// Any stream: one of memory, one below TLS, one of a simulated network. `peer` is the address
    /// of who is at its other end, as log lines show it.
    pub fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: impl fmt::Display,
    ) -> Transport {
        Transport::of(Stream::Other(Box::new(stream), peer.to_string()))
    }

    /// A socket below TLS. The handshake happens while it is served.
    ///
    /// # Errors
    /// If the socket is gone already.
    #[cfg(feature = "tls")]
    pub fn tls(socket: TcpStream, tls: &Tls) -> io::Result<Transport> {
        socket.set_nodelay(true)?;
        let peer = socket.peer_addr()?.ip();
        let session = Box::new(Session::new(socket, tls));
        Ok(Transport::of(Stream::Tls(session, peer)))
    }

    fn of(stream: Stream) -> Transport {
        Transport {
            stream,
            ahead: None,
            taken: 0,
            ending: false,
            failure: Ok(()),
        }
    }

    /// Turns it into a stream for another protocol, of which these bytes came already.
    pub(super) fn into_stream(self, mut received: Vec<u8>) -> UpgradedStream {
        received.extend(self.ahead);
        let stream: Box<dyn ReadWrite> = match self.stream {
            Stream::Socket(socket) => Box::new(socket),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session,
            Stream::Other(stream, _) => stream,
        };
        UpgradedStream::new(stream, received)
    }

    /// Takes over a stream; answers who is at its other end.
    pub(super) fn begin(&mut self) -> io::Result<String> {
        match &mut self.stream {
            Stream::Socket(socket) => {
                // Replies leave in as few pieces as can be; to hold the last one back helps nobody.
                socket.set_nodelay(true)?;
                Ok(socket.peer_addr()?.ip().to_string())
            }
            #[cfg(feature = "tls")]
            Stream::Tls(_, peer) => Ok(peer.to_string()),
            Stream::Other(_, peer) => Ok(mem::take(peer)),
        }
    }

    /// Whether it is not yet ready for a request.
    pub(super) fn is_handshaking(&self) -> bool {
        match &self.stream {
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session.is_handshaking(),
            _ => false,
        }
    }

    /// Whether the peer has begun to speak plain HTTP where TLS was expected.
    pub(super) fn is_plain(&self) -> bool {
        match &self.stream {
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session.is_plain(),
            _ => false,
        }
    }

    /// Whether it takes files by reference.
    pub(super) fn sends_files(&self) -> bool {
        cfg!(target_os = "linux") && matches!(self.stream, Stream::Socket(_))
    }

    pub(super) async fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        if self.ending {
            // A transport that is gone already shows at the reading.
            let _ = self.stream().shutdown().await;
            self.ending = false;
        }
        if let Some(byte) = self.ahead.take() {
            into[0] = byte;
            return Got::Bytes(1);
        }
        let read = self.stream().read(into).await;
        self.answer(read)
    }

    /// Writes some of these bytes. They count when they are with the system: nobody would wait for
    /// what is left in between.
    pub(super) async fn write<F>(&mut self, from: &[u8]) -> Got<F> {
        let written = if let Stream::Socket(socket) = &mut self.stream {
            socket.write(from).await
        } else {
            self.write_and_flush(from).await
        };
        self.answer(written)
    }

    async fn write_and_flush(&mut self, from: &[u8]) -> io::Result<usize> {
        // A deadline may have ended the flush of what the stream has taken: the same bytes are offered again.
        if self.taken == 0 {
            self.taken = match self.stream().write(from).await? {
                0 => return Err(ErrorKind::WriteZero.into()),
                n => n,
            };
        }
        self.stream().flush().await?;
        Ok(mem::take(&mut self.taken))
    }

    /// Sends a piece of a file without reading it, unless it has to be fetched from the disk.
    pub(super) async fn copy<A: FileAccess>(
        &mut self,
        files: &A,
        held: &mut A::Held,
        at: u64,
        len: u64,
    ) -> Got<A::Held> {
        let len = len.min(COPY_MAX);
        match files.fetch(held, at, len).await {
            Got::Nothing => {}
            got => return got,
        }
        let Stream::Socket(socket) = &self.stream else {
            return Got::Refused(FsError::Io);
        };
        let send = || files.send(held, socket, at, len);
        let sent = socket.async_io(tokio::io::Interest::WRITABLE, send).await;
        match sent {
            Ok(None) => Got::Refused(FsError::Io),
            sent => self.answer(sent.map(Option::unwrap_or_default)),
        }
    }

    /// Whether the peer has left. A stream that is no bare socket shows that only when it is read.
    #[cfg(unix)]
    pub(super) fn hang_up(&mut self) -> Option<HangUp> {
        let stream = match &mut self.stream {
            Stream::Socket(socket) => return HangUp::of(&*socket),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => return session.socket().and_then(HangUp::of),
            Stream::Other(_, _) if self.ahead.is_some() => return None,
            Stream::Other(stream, _) => Pin::new(stream),
        };
        let mut byte = [0];
        let mut into = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        match stream.poll_read(&mut context, &mut into) {
            Poll::Ready(Ok(())) if into.filled().is_empty() => Some(HangUp::Closed),
            Poll::Ready(Ok(())) => {
                self.ahead = into.filled().first().copied();
                None
            }
            Poll::Ready(Err(_)) => Some(HangUp::Reset),
            Poll::Pending => None,
        }
    }

    /// Tells the connection what its peer has acknowledged, if a deadline makes that matter. Of a stream that is
    /// no socket nobody knows.
    #[cfg(unix)]
    pub(super) fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        let socket = match &self.stream {
            Stream::Socket(socket) => Some(socket),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session.socket(),
            Stream::Other(..) => None,
        };
        if let Some(socket) = socket {
            delivery::report(conn, now, socket);
        }
    }

    /// Tells the peer that nothing more will come, before it is read from again.
    pub(super) fn shutdown(&mut self) {
        self.ending = true;
    }

    /// What went wrong, if anything did.
    pub(super) fn end(self) -> io::Result<()> {
        self.failure
    }

    fn stream(&mut self) -> &mut dyn ReadWrite {
        match &mut self.stream {
            Stream::Socket(socket) => socket,
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session,
            Stream::Other(stream, _) => stream,
        }
    }

    fn answer<F>(&mut self, result: io::Result<usize>) -> Got<F> {
        match result {
            Ok(n) => Got::Bytes(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => Got::Nothing,
            Err(error) => {
                self.failure = Err(error);
                Got::Failed
            }
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = matches!(self.stream, Stream::Socket(_));
        let mut out = out.debug_struct("Transport");
        out.field("bare", &bare).finish_non_exhaustive()
    }
}

/// Sent at once, and fetched from the disk at once if need be.
const COPY_MAX: u64 = 256 * 1024;
