//! [`Listener`], [`Socket`] and [`Pool`]: what the server needs from the operating system and from tokio, apart from
//! tasks and timers. They are implemented for tokio's types here; the simulation in the tests has others, without
//! sockets or threads.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use sanserve_core::FileSystem;
#[cfg(unix)]
use sanserve_core::{Connection, Handler, Now};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, spawn_blocking};

#[cfg(unix)]
use crate::delivery;
#[cfg(unix)]
use crate::hang_up::HangUp;
use crate::proxy_protocol::{HeaderReader, START_MAX};
use crate::send_file::send_file;
use crate::system_file;

/// Accepts connections.
pub(super) trait Listener: Send {
    type Socket: Socket;

    /// Accepts a connection. Dropping the future loses none.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// The socket of a connection.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Sets the options of the socket, and returns the address of its peer.
    fn prepare(&self) -> io::Result<SocketAddr>;

    /// Reads a piece of the header of the PROXY protocol. Returns 0 at the end of the stream, and otherwise
    /// [`ErrorKind::Interrupted`]: the connection has to read again, since the header is not for it.
    fn poll_header(
        &self,
        header: &mut HeaderReader,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>>;

    /// Returns whether [`send_file`](Socket::send_file) can send this file by reference.
    fn can_send<FS: FileSystem>(files: &FS, file: &mut FS::File) -> bool;

    /// Sends a piece of a file by reference, and returns its length; `None` if the file cannot be read.
    fn send_file<FS: FileSystem<File: Send> + Sync>(
        &self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> impl Future<Output = io::Result<Option<usize>>> + Send;

    /// Returns how the peer has hung up, if it has.
    #[cfg(unix)]
    fn hang_up(&self) -> Option<HangUp>;

    /// Returns whether there is unread data.
    #[cfg(unix)]
    fn has_unread(&self) -> bool;

    /// Reports to a connection what its peer has acknowledged, if a deadline has passed.
    #[cfg(unix)]
    fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now);
}

/// Makes calls that may block.
pub(super) trait Pool: Send + Sync + 'static {
    /// Makes a call elsewhere. It is made even if the handle is dropped.
    fn spawn<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T>;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }
}

impl Socket for TcpStream {
    fn prepare(&self) -> io::Result<SocketAddr> {
        // Replies are sent in as few packets as possible; delaying the last one would not help.
        self.set_nodelay(true)?;
        self.peer_addr()
    }

    fn poll_header(
        &self,
        header: &mut HeaderReader,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut bytes = [0; START_MAX];
        let n = ready!(self.poll_peek(cx, &mut ReadBuf::new(&mut bytes)))?;
        if n == 0 {
            return Poll::Ready(Ok(0));
        }
        let used = header.parse(&bytes[..n])?;
        let taken = self.try_read(&mut bytes[..used])?;
        debug_assert_eq!(taken, used, "bytes that were peeked at can be read");
        Poll::Ready(Err(ErrorKind::Interrupted.into()))
    }

    fn can_send<FS: FileSystem>(files: &FS, file: &mut FS::File) -> bool {
        system_file::is_sendable(files, file)
    }

    async fn send_file<FS: FileSystem<File: Send> + Sync>(
        &self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>> {
        let send = || send_file(self, files, file, at, len);
        self.async_io(Interest::WRITABLE, send).await
    }

    #[cfg(unix)]
    fn hang_up(&self) -> Option<HangUp> {
        HangUp::of(self)
    }

    #[cfg(unix)]
    fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(self).is_ok_and(|n| n > 0)
    }

    #[cfg(unix)]
    fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        delivery::report(conn, now, self);
    }
}

/// The threads that tokio starts for calls that block.
pub(super) struct BlockingThreads;

impl Pool for BlockingThreads {
    fn spawn<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        spawn_blocking(call)
    }
}
