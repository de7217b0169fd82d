//! [`Transport`]: reads, writes and sends files over the stream of a connection, which is a socket, TLS on top
//! of a socket, or any other asynchronous stream.

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
use super::file_access::FileAccess;
use super::read_write::ReadWrite;
#[cfg(feature = "tls")]
use super::tls::Session;
#[cfg(feature = "tls")]
use crate::Tls;
#[cfg(unix)]
use crate::delivery;
#[cfg(unix)]
use crate::hang_up::HangUp;

/// A stream to be served: a socket (made by [`From`]), or any other stream.
pub struct Transport {
    stream: Stream,
    /// A byte that was read while checking whether the peer has hung up.
    peeked: Option<u8>,
    /// The number of bytes that the stream has taken and not flushed yet.
    unflushed: usize,
    /// Whether the peer still has to be told that nothing more will come.
    shutdown_pending: bool,
    failure: io::Result<()>,
}

enum Stream {
    /// A socket without TLS, to which files can be sent by reference.
    Socket(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<Session>, IpAddr),
    Other(Box<dyn ReadWrite>, String),
}

impl From<TcpStream> for Transport {
    /// Wraps a socket, without TLS.
    fn from(socket: TcpStream) -> Transport {
        Transport::from_stream(Stream::Socket(socket))
    }
}

impl Transport {
    /// Wraps any other stream, such as a pipe in memory, a TLS stream, or one of a simulated network. `peer` is
    /// the address of the peer as log lines show it.
    pub fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: impl fmt::Display,
    ) -> Transport {
        Transport::from_stream(Stream::Other(Box::new(stream), peer.to_string()))
    }

    /// Wraps a socket with TLS on top. The handshake takes place while the connection is served.
    ///
    /// # Errors
    /// If the socket is not connected any more.
    #[cfg(feature = "tls")]
    pub fn tls(socket: TcpStream, tls: &Tls) -> io::Result<Transport> {
        socket.set_nodelay(true)?;
        let peer = socket.peer_addr()?.ip();
        let session = Box::new(Session::new(socket, tls));
        Ok(Transport::from_stream(Stream::Tls(session, peer)))
    }

    fn from_stream(stream: Stream) -> Transport {
        Transport {
            stream,
            peeked: None,
            unflushed: 0,
            shutdown_pending: false,
            failure: Ok(()),
        }
    }

    /// Turns the transport into a stream for another protocol, which begins with `received`.
    pub(super) fn into_stream(self, mut received: Vec<u8>) -> UpgradedStream {
        received.extend(self.peeked);
        let stream: Box<dyn ReadWrite> = match self.stream {
            Stream::Socket(socket) => Box::new(socket),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session,
            Stream::Other(stream, _) => stream,
        };
        UpgradedStream::new(stream, received)
    }

    /// Prepares the stream; returns the address of the peer.
    pub(super) fn prepare(&mut self) -> io::Result<String> {
        match &mut self.stream {
            Stream::Socket(socket) => {
                // Replies are sent in as few packets as possible; delaying the last one would not help.
                socket.set_nodelay(true)?;
                Ok(socket.peer_addr()?.ip().to_string())
            }
            #[cfg(feature = "tls")]
            Stream::Tls(_, peer) => Ok(peer.to_string()),
            Stream::Other(_, peer) => Ok(mem::take(peer)),
        }
    }

    /// Returns whether the TLS handshake is still in progress.
    pub(super) fn is_handshaking(&self) -> bool {
        match &self.stream {
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session.is_handshaking(),
            _ => false,
        }
    }

    /// Returns whether the peer speaks plain HTTP where TLS was expected.
    pub(super) fn is_plain(&self) -> bool {
        match &self.stream {
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session.is_plain(),
            _ => false,
        }
    }

    /// Returns whether files can be sent by reference.
    pub(super) fn sends_files(&self) -> bool {
        cfg!(target_os = "linux") && matches!(self.stream, Stream::Socket(_))
    }

    pub(super) async fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        if self.shutdown_pending {
            // If the connection is lost, the read below fails.
            let _ = self.stream().shutdown().await;
            self.shutdown_pending = false;
        }
        if let Some(byte) = self.peeked.take() {
            into[0] = byte;
            return Got::Bytes(1);
        }
        let read = self.stream().read(into).await;
        self.answer(read)
    }

    /// Writes some of these bytes. They count only when the system has them, because nothing would wait for
    /// bytes in a buffer in between.
    pub(super) async fn write<F>(&mut self, from: &[u8]) -> Got<F> {
        let written = if let Stream::Socket(socket) = &mut self.stream {
            socket.write(from).await
        } else {
            self.write_and_flush(from).await
        };
        self.answer(written)
    }

    async fn write_and_flush(&mut self, from: &[u8]) -> io::Result<usize> {
        // The deadline may have ended the flush of bytes that the stream has taken; the same bytes are passed
        // again then.
        if self.unflushed == 0 {
            self.unflushed = match self.stream().write(from).await? {
                0 => return Err(ErrorKind::WriteZero.into()),
                n => n,
            };
        }
        self.stream().flush().await?;
        Ok(mem::take(&mut self.unflushed))
    }

    /// Sends a piece of a file by reference, after it was read into memory if necessary.
    pub(super) async fn copy<A: FileAccess>(
        &mut self,
        files: &A,
        handle: &mut A::Handle,
        at: u64,
        len: u64,
    ) -> Got<A::Handle> {
        let len = len.min(SEND_CHUNK_MAX);
        match files.fetch(handle, at, len).await {
            Got::Nothing => {}
            got => return got,
        }
        let Stream::Socket(socket) = &self.stream else {
            return Got::Refused(FsError::Io);
        };
        let send = || files.send(handle, socket, at, len);
        let sent = socket.async_io(tokio::io::Interest::WRITABLE, send).await;
        match sent {
            Ok(None) => Got::Refused(FsError::Io),
            sent => self.answer(sent.map(Option::unwrap_or_default)),
        }
    }

    /// Returns how the peer has hung up. For a stream other than a socket, the only way to find out is to read.
    #[cfg(unix)]
    pub(super) fn hang_up(&mut self) -> Option<HangUp> {
        let stream = match &mut self.stream {
            Stream::Socket(socket) => return HangUp::of(&*socket),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => return session.socket().and_then(HangUp::of),
            Stream::Other(_, _) if self.peeked.is_some() => return None,
            Stream::Other(stream, _) => Pin::new(stream),
        };
        let mut byte = [0];
        let mut into = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        match stream.poll_read(&mut context, &mut into) {
            Poll::Ready(Ok(())) if into.filled().is_empty() => Some(HangUp::Closed),
            Poll::Ready(Ok(())) => {
                self.peeked = into.filled().first().copied();
                None
            }
            Poll::Ready(Err(_)) => Some(HangUp::Reset),
            Poll::Pending => None,
        }
    }

    /// Reports to the connection what its peer has acknowledged, if a deadline has passed. This is known for
    /// sockets only.
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

    /// Tells the peer that nothing more will come, before the next read.
    pub(super) fn shutdown(&mut self) {
        self.shutdown_pending = true;
    }

    /// Returns what went wrong, if anything did.
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

/// The most bytes of a file sent, or read into memory, in one call.
const SEND_CHUNK_MAX: u64 = 256 * 1024;
