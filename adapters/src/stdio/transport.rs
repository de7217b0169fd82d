//! [`Transport`]: the two descriptors of a connection. Reads, writes and sends files, each with a deadline.
//!
//! Other processes may use the same open files, so they are not set to non-blocking. They are polled instead,
//! and then read or written only as far as is possible without waiting. Only an output that is a socket gets a
//! timeout, because there is no way to know how much of a file it accepts.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sanserve_core::{Connection, FileSystem, FsError, Got, Handler, Now};
use socket2::SockRef;

use crate::blocking::SEND_FLAGS;
use crate::delivery;
use crate::hang_up::HangUp;
#[cfg(target_os = "linux")]
use crate::send_file::send_file;

/// The two descriptors of a connection.
pub(super) struct Transport {
    input: OwnedFd,
    /// `None` after the shutdown.
    output: Option<OwnedFd>,
    /// Whether the output is a socket.
    is_socket: bool,
    failure: io::Result<()>,
}

impl Transport {
    pub(super) fn new(input: OwnedFd, output: OwnedFd) -> io::Result<Transport> {
        let socket = SockRef::from(&output);
        let is_socket = socket.r#type().is_ok();
        if is_socket {
            // Replies are sent in as few packets as possible; delaying the last one would not help. On a socket
            // without TCP this fails, and is not needed.
            let _ = socket.set_tcp_nodelay(true);
            socket.set_write_timeout(Some(SEND_TIMEOUT))?;
            // On Apple's systems this is a socket option, elsewhere a flag of each `send`.
            #[cfg(target_vendor = "apple")]
            rustix::net::sockopt::set_socket_nosigpipe(&output, true)?;
        }
        Ok(Transport {
            input,
            output: Some(output),
            is_socket,
            failure: Ok(()),
        })
    }

    pub(super) fn read<F>(&mut self, into: &mut [u8], left: Option<Duration>) -> Got<F> {
        let ready = wait(&self.input, PollFlags::IN, left);
        let read = ready.and_then(|()| rustix::io::read(&self.input, into));
        self.answer(read.map_err(io::Error::from))
    }

    pub(super) fn write<F>(&mut self, from: &[u8], left: Option<Duration>) -> Got<F> {
        let Some(output) = &self.output else {
            return Got::Failed;
        };
        let ready = wait(output, PollFlags::OUT, left);
        let written = ready.and_then(|()| match self.is_socket {
            true => rustix::net::send(output, from, SEND_FLAGS),
            false => rustix::io::write(output, &from[..from.len().min(PIPE_CHUNK)]),
        });
        self.answer(written.map_err(io::Error::from))
    }

    /// Sends a piece of a file; by reference if the output is a socket.
    pub(super) fn copy<FS: FileSystem>(
        &mut self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
        left: Option<Duration>,
    ) -> Got<FS::File> {
        #[cfg(target_os = "linux")]
        if let (Some(output), true) = (&self.output, self.is_socket) {
            let ready = wait(output, PollFlags::OUT, left);
            let copied = ready
                .map_err(io::Error::from)
                .and_then(|()| send_file(output, files, file, at, len.min(SEND_CHUNK_MAX)));
            return match copied {
                Ok(None) => Got::Refused(FsError::Io),
                copied => self.answer(copied.map(Option::unwrap_or_default)),
            };
        }
        let mut chunk = [0; PIPE_CHUNK];
        let len = PIPE_CHUNK.min(usize::try_from(len).unwrap_or(PIPE_CHUNK));
        match files.read(file, at, &mut chunk[..len]) {
            Ok(0) => Got::Bytes(0),
            Ok(n) => self.write(&chunk[..n], left),
            Err(_) => Got::Refused(FsError::Io),
        }
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shutdown(&mut self) {
        if let Some(output) = self.output.take().filter(|_| self.is_socket) {
            let _ = SockRef::from(&output).shutdown(Shutdown::Write);
        }
    }

    /// Returns how the peer has hung up. For pipes, the end of the input says nothing about the output.
    pub(super) fn hang_up(&self) -> Option<HangUp> {
        let output = self.output.as_ref()?;
        HangUp::of(output).filter(|&how| self.is_socket || how == HangUp::Reset)
    }

    /// Reports to the connection what its peer has acknowledged, if a deadline has passed.
    pub(super) fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        // After the shutdown, the input is the same socket.
        delivery::report(conn, now, self.output.as_ref().unwrap_or(&self.input));
    }

    /// Returns what went wrong, if anything did.
    pub(super) fn end(self) -> io::Result<()> {
        self.failure
    }

    fn answer<F>(&mut self, result: io::Result<usize>) -> Got<F> {
        match result {
            Ok(n) => Got::Bytes(n),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::TimedOut => {
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

/// Waits until the descriptor is ready, or until the time is over, which is [`Errno::AGAIN`].
fn wait(file: impl AsFd, flags: PollFlags, left: Option<Duration>) -> Result<(), Errno> {
    let left = left.map(|left| Timespec::try_from(left).unwrap_or(FOREVER));
    match poll(&mut [PollFd::new(&file, flags)], left.as_ref())? {
        0 => Err(Errno::AGAIN),
        _ => Ok(()),
    }
}

/// The number of bytes that a writable pipe accepts: `PIPE_BUF` on Linux.
const PIPE_CHUNK: usize = 4096;

/// The most bytes of a file sent in one call, so that the deadline is checked in between.
#[cfg(target_os = "linux")]
const SEND_CHUNK_MAX: u64 = 1024 * 1024;

/// The timeout of the socket while a file is sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Practically no timeout.
const FOREVER: Timespec = Timespec {
    tv_sec: 1 << 30,
    tv_nsec: 0,
};
