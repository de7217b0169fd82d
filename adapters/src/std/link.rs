//! [`Link`]: a socket that gives up in time and speaks the connection's language.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sanserve_core::Got;

use crate::Open;

/// A blocking socket, with the timeouts that it has been told and what went wrong with it.
pub(super) struct Link<'a> {
    socket: &'a TcpStream,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    failure: io::Result<()>,
}

impl<'a> Link<'a> {
    /// A socket as it comes, without timeouts.
    pub(super) fn new(socket: &'a TcpStream) -> Link<'a> {
        Link {
            socket,
            read_timeout: None,
            write_timeout: None,
            failure: Ok(()),
        }
    }

    pub(super) fn read(&mut self, into: &mut [u8], left: Option<Duration>) -> Got<Open> {
        let ready = self.set_read_timeout(left.map(round));
        let read = ready.and_then(|()| self.socket.read(into));
        self.told(read)
    }

    pub(super) fn write(&mut self, from: &[u8], left: Option<Duration>) -> Got<Open> {
        let ready = self.set_write_timeout(left.map(round));
        let written = ready.and_then(|()| self.socket.write(from));
        self.told(written)
    }

    /// Sends a piece of a file without reading it.
    pub(super) fn copy(
        &mut self,
        file: &Open,
        at: u64,
        len: u64,
        left: Option<Duration>,
    ) -> Got<Open> {
        let file = file.file().expect("only files are sendable");
        let ready = self.set_write_timeout(left.map(round));
        let copied = ready.and_then(|()| send_file(self.socket, file, at, len.min(COPY_MAX)));
        self.told(copied)
    }

    /// What went wrong, if anything did.
    pub(super) fn end(self) -> io::Result<()> {
        self.failure
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout != self.read_timeout {
            self.socket.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout != self.write_timeout {
            self.socket.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }

    fn told(&mut self, moved: io::Result<usize>) -> Got<Open> {
        match moved {
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

/// What is told to the socket for the time that is left: never zero, which would mean for ever,
/// and so coarse that one quick operation after the other finds it set. A wait that this cuts
/// short is simply wanted again.
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

#[cfg(target_os = "linux")]
fn send_file(socket: &TcpStream, file: &File, at: u64, len: u64) -> io::Result<usize> {
    let mut at = at;
    Ok(rustix::fs::sendfile(
        socket,
        file,
        Some(&mut at),
        len as usize,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn send_file(_: &TcpStream, _: &File, _: u64, _: u64) -> io::Result<usize> {
    unreachable!("a disk calls its files sendable on Linux only")
}

/// Sent at once; the deadline is looked at in between.
const COPY_MAX: u64 = 1024 * 1024;
