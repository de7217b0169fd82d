//! [`Transport`]: what the port serves, a socket or a pipe. No operation waits.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sanserve_conformance::PipeEnd;

use super::Fault;

/// A byte stream that reports [`ErrorKind::WouldBlock`] rather than to wait.
pub(super) trait Transport {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;
    fn write(&mut self, from: &[u8]) -> io::Result<usize>;
    /// Half-closes.
    fn shutdown(&mut self);
    /// Returns how the peer has disconnected, if it has.
    fn hang_up(&mut self) -> Option<HangUp>;
    /// Never closes it.
    fn leak(self);
}

/// How a peer has disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HangUp {
    Closed,
    Reset,
}

/// A non-blocking socket.
pub(super) struct Socket {
    pub(super) fault: Fault,
    pub(super) id: usize,
    pub(super) socket: TcpStream,
    /// The open connections of the port, oldest first.
    pub(super) open: Arc<Mutex<Vec<(usize, TcpStream)>>>,
}

impl Socket {
    fn open(&self) -> MutexGuard<'_, Vec<(usize, TcpStream)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.fault {
            Fault::ReadsFromOldestConnection => (&self.open()[0].1).read(into),
            _ => self.socket.read(into),
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self.fault {
            Fault::WritesToOldestConnection => (&self.open()[0].1).write(from),
            _ => self.socket.write(from),
        }
    }

    fn shutdown(&mut self) {
        // It fails if the peer has already closed the connection.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        if !matches!(self.socket.take_error(), Ok(None)) {
            return Some(HangUp::Reset);
        }
        match self.socket.peek(&mut [0]) {
            Ok(0) => Some(HangUp::Closed),
            Err(error) if error.kind() != ErrorKind::WouldBlock => Some(HangUp::Reset),
            _ => None,
        }
    }

    fn leak(self) {
        mem::forget(self.socket.try_clone());
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.open().retain(|(id, _)| *id != self.id);
    }
}

impl Transport for PipeEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.can_read() {
            true => Read::read(self, into),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self.can_write() {
            true => Write::write(self, from),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn shutdown(&mut self) {
        PipeEnd::shutdown(self);
    }

    /// A pipe of which the peer has closed both ends is as good as reset.
    fn hang_up(&mut self) -> Option<HangUp> {
        self.is_closed().then_some(HangUp::Reset)
    }

    fn leak(self) {
        mem::forget(self);
    }
}
