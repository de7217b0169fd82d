//! [`Running`]: a program, from being set up to its end.
//!
//! What it is told and whom it runs as is decided here; the process itself is left to [`Process`].

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, Write};
#[cfg(any(feature = "mio", feature = "tokio"))]
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::fchown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sanserve_core::{Got, Program};
use tempfile::SpooledTempFile;

use super::nobody;
use super::process::Process;

/// A program of a [`Disk`](crate::Disk). To drop it kills it and all that it started, unless that
/// has left its process group.
#[derive(Debug)]
pub struct Running(State);

#[derive(Debug)]
enum State {
    /// It was set up, and given so much of its standard input.
    Ready(Command, Option<SpooledTempFile>),
    Started(Process),
    /// It could not be started.
    Failed,
}

impl Running {
    /// Sets a program up, both paths as the system calls them.
    ///
    /// As RFC 3875 §7.2 recommends, it runs in the directory that holds it.
    pub(super) fn new(script: &Path, path_translated: &Path, program: &Program) -> Running {
        let mut command = Command::new(script);
        let bytes = |bytes| OsStr::from_bytes(bytes);
        command
            .args(program.args.iter().map(|arg| bytes(arg)))
            .env_clear()
            .envs(inherited())
            .envs(program.env.iter().map(|(name, value)| (name, bytes(value))))
            .env("PATH_TRANSLATED", path_translated)
            .current_dir(script.parent().unwrap_or(script))
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running(State::Ready(command, None))
    }

    /// Adds to its standard input.
    pub(super) fn give(&mut self, from: &[u8]) -> Got<super::Open> {
        let State::Ready(_, content) = &mut self.0 else {
            return Got::Failed;
        };
        let content = content.get_or_insert_with(|| SpooledTempFile::new(IN_MEMORY));
        let given = content.write_all(from);
        given.map_or(Got::Failed, |()| Got::Bytes(from.len()))
    }

    /// Reads its standard output, and starts it before that. Waits no longer than a moment.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Got<super::Open> {
        match self.start() {
            Got::Nothing => self.fill_within(into, Duration::MAX),
            got => got,
        }
    }

    /// Starts it, unless that was done. [`Got::Nothing`] if it runs.
    pub(crate) fn start(&mut self) -> Got<super::Open> {
        let (command, content) = match &mut self.0 {
            State::Ready(command, content) => (command, content.take()),
            State::Started(_) => return Got::Nothing,
            State::Failed => return Got::Failed,
        };
        match start(command, content) {
            Ok(process) => {
                self.0 = State::Started(process);
                Got::Nothing
            }
            Err(error) => {
                self.0 = State::Failed;
                Got::Note(format!("CGI script cannot be run: {error}"))
            }
        }
    }

    /// Reads the standard output of what was started, if there is any.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub(crate) fn fill_now(&mut self, into: &mut [u8]) -> Got<super::Open> {
        self.fill_within(into, Duration::ZERO)
    }

    /// What is worth waiting for before it is read again: its pipes, as far as they are open, and
    /// for how long. `None` if it was not started.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub(crate) fn pipes(&self) -> Option<([Option<BorrowedFd<'_>>; 2], Duration)> {
        match &self.0 {
            State::Started(process) => Some((process.pipes(), process.moment())),
            _ => None,
        }
    }

    /// Kills it, without waiting for its end as dropping it does.
    #[cfg(feature = "mio")]
    pub(crate) fn strike(&self) {
        if let State::Started(process) = &self.0 {
            process.strike();
        }
    }

    fn fill_within(&mut self, into: &mut [u8], patience: Duration) -> Got<super::Open> {
        match &mut self.0 {
            State::Started(process) => process.fill(into, patience),
            _ => Got::Failed,
        }
    }
}

/// Whatever the server itself may do, a program that clients can start is never root.
fn start(command: &mut Command, content: Option<SpooledTempFile>) -> io::Result<Process> {
    let user = if rustix::process::geteuid().is_root() {
        Some(nobody::look_up()?)
    } else {
        None
    };
    if let Some((uid, gid)) = user {
        // With these, and as root, `Command` also drops all other groups.
        command.uid(uid).gid(gid);
    }
    match content {
        None => command.stdin(Stdio::null()),
        Some(content) => {
            let (file, len) = complete(content)?;
            if let Some((uid, gid)) = user {
                // It may be opened once more, as `/dev/stdin`.
                fchown(&file, Some(uid), Some(gid))?;
            }
            command.env("CONTENT_LENGTH", len.to_string()).stdin(file)
        }
    };
    Process::spawn(command)
}

/// The content as a file that is read from its beginning, and its length.
fn complete(content: SpooledTempFile) -> io::Result<(File, u64)> {
    let mut file = content.into_file()?;
    let len = file.stream_position()?;
    file.rewind()?;
    Ok((file, len))
}

/// What a program finds of the server's own environment: where programs and temporary files are,
/// which language and which time zone is meant. The rest, which may hold secrets, is none of its business.
fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| {
        let name = name.as_bytes();
        matches!(name, b"PATH" | b"LANG" | b"LANGUAGE" | b"TZ" | b"TMPDIR")
            || name.starts_with(b"LC_")
    })
}

/// As many bytes of content are kept in memory until the program starts; more go to a file that has
/// no name.
const IN_MEMORY: usize = 64 * 1024;
