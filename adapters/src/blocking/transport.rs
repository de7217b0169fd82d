//! [`Transport`]: a connection's blocking socket, with or without TLS on top. It reads, writes and sends files,
//! each with a deadline.

use std::fmt;
#[cfg(windows)]
use std::io::Write;
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sanserve_core::{Config, FileSystem, FsError, Got};

#[cfg(feature = "tls")]
use crate::Tls;
use crate::UpgradedStream;
#[cfg(unix)]
use crate::hang_up::HangUp;
use crate::layer::Layer;
use crate::proxy_protocol::{IsProxy, ProxyProtocol};
use crate::recording::{ConnectionRecorder, Recorder};
use crate::send_file::send_file;

/// A blocking socket to be served: without TLS (made by [`From`]), or with TLS on top.
pub struct Transport<'a> {
    socket: &'a TcpStream,
    layer: Option<Box<dyn Layer>>,
    #[cfg(unix)]
    read_timeout: Option<Duration>,
    #[cfg(unix)]
    write_timeout: Option<Duration>,
    /// Whether the socket is non-blocking, as it is while a file is sent, and on Windows always.
    nonblocking: bool,
    /// Whether the handler may upgrade the connection.
    upgradable: bool,
    /// Records the connection.
    recorder: Option<&'a Recorder>,
    failure: io::Result<()>,
}

impl<'a> From<&'a TcpStream> for Transport<'a> {
    /// Wraps a socket, without TLS.
    fn from(socket: &'a TcpStream) -> Transport<'a> {
        Transport {
            socket,
            layer: None,
            #[cfg(unix)]
            read_timeout: None,
            #[cfg(unix)]
            write_timeout: None,
            nonblocking: false,
            upgradable: false,
            recorder: None,
            failure: Ok(()),
        }
    }
}

