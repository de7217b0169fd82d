//! [`Transport`]: a socket that never waits, and knows when there is no point in asking it.

use std::io::{self, ErrorKind, Read};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use mio::event::Event;
use sanserve_core::{FileSystem, FsError, Got};

use crate::UpgradedStream;
use crate::delivery;
use crate::hang_up::HangUp;
use crate::layer::Layer;
use crate::send_file::send_file;

/// A socket, bare or below TLS.
pub(super) struct Transport {
    socket: TcpStream,
    layer: Option<Box<dyn Layer>>,
    /// Whether the system may have something to read, or take something: it says so once, when that
    /// begins.
    readable: bool,
    writable: bool,
    /// The system has said that the peer is done: it will not say so again.
    over: bool,
    /// What the peer has done at last.
    hang_up: Option<HangUp>,
    /// Whether the system keeps back what fills no packet.
    corked: bool,
    failure: io::Result<()>,
}

impl Transport {
    /// A socket that does not block, as it comes. Most who come have said already what they want.
    pub(super) fn new(socket: TcpStream, layer: Option<Box<dyn Layer>>) -> Transport {
        Transport {
            socket,
            layer,
            readable: true,
            writable: true,
            over: false,
            hang_up: None,
            corked: false,
            failure: Ok(()),
        }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The system says that something can be done. Answers whether that was waited for. It may be
    /// wrong: while a child is being started it has copies of all sockets, and so one that was closed
    /// here lives on for a moment and tells of itself under the number that is another's by now.
    pub(super) fn can(&mut self, event: &Event) -> bool {
        let before = self.hang_up;
        if event.is_error() || event.is_write_closed() {
            self.hang_up = Some(HangUp::Reset);
        } else if event.is_read_closed() {
            self.hang_up.get_or_insert(HangUp::Closed);
        }
        self.over |= self.hang_up.is_some();
        let read = event.is_readable() || self.over;
        let write = event.is_writable() || self.over;
        let news = (read && !self.readable) || (write && !self.writable) || self.hang_up != before;
        self.readable |= read;
        self.writable |= write;
        news
    }

    pub(super) fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        self.cork(false);
        let read = loop {
            if let Err(error) = self.flush() {
                return self.told(Err(error));
            }
            let read = match &mut self.layer {
                // Something may have come before that is only now understood.
                Some(layer) => layer.read(&self.socket, into),
                None if !self.readable => return Got::Nothing,
                None => (&self.socket).read(into),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        // Less than there was room for is all that there was; when more comes, the system says so.
        self.readable = read.as_ref().is_ok_and(|n| self.over || *n == into.len());
        self.told(read)
    }

    /// Writes these bytes, to which more will be added at once or not.
    pub(super) fn write<F>(&mut self, from: &[u8], more: bool) -> Got<F> {
        if !self.writable {
            return Got::Nothing;
        }
        self.cork(false);
        let written = match &mut self.layer {
            Some(layer) => retry(|| layer.write(&self.socket, from)),
            None => retry(|| send(&self.socket, from, more)),
        };
        self.writable = written.is_ok();
        self.told(written)
    }

    /// Whether a layer is not yet ready for a request.
    pub(super) fn is_handshaking(&self) -> bool {
        self.layer
            .as_ref()
            .is_some_and(|layer| layer.is_handshaking())
    }

    /// Whether the peer has begun to speak without the layer.
    pub(super) fn is_plain(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| layer.is_plain())
    }

    /// Whether the peer has sent something that was not read yet.
    pub(super) fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(&self.socket).is_ok_and(|n| n > 0)
    }

    /// Whether files can be sent unread.
    pub(super) fn sends_files(&self) -> bool {
        self.layer.is_none()
    }

    /// Whether there is a point in reading: something may have come, or a layer has something to say.
    pub(super) fn is_readable(&self) -> bool {
        self.readable || self.layer.as_ref().is_some_and(|layer| layer.holds())
    }

