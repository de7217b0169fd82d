//! [`LogOutput`]: writes to a descriptor of any kind, such as standard error, without waiting for its reader.
//!
//! Standard error must not be set to `O_NONBLOCK`: the flag belongs to the open file, which is shared with
//! other processes, such as the shell. The alternative depends on the kind of file.

#[cfg(not(unix))]
pub(super) use self::console::LogOutput;
#[cfg(unix)]
pub(super) use self::unix::LogOutput;

#[cfg(unix)]
mod unix {
    use std::io::{self, IsTerminal};
    use std::os::fd::{AsFd, OwnedFd};

    use crate::blocking::SEND_FLAGS;
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
        /// A file or device: writing never waits for a reader.
        Direct,
        /// A socket, which has a flag for non-blocking writes.
        Socket,
        #[cfg_attr(
            not(target_os = "linux"),
            expect(dead_code, reason = "other systems cannot reopen it")
        )]
        /// A pipe or terminal that was opened again, with `O_NONBLOCK` for this process only.
        NonBlocking,
        /// A pipe or terminal that cannot be opened again; it is polled before each write.
        Polled,
    }

    impl LogOutput {
        /// Duplicates standard error.
        ///
        /// # Errors
        /// If no descriptor is available.
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

        /// Writes some of these bytes; [`io::ErrorKind::WouldBlock`] if none can be written without waiting.
        pub(in super::super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            Ok(match self.kind {
                Kind::Direct | Kind::NonBlocking => rustix::io::write(&self.file, bytes)?,
                Kind::Socket => rustix::net::send(&self.file, bytes, SEND_FLAGS)?,
                Kind::Polled => {
                    self.poll(Some(&NO_WAIT))?;
                    // A writable pipe accepts this many bytes.
                    rustix::io::write(&self.file, &bytes[..bytes.len().min(PIPE_BUF)])?
                }
            })
        }

        /// Writes some of these bytes, and waits for that if necessary.
        pub(in super::super) fn write_blocking(&self, bytes: &[u8]) -> io::Result<usize> {
            self.poll(None)?;
            self.try_write(bytes)
        }

        fn poll(&self, timeout: Option<&Timespec>) -> Result<(), Errno> {
            match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], timeout)? {
                0 => Err(Errno::AGAIN),
                _ => Ok(()),
            }
        }
    }

    /// Opens a pipe or terminal again, to get flags that are not shared. That fails for files of another user,
    /// and on systems other than Linux.
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

    const NO_WAIT: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };

    /// The minimum that POSIX guarantees.
    const PIPE_BUF: usize = 512;
}

#[cfg(not(unix))]
mod console {
    use std::io::{self, ErrorKind, Write};

    /// Standard error, which only the thread of the queue writes to, because a console blocks while text in it
    /// is selected.
    pub(in super::super) struct LogOutput;

    impl LogOutput {
        pub(in super::super) fn stderr() -> io::Result<LogOutput> {
            Ok(LogOutput)
        }

        pub(in super::super) fn try_write(&self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::WouldBlock.into())
        }

        pub(in super::super) fn write_blocking(&self, bytes: &[u8]) -> io::Result<usize> {
            io::stderr().write(bytes)
        }
    }
}