impl<'a> Transport<'a> {
    /// Wraps a socket with TLS on top; [`serve`](super::serve) performs the handshake. A client that sends
    /// plain HTTP is answered by [`Handler::begin_without_tls`](sanserve_core::Handler::begin_without_tls).
    ///
    /// # Errors
    /// If rustls rejects its own configuration.
    #[cfg(feature = "tls")]
    pub fn tls(socket: &'a TcpStream, tls: &Tls) -> io::Result<Transport<'a>> {
        Ok(Transport {
            layer: Some(tls.layer()?),
            ..Transport::from(socket)
        })
    }

    /// Prepares the socket, which may have any timeouts; returns the address of the peer.
    pub(super) fn prepare(&mut self) -> io::Result<IpAddr> {
        // Replies are sent in as few packets as possible; delaying the last one would not help.
        self.socket.set_nodelay(true)?;
        Ok(self.socket.peer_addr()?.ip())
    }

    /// Reads the header of the PROXY protocol first, if the peer is a proxy.
    pub(crate) fn expect_header(&mut self, is_proxy: &IsProxy) -> io::Result<()> {
        if is_proxy(Some(self.socket.peer_addr()?.ip())) {
            self.layer = Some(Box::new(ProxyProtocol::new(self.layer.take())));
        }
        Ok(())
    }

    /// Returns the client for which the peer speaks, when it has become known.
    pub(super) fn take_client(&mut self) -> Option<IpAddr> {
        self.layer.as_mut()?.take_client()
    }

    /// Allows the handler to upgrade the connection.
    pub(crate) fn allow_upgrade(&mut self) {
        self.upgradable = true;
    }

    /// Has the connection recorded.
    pub(crate) fn record(&mut self, recorder: Option<&'a Recorder>) {
        self.recorder = recorder;
    }

    /// Returns the recorder of the connection.
    pub(super) fn recorder(&self, peer: &str, config: &Config) -> ConnectionRecorder {
        let recorder = self.recorder.map(|it| it.connection(peer, config));
        recorder.unwrap_or_default()
    }

    pub(super) fn is_upgradable(&self) -> bool {
        self.upgradable
    }

    /// Turns the transport into a stream for another protocol, which begins with `received`.
    pub(super) fn into_stream(self, received: Vec<u8>) -> io::Result<UpgradedStream> {
        let socket = Arc::new(self.socket.try_clone()?);
        UpgradedStream::new(socket, self.layer, received)
    }

    pub(super) fn read<F>(&mut self, into: &mut [u8], left: Option<Duration>) -> Got<F> {
        if self.has_output() {
            let flushed = self.flush(left);
            return self.answer(flushed.and(Err(ErrorKind::WouldBlock.into())));
        }
        let ready = self.prepare_read(left);
        let read = ready.and_then(|()| match &mut self.layer {
            Some(layer) => layer.read(self.socket, into),
            None => self.socket.read(into),
        });
        #[cfg(windows)]
        let read = {
            let left = left.map_or(READ_INTERVAL, |left| left.min(READ_INTERVAL));
            or_wait(self.socket, read, PollFlags::IN, Some(left))
        };
        self.answer(read)
    }

    #[cfg(unix)]
    fn prepare_read(&mut self, left: Option<Duration>) -> io::Result<()> {
        self.set_nonblocking(false)?;
        self.set_read_timeout(left.map(round))
    }

    /// On Windows data may be lost when a timeout of the socket is over, so all waiting is done by a poll.
    #[cfg(windows)]
    fn prepare_read(&mut self, _: Option<Duration>) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    pub(super) fn write<F>(&mut self, from: &[u8], left: Option<Duration>) -> Got<F> {
        let written = match &mut self.layer {
            Some(_) => self.write_through_layer(from, left),
            None => self.send(from, left),
        };
        self.answer(written)
    }

    fn write_through_layer(&mut self, from: &[u8], left: Option<Duration>) -> io::Result<usize> {
        self.prepare_write(left)?;
        let written = match &mut self.layer {
            Some(layer) => layer.write(self.socket, from),
            None => Ok(0),
        };
        #[cfg(windows)]
        let written = or_wait(self.socket, written, PollFlags::OUT, left);
        written
    }

    #[cfg(unix)]
    fn prepare_write(&mut self, left: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(left.map(round))
    }

    #[cfg(windows)]
    fn prepare_write(&mut self, _: Option<Duration>) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    /// Writes what the socket accepts immediately, and waits only until it accepts anything, so that progress
    /// is counted when it happens and the deadline holds.
    #[cfg(unix)]
    fn send(&mut self, from: &[u8], left: Option<Duration>) -> io::Result<usize> {
        when_writable(self.socket, left, || {
            Ok(rustix::net::send(self.socket, from, super::SEND_FLAGS)?)
        })
    }

    #[cfg(windows)]
    fn send(&mut self, from: &[u8], left: Option<Duration>) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        when_writable(self.socket, left, || (&mut self.socket).write(from))
    }

    /// Sends a piece of a file; without TLS, by reference.
    pub(super) fn copy<FS: FileSystem>(
        &mut self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
        left: Option<Duration>,
    ) -> Got<FS::File> {
        if self.layer.is_some() {
            let mut chunk = [0; TLS_CHUNK];
            let len = TLS_CHUNK.min(usize::try_from(len).unwrap_or(TLS_CHUNK));
            return match files.read(file, at, &mut chunk[..len]) {
                Ok(0) => Got::Bytes(0),
                Ok(n) => self.write(&chunk[..n], left),
                Err(_) => Got::Refused(FsError::Io),
            };
        }
        let copied = self.set_nonblocking(true).and_then(|()| {
            when_writable(self.socket, left, || {
                send_file(self.socket, files, file, at, len.min(SEND_CHUNK_MAX))
            })
        });
        match copied {
            Ok(None) => Got::Refused(FsError::Io),
            copied => self.answer(copied.map(Option::unwrap_or_default)),
        }
    }

    /// Tells the peer that nothing more will come. If the connection is lost, the next read fails; a layer's
    /// last message is sent before that read.
    pub(super) fn shutdown(&mut self) {
        match &mut self.layer {
            Some(layer) => layer.shutdown(),
            None => _ = self.socket.shutdown(Shutdown::Write),
        }
    }

