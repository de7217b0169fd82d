//! [`Transport`]: two open files that give up in time and speak the connection's language.
//!
//! Who else uses them is not known, so they stay as blocking as they were: they are waited for, and
//! then no more is asked of them than they can do at once. Only a socket that takes files is told
//! to give up in time, for nobody can know how much it has room for.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sanserve_core::{Connection, FileSystem, FsError, Got, Handler, Now};
use socket2::SockRef;

use crate::blocking::SEND_NOW;
use crate::delivery;
use crate::hang_up::HangUp;
#[cfg(target_os = "linux")]
use crate::send_file::send_file;

/// What a connection is carried over.
pub(super) struct Transport {
    input: OwnedFd,
    /// Until nothing more is to come.
    output: Option<OwnedFd>,
    /// Whether the output is a socket.
    socket: bool,
    failure: io::Result<()>,
}

impl Transport {
    pub(super) fn new(input: OwnedFd, output: OwnedFd) -> io::Result<Transport> {
        let socket = SockRef::from(&output);
        let is_socket = socket.r#type().is_ok();
        if is_socket {
            // Replies leave in as few pieces as can be; to hold the last one back helps nobody.
            // Where there is no TCP below, nothing is held back.
            let _ = socket.set_tcp_nodelay(true);
            socket.set_write_timeout(Some(MOMENT))?;
            // What elsewhere each `send` asks for, Apple's systems have as a property of the socket.
            #[cfg(target_vendor = "apple")]
            rustix::net::sockopt::set_socket_nosigpipe(&output, true)?;
        }
        Ok(Transport {
            input,
            output: Some(output),
            socket: is_socket,
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
        let written = ready.and_then(|()| match self.socket {
            true => rustix::net::send(output, from, SEND_NOW),
            false => rustix::io::write(output, &from[..from.len().min(PIECE)]),
        });
        self.answer(written.map_err(io::Error::from))
    }

    /// Sends a piece of a file, without reading it if it goes to a socket.
    pub(super) fn copy<FS: FileSystem>(
        &mut self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
        left: Option<Duration>,
    ) -> Got<FS::File> {
        #[cfg(target_os = "linux")]
        if let (Some(output), true) = (&self.output, self.socket) {
            let ready = wait(output, PollFlags::OUT, left);
            let copied = ready
                .map_err(io::Error::from)
                .and_then(|()| send_file(output, files, file, at, len.min(COPY_MAX)));
            return match copied {
                Ok(None) => Got::Refused(FsError::Io),
                copied => self.answer(copied.map(Option::unwrap_or_default)),
            };
        }
        let mut piece = [0; PIECE];
        let len = PIECE.min(usize::try_from(len).unwrap_or(PIECE));
        match files.read(file, at, &mut piece[..len]) {
            Ok(0) => Got::Bytes(0),
            Ok(n) => self.write(&piece[..n], left),
            Err(_) => Got::Refused(FsError::Io),
        }
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shutdown(&mut self) {
        if let Some(output) = self.output.take().filter(|_| self.socket) {
            let _ = SockRef::from(&output).shutdown(Shutdown::Write);
        }
    }

    /// Whether the peer has left: the end of what comes from a pipe says nothing of the other pipe.
    pub(super) fn hang_up(&self) -> Option<HangUp> {
        let output = self.output.as_ref()?;
        HangUp::of(output).filter(|&how| self.socket || how == HangUp::Reset)
    }

    /// Tells the connection what its peer has acknowledged, if a deadline makes that matter.
    pub(super) fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        // Of a socket that is no longer written to, the side that is read tells the same.
        delivery::report(conn, now, self.output.as_ref().unwrap_or(&self.input));
    }

    /// What went wrong, if anything did.
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

/// Waits until something can be done, or until so much time is over: then it is [`Errno::AGAIN`].
fn wait(file: impl AsFd, what: PollFlags, left: Option<Duration>) -> Result<(), Errno> {
    let left = left.map(|left| Timespec::try_from(left).unwrap_or(LONG));
    match poll(&mut [PollFd::new(&file, what)], left.as_ref())? {
        0 => Err(Errno::AGAIN),
        _ => Ok(()),
    }
}

/// What can be written at once, at least, if anything can: `PIPE_BUF` on Linux.
const PIECE: usize = 4096;

/// Sent at once of a file; the deadline is looked at in between.
#[cfg(target_os = "linux")]
const COPY_MAX: u64 = 1024 * 1024;

/// So long a socket is waited for while a file is sent.
const MOMENT: Duration = Duration::from_secs(1);

/// As good as for ever.
const LONG: Timespec = Timespec {
    tv_sec: 1 << 30,
    tv_nsec: 0,
};
