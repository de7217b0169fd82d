//! [`Socket`]: reads and writes a socket that Python owns.

use std::io::ErrorKind;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_nodelay;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use sanserve_core::{Delivery, Got};

use crate::connection::Event;
use crate::transport::Moved;

/// A socket of Python. Its descriptor stays open as long as the connection is used, because the handler in Python keeps
/// the socket.
pub(crate) struct Socket {
    descriptor: RawFd,
}

impl Socket {
    pub(crate) fn new(descriptor: RawFd) -> Socket {
        let socket = Socket { descriptor };
        // Fails if this is not a TCP socket.
        let _ = set_tcp_nodelay(socket.borrow(), true);
        socket
    }

    fn borrow(&self) -> BorrowedFd<'static> {
        // SAFETY: the handler that owns this connection also owns the socket, and closes it afterwards.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }

    pub(crate) fn read(&mut self, into: &mut [u8], left: Option<Duration>) -> Moved {
        if let Some(moved) = self.wait(PollFlags::IN, left) {
            return moved;
        }
        answer(recv(self.borrow(), into, RecvFlags::DONTWAIT).map(|(n, _)| n))
    }

    pub(crate) fn write(&mut self, from: &[u8], left: Option<Duration>) -> Moved {
        match self.send(from) {
            Err(Errno::AGAIN) => {}
            sent => return answer(sent),
        }
        if let Some(moved) = self.wait(PollFlags::OUT, left) {
            return moved;
        }
        answer(self.send(from))
    }

    fn send(&self, from: &[u8]) -> Result<usize, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        send(self.borrow(), from, flags)
    }

    /// Returns what the peer has acknowledged, if the system knows it.
    pub(crate) fn delivery(&self) -> Option<Delivery> {
        sanserve_server::delivery(self.borrow())
    }

    pub(crate) fn shutdown(&mut self) {
        let _ = shutdown(self.borrow(), Shutdown::Write);
    }

    /// Waits until the socket is ready. Returns what to do if it is not.
    fn wait(&self, flags: PollFlags, left: Option<Duration>) -> Option<Moved> {
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let descriptor = self.borrow();
        match poll(&mut [PollFd::new(&descriptor, flags)], left.as_ref()) {
            Ok(0) => Some(Moved::Answer(Got::Nothing)),
            Ok(_) => None,
            Err(Errno::INTR) => Some(Moved::Pause(Event::Interrupted)),
            Err(_) => Some(Moved::Answer(Got::Failed)),
        }
    }
}

fn answer(result: Result<usize, Errno>) -> Moved {
    Moved::Answer(match result {
        Ok(n) => Got::Bytes(n),
        Err(error) => match error.kind() {
            ErrorKind::Interrupted | ErrorKind::WouldBlock => Got::Nothing,
            _ => Got::Failed,
        },
    })
}
