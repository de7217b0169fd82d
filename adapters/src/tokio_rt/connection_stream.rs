//! [`ConnectionStream`]: reads, writes and sends files over the stream of a connection, which is a socket, TLS on top
//! of a socket, or any other asynchronous stream.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::IpAddr;
#[cfg(unix)]
use std::pin::Pin;
#[cfg(unix)]
use std::task::Waker;
use std::task::{Context, Poll};

#[cfg(unix)]
use sanserve_core::{Connection, Handler, Now};
use sanserve_core::{FsError, Got};
#[cfg(unix)]
use tokio::io::ReadBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::UpgradedStream;
use super::file_access::FileAccess;
use super::read_write::ReadWrite;
use super::system::Socket;
#[cfg(feature = "tls")]
use super::tls::Session;
#[cfg(unix)]
use crate::hang_up::HangUp;
use crate::proxy_protocol::HeaderReader;

/// The stream of a connection.
pub(super) struct ConnectionStream<S> {
    stream: Stream<S>,
    /// Reads what a proxy sends first; `None` when it was read, and for a peer that is not a proxy.
    header: Option<Box<HeaderReader>>,
    /// A byte that was read while checking whether the peer has hung up.
    peeked: Option<u8>,
    /// The number of bytes that the stream has taken and not flushed yet.
    unflushed: usize,
    /// Whether the peer still has to be told that nothing more will come.
    shutdown_pending: bool,
    failure: io::Result<()>,
}

pub(super) enum Stream<S> {
    /// A socket without TLS, to which files can be sent by reference.
    Socket(S),
    #[cfg(feature = "tls")]
    Tls(Box<Session>, IpAddr),
    Other(Box<dyn ReadWrite>, String),
}

impl<S: Socket> ConnectionStream<S> {
    pub(super) fn new(stream: Stream<S>) -> ConnectionStream<S> {
        ConnectionStream {
            stream,
            header: None,
            peeked: None,
            unflushed: 0,
            shutdown_pending: false,
            failure: Ok(()),
        }
    }

    /// Makes the header of the PROXY protocol come first, if the peer is a proxy.
    pub(super) fn with_header(self, is_proxy: bool) -> ConnectionStream<S> {
        let header = is_proxy.then(|| Box::new(HeaderReader::new()));
        ConnectionStream { header, ..self }
    }

    /// Returns the client for which the peer speaks, once, when it has become known.
    pub(super) fn take_client(&mut self) -> Option<IpAddr> {
        self.header
            .take_if(|header| !header.is_reading())?
            .take_client()
    }

    /// Turns this into a stream for another protocol, which begins with `received`.
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
            Stream::Socket(socket) => Ok(socket.prepare()?.ip().to_string()),
            #[cfg(feature = "tls")]
            Stream::Tls(_, peer) => Ok(peer.to_string()),
            Stream::Other(_, peer) => Ok(mem::take(peer)),
        }
    }

    /// Returns whether the header of a proxy or the TLS handshake is still in progress.
    pub(super) fn is_handshaking(&self) -> bool {
        self.is_reading_header()
            || match &self.stream {
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
        if self.is_reading_header() {
            let read = poll_fn(|cx| self.poll_header(cx)).await;
            return self.answer(read);
        }
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
        match files.send(handle, socket, at, len).await {
            Ok(None) => Got::Refused(FsError::Io),
            sent => self.answer(sent.map(Option::unwrap_or_default)),
        }
    }

    /// Returns how the peer has hung up.
    #[cfg(unix)]
    pub(super) fn hang_up(&mut self) -> Option<HangUp> {
        match &self.stream {
            Stream::Socket(socket) => socket.hang_up(),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session.socket().and_then(Socket::hang_up),
            Stream::Other(..) => self.peek(),
        }
    }

    /// Returns whether something has arrived that was not read.
    #[cfg(unix)]
    pub(super) fn has_unread(&mut self) -> bool {
        match &self.stream {
            Stream::Socket(socket) => socket.has_unread(),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => session.socket().is_some_and(Socket::has_unread),
            Stream::Other(..) => {
                self.peek();
                self.peeked.is_some()
            }
        }
    }

    /// Not available on this system.
    #[cfg(not(unix))]
    pub(super) fn has_unread(&mut self) -> bool {
        false
    }

    /// Returns how the peer has hung up. For a stream other than a socket, the only way to find out is to read.
    #[cfg(unix)]
    fn peek(&mut self) -> Option<HangUp> {
        if self.peeked.is_some() {
            return None;
        }
        let mut byte = [0];
        let mut into = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(self.stream()).poll_read(&mut context, &mut into) {
            Poll::Ready(Ok(())) if into.filled().is_empty() => Some(HangUp::Closed),
            Poll::Ready(Ok(())) => {
                self.peeked = into.filled().first().copied();
                None
            }
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => None,
            Poll::Ready(Err(_)) => Some(HangUp::Reset),
            Poll::Pending => None,
        }
    }

    /// Reports to the connection what its peer has acknowledged, if a deadline has passed. This is known for
    /// sockets only.
    #[cfg(unix)]
    pub(super) fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        match &self.stream {
            Stream::Socket(socket) => socket.report_delivery(conn, now),
            #[cfg(feature = "tls")]
            Stream::Tls(session, _) => {
                let socket = session.socket();
                socket
                    .into_iter()
                    .for_each(|socket| socket.report_delivery(conn, now));
            }
            Stream::Other(..) => {}
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

    fn is_reading_header(&self) -> bool {
        self.header.as_ref().is_some_and(|it| it.is_reading())
    }

    /// Reads a piece of the header, as [`Socket::poll_header`] does.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match (&self.stream, &mut self.header) {
            (Stream::Socket(socket), Some(header)) => socket.poll_header(header, cx),
            #[cfg(feature = "tls")]
            (Stream::Tls(session, _), Some(header)) => session.poll_header(header, cx),
            // Only a server expects headers, and it has sockets.
            _ => Poll::Ready(Err(ErrorKind::Unsupported.into())),
        }
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

/// The most bytes of a file sent, or read into memory, in one call.
const SEND_CHUNK_MAX: u64 = 256 * 1024;