    /// Whether the peer has left.
    pub(super) fn hang_up(&self) -> Option<HangUp> {
        // What was reported may have been meant for another socket.
        self.hang_up.and_then(|_| HangUp::of(&self.socket))
    }

    /// Whether it may take something.
    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Sends a piece of a file unread.
    pub(super) fn copy<FS: FileSystem, F>(
        &mut self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> Got<F> {
        if !self.writable {
            return Got::Nothing;
        }
        self.cork(len >= MOST);
        let sent = retry(|| send_file(&self.socket, files, file, at, len));
        self.writable = sent.is_ok();
        match sent {
            Ok(None) => Got::Refused(FsError::Io),
            sent => self.told(sent.map(Option::unwrap_or_default)),
        }
    }

    /// Has packets filled while pieces of a large file follow each other, or sends what is left.
    fn cork(&mut self, corked: bool) {
        if mem::replace(&mut self.corked, corked) != corked {
            #[cfg(target_os = "linux")]
            let _ = rustix::net::sockopt::set_tcp_cork(&self.socket, corked);
        }
    }

    /// Whether to close it says all that is to be said, and breaks nothing: what the peer has sent was
    /// read, and what it sends later cannot cut off what it has not acknowledged.
    pub(super) fn may_close(&self) -> bool {
        self.layer.is_none() && !self.readable && !self.has_unread() && !self.has_unacknowledged()
    }

    /// Whether the peer has not acknowledged all that was written.
    pub(super) fn has_unacknowledged(&self) -> bool {
        delivery::is_outstanding(&self.socket)
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shutdown(&mut self) {
        match &mut self.layer {
            Some(layer) => layer.shutdown(),
            None => _ = self.socket.shutdown(Shutdown::Write),
        }
    }

    /// Turns it into a stream for another protocol, of which these bytes came already. Returns its socket, too.
    pub(super) fn into_stream(
        mut self,
        received: Vec<u8>,
    ) -> io::Result<(Arc<TcpStream>, UpgradedStream)> {
        self.cork(false);
        let socket = Arc::new(self.socket);
        let stream = UpgradedStream::new(Arc::clone(&socket), self.layer, received)?;
        Ok((socket, stream))
    }

    /// What went wrong, if anything did. The peer is told, if that can be done at once.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let _ = self.flush();
        mem::replace(&mut self.failure, Ok(()))
    }

    /// Writes what a layer has to say by itself.
    fn flush(&mut self) -> io::Result<()> {
        let Some(layer) = &mut self.layer else {
            return Ok(());
        };
        while layer.holds() {
            if !self.writable {
                return Err(ErrorKind::WouldBlock.into());
            }
            let flushed = retry(|| layer.flush(&self.socket));
            self.writable = flushed.is_ok();
            flushed?;
        }
        Ok(())
    }

    fn told<F>(&mut self, moved: io::Result<usize>) -> Got<F> {
        match moved {
            Ok(n) => Got::Bytes(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Got::Nothing,
            Err(error) => {
                self.failure = Err(error);
                Got::Failed
            }
        }
    }
}

/// Writes, and has the system wait for more if that comes at once: head and content of a file leave
/// in as few packets as can be.
#[cfg(target_os = "linux")]
fn send(socket: &TcpStream, from: &[u8], more: bool) -> io::Result<usize> {
    use rustix::net::SendFlags;
    let mut flags = SendFlags::NOSIGNAL;
    flags.set(SendFlags::MORE, more);
    Ok(rustix::net::send(socket, from, flags)?)
}

#[cfg(not(target_os = "linux"))]
fn send(mut socket: &TcpStream, from: &[u8], _: bool) -> io::Result<usize> {
    io::Write::write(&mut socket, from)
}

/// Does it until it is done, or cannot be done now.
fn retry<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match work() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// So much is sent at once; then others have their turn.
pub(super) const MOST: u64 = 2 * 1024 * 1024;