    #[cfg(unix)]
    pub(super) fn socket(&self) -> &TcpStream {
        self.socket
    }

    /// Returns how the peer has hung up, if it has.
    #[cfg(unix)]
    pub(super) fn hang_up(&self) -> Option<HangUp> {
        HangUp::of(self.socket)
    }

    /// Returns what went wrong, if anything did. A last alert of the layer is sent if that is possible without
    /// waiting.
    pub(super) fn end(mut self) -> io::Result<()> {
        if self.has_output() {
            let _ = self.flush(Some(Duration::ZERO));
        }
        self.failure
    }

    /// Returns whether the layer's handshake is still in progress.
    pub(super) fn is_handshaking(&self) -> bool {
        self.layer
            .as_ref()
            .is_some_and(|layer| layer.is_handshaking())
    }

    /// Returns whether the peer sent plain HTTP to an HTTPS port.
    pub(super) fn is_plain(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| layer.is_plain())
    }

    fn has_output(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| layer.has_output())
    }

    fn flush(&mut self, left: Option<Duration>) -> io::Result<()> {
        self.prepare_write(left)?;
        let flushed = match &mut self.layer {
            Some(layer) => layer.flush(self.socket),
            None => Ok(()),
        };
        #[cfg(windows)]
        let flushed = or_wait(self.socket, flushed, PollFlags::OUT, left);
        flushed
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()> {
        if nonblocking != self.nonblocking {
            self.socket.set_nonblocking(nonblocking)?;
            self.nonblocking = nonblocking;
        }
        Ok(())
    }

    #[cfg(unix)]
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout != self.read_timeout {
            self.socket.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(())
    }

    #[cfg(unix)]
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout != self.write_timeout {
            self.socket.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }

    fn answer<F>(&mut self, result: io::Result<usize>) -> Got<F> {
        match result {
            Ok(n) => Got::Bytes(n),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    Got::Nothing
                }
                _ => {
                    self.failure = Err(error);
                    Got::Failed
                }
            },
        }
    }
}

impl fmt::Debug for Transport<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.layer.is_none();
        let mut out = out.debug_struct("Transport");
        out.field("socket", self.socket).field("bare", &bare);
        out.finish_non_exhaustive()
    }
}

/// Calls `work`, and once more after waiting until the socket is writable, for at most `left`.
fn when_writable<T>(
    socket: &TcpStream,
    left: Option<Duration>,
    mut work: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    match work() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        done => return done,
    }
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut [PollFd::new(socket, PollFlags::OUT)], left.as_ref())? {
        0 => Err(ErrorKind::WouldBlock.into()),
        _ => work(),
    }
}

/// Waits for one of these events, for at most `left`, if the result is that the socket is not ready.
#[cfg(windows)]
fn or_wait<T>(
    socket: &TcpStream,
    result: io::Result<T>,
    events: PollFlags,
    left: Option<Duration>,
) -> io::Result<T> {
    if matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock) {
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        poll(&mut [PollFd::new(socket, events)], left.as_ref())?;
    }
    result
}

/// Rounds the remaining time to a timeout for the socket: never zero, which would mean no timeout, and coarse
/// enough that quick operations in a row need not change it. If a wait is cut short by this, the connection
/// asks for it again.
#[cfg(unix)]
fn round(left: Duration) -> Duration {
    let second = Duration::from_secs(1);
    let left = left.min(60 * second);
    let grain = if left > second / 2 {
        second
    } else {
        second / 10
    };
    let grains = left.as_nanos().div_ceil(grain.as_nanos()).max(1);
    grain * grains as u32
}

/// How long a connection waits for input before it looks whether the server stops.
#[cfg(windows)]
const READ_INTERVAL: Duration = Duration::from_millis(250);

/// The most bytes of a file sent in one call, so that the deadline is checked in between.
const SEND_CHUNK_MAX: u64 = 1024 * 1024;

/// The number of bytes read at a time from a file that cannot be sent by reference: one TLS record.
const TLS_CHUNK: usize = 16 * 1024;
