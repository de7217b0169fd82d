//! [`LogOutput`]: a descriptor that is written to without waiting, whatever it is.
//!
//! `O_NONBLOCK` cannot be set on standard error: the flag belongs to the open file, which other
//! processes share, the shell among them. What can be done instead depends on the kind of file.

#[cfg(unix)]
pub(super) use self::unix::LogOutput;
#[cfg(not(unix))]
pub(super) use self::waiting::LogOutput;

#[cfg(unix)]
mod unix {
    use std::io::{self, IsTerminal};
    use std::os::fd::{AsFd, OwnedFd};

    use crate::blocking::SEND_NOW;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, fstat};
    use rustix::io::Errno;

    /// An open file, and how to write to it.
    pub(in super::super) struct LogOutput {
        file: OwnedFd,
        kind: Kind,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Kind {
        /// A file or a device: writing never waits for a reader.
        Direct,
        /// A socket, which has a flag for that.
        Socket,
        #[cfg_attr(
            not(target_os = "linux"),
            expect(dead_code, reason = "no other system can")
        )]
        /// A pipe or a terminal that was opened again, with `O_NONBLOCK` for this process alone.
        NonBlocking,
        /// A pipe or a terminal that cannot be opened again. It is asked before it is written to.
        Polled,
    }

    impl LogOutput {
        /// Standard error as it is now.
        ///
        /// # Errors
        /// If no descriptor is left.
        pub(in super::super) fn stderr() -> io::Result<LogOutput> {
            Ok(LogOutput::new(io::stderr().as_fd().try_clone_to_owned()?))
        }

        pub(in super::super) fn new(file: OwnedFd) -> LogOutput {
            let kind = fstat(&file).map(|stat| FileType::from_raw_mode(stat.st_mode));
            let (file, kind) = match kind {
                Ok(FileType::Socket) => (file, Kind::Socket),
                Ok(FileType::Fifo) => reopen(file),
                Ok(_) if file.is_terminal() => reopen(file),
                _ => (file, Kind::Direct),
            };
            LogOutput { file, kind }
        }

        /// Writes some of these bytes; [`io::ErrorKind::WouldBlock`] if that would have to wait.
        pub(in super::super) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
            Ok(match self.kind {
                Kind::Direct | Kind::NonBlocking => rustix::io::write(&self.file, bytes)?,
                Kind::Socket => rustix::net::send(&self.file, bytes, SEND_NOW)?,
                Kind::Polled => {
                    self.poll(Some(&NOW))?;
                    // As much as a pipe takes if it takes anything.
                    rustix::io::write(&self.file, &bytes[..bytes.len().min(PIPE_BUF)])?
                }
            })
        }

        /// The same after waiting until that is possible.
        pub(in super::super) fn write_waiting(&self, bytes: &[u8]) -> io::Result<usize> {
            self.poll(None)?;
            self.write_now(bytes)
        }

        fn poll(&self, timeout: Option<&Timespec>) -> Result<(), Errno> {
            match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], timeout)? {
                0 => Err(Errno::AGAIN),
                _ => Ok(()),
            }
        }
    }

    /// Opens a pipe or terminal once more, so that it can have flags of its own. This does not work
    /// for another user's, nor on other systems.
    fn reopen(file: OwnedFd) -> (OwnedFd, Kind) {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;

            use rustix::fs::{Mode, OFlags, open};

            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            if let Ok(own) = open(path, flags, Mode::empty()) {
                return (own, Kind::NonBlocking);
            }
        }
        (file, Kind::Polled)
    }

    const NOW: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };

    /// What POSIX promises everywhere.
    const PIPE_BUF: usize = 512;
}

#[cfg(not(unix))]
mod waiting {
    use std::io::{self, ErrorKind, Write};

    /// Standard error, which is left to the thread behind the queue: a console waits while text in it
    /// is selected.
    pub(in super::super) struct LogOutput;

    impl LogOutput {
        pub(in super::super) fn stderr() -> io::Result<LogOutput> {
            Ok(LogOutput)
        }

        pub(in super::super) fn write_now(&self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::WouldBlock.into())
        }

        pub(in super::super) fn write_waiting(&self, bytes: &[u8]) -> io::Result<usize> {
            io::stderr().write(bytes)
        }
    }
}
