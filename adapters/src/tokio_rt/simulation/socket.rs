//! [`SimulatedSocket`]: the server's end of a connection, and [`BufferedSocket`], a stream over it that has to be
//! flushed.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use sanserve_core::{Connection, Delivery, FileSystem, Handler, Now};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::files::{SimulatedFile, content};
use super::network::{CLIENT, Network, SERVER, State, address};
use crate::hang_up::HangUp;
use crate::proxy_protocol::{HeaderReader, START_MAX};
use crate::tokio_rt::system::Socket;

/// The server's end of a connection.
pub(super) struct SimulatedSocket {
    network: Network,
    link: usize,
}

impl SimulatedSocket {
    pub(super) fn new(network: Network, link: usize) -> SimulatedSocket {
        SimulatedSocket { network, link }
    }

    /// Returns the address of the peer.
    pub(super) fn peer(&self) -> SocketAddr {
        address(self.link)
    }

    /// Writes some of these bytes.
    fn poll_send(&self, from: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (link, state) = (self.link, &mut *self.network.lock());
        let Some(max) = size(state, from.len(), cx)? else {
            return Poll::Pending;
        };
        let n = ready!(state.poll_write((link, SERVER), &from[..max], cx))?;
        state.note(|| format!("connection {link} writes {n} bytes"));
        Poll::Ready(Ok(n))
    }
}

/// Returns how many bytes an operation may move; none if it has to be repeated.
fn size(state: &mut State, len: usize, cx: &mut Context<'_>) -> io::Result<Option<usize>> {
    state.count()?;
    let faults = state.faults;
    if state.random.one_in(faults.interrupts) {
        return Err(ErrorKind::Interrupted.into());
    }
    if state.random.one_in(faults.spurious) {
        wake_soon(cx.waker().clone(), state.random.below(8));
        return Ok(None);
    }
    Ok(Some(match state.random.one_in(faults.short) && len > 1 {
        true => 1 + state.random.below(len - 1),
        false => len,
    }))
}

/// Wakes a task after other tasks have run, as for a socket whose readiness is not known yet.
fn wake_soon(waker: Waker, turns: usize) {
    tokio::spawn(async move {
        for _ in 0..turns {
            yield_now().await;
        }
        waker.wake();
    });
}

impl AsyncRead for SimulatedSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (link, state) = (self.link, &mut *self.network.lock());
        let Some(max) = size(state, into.remaining(), cx)? else {
            return Poll::Pending;
        };
        let bytes = ready!(state.poll_read((link, SERVER), max, cx))?;
        state.links[link].read += bytes.len();
        state.note(|| format!("connection {link} reads {} bytes", bytes.len()));
        into.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimulatedSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(from, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.network.lock();
        state.note(|| format!("connection {} is shut down", self.link));
        state.shut_down(self.link, SERVER);
        Poll::Ready(Ok(()))
    }
}

impl Socket for SimulatedSocket {
    fn prepare(&self) -> io::Result<SocketAddr> {
        match self.network.lock().links[self.link].reset[SERVER] {
            true => Err(ErrorKind::NotConnected.into()),
            false => Ok(self.peer()),
        }
    }

    fn poll_header(
        &self,
        header: &mut HeaderReader,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let (link, state) = (self.link, &mut *self.network.lock());
        let Some(max) = size(state, START_MAX, cx)? else {
            return Poll::Pending;
        };
        let peeked = ready!(state.poll_peek((link, SERVER), max, cx))?;
        if peeked.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let used = header.parse(&peeked)?;
        state.take((link, SERVER), used);
        state.links[link].read += used;
        state.note(|| format!("connection {link} reads {used} bytes of the header of a proxy"));
        Poll::Ready(Err(ErrorKind::Interrupted.into()))
    }

    fn can_send<FS: FileSystem>(files: &FS, file: &mut FS::File) -> bool {
        files.system_file(file).is_some()
    }

    async fn send_file<FS: FileSystem<File: Send> + Sync>(
        &self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>> {
        let file = files.system_file(file);
        let Some(file) = file.and_then(|file| file.downcast_ref::<SimulatedFile>()) else {
            return Ok(None);
        };
        let bytes = content(at, file.len.min(at + len));
        if file.fails() {
            return Ok(None);
        }
        if bytes.is_empty() {
            return Ok(Some(0));
        }
        poll_fn(|cx| self.poll_send(bytes, cx)).await.map(Some)
    }

    fn hang_up(&self) -> Option<HangUp> {
        let link = &self.network.lock().links[self.link];
        match link.directions[SERVER].end_delivered {
            _ if link.reset[SERVER] => Some(HangUp::Reset),
            true => Some(HangUp::Closed),
            false => None,
        }
    }

    fn has_unread(&self) -> bool {
        let link = &self.network.lock().links[self.link];
        !link.directions[SERVER].delivered.is_empty()
    }

    fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        if !conn.is_overdue(now) {
            return;
        }
        let direction = &self.network.lock().links[self.link].directions[CLIENT];
        let delivery = Delivery {
            acknowledged: Some(direction.delivered_len as u64),
            outstanding: direction.sent.len() as u64,
        };
        conn.delivered(now, delivery);
    }
}

impl Drop for SimulatedSocket {
    fn drop(&mut self) {
        let state = &mut *self.network.lock();
        state.sockets -= 1;
        let link = &mut state.links[self.link];
        link.closed_at = Some(Instant::now());
        link.delivered_at_close = link.directions[SERVER].delivered_len;
        state.close(self.link, SERVER);
    }
}

/// A stream that holds what is written until it is flushed, as TLS does.
pub(super) struct BufferedSocket {
    socket: SimulatedSocket,
    unflushed: Vec<u8>,
}

impl BufferedSocket {
    pub(super) fn new(socket: SimulatedSocket) -> BufferedSocket {
        BufferedSocket {
            socket,
            unflushed: Vec::new(),
        }
    }
}

impl AsyncRead for BufferedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for BufferedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unflushed.len() >= BUFFER_MAX {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        let n = from.len().min(BUFFER_MAX - self.unflushed.len());
        self.unflushed.extend_from_slice(&from[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unflushed.is_empty() {
            let n = ready!(self.socket.poll_send(&self.unflushed, cx))?;
            self.unflushed.drain(..n);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

const BUFFER_MAX: usize = 1_000;
