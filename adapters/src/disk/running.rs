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

use sanserve_core::{CgiScript, FsError, Got};
use tempfile::SpooledTempFile;

use super::nobody;
use super::process::Process;
use super::script_file::ScriptFile;
use super::scripts::{Refusal, Scripts};

/// A program of a [`Disk`](crate::Disk). To drop it kills it and all that it started, unless that
/// has left its process group, and does not wait for the end of either.
#[derive(Debug)]
pub(crate) struct Running(State);

#[derive(Debug)]
enum State {
    /// It was set up.
    Ready(Box<Ready>),
    Started(Process),
    /// It could not be started.
    Failed,
}

/// What a program is started with.
#[derive(Debug)]
struct Ready {
    script: ScriptFile,
    command: Command,
    /// Its standard input, as far as it was given.
    content: Option<SpooledTempFile>,
    scripts: Scripts,
}

impl Running {
    /// Sets a program up.
    ///
    /// As RFC 3875 §7.2 recommends, it runs in the directory that holds it.
    pub(super) fn new(
        script: ScriptFile,
        path_translated: &Path,
        program: &CgiScript,
        scripts: Scripts,
    ) -> Running {
        let mut command = Command::new(script.program());
        let bytes = |bytes| OsStr::from_bytes(bytes);
        command
            .args(program.args.iter().map(|arg| bytes(arg)))
            .env_clear()
            .envs(inherited())
            .envs(
                program
                    .env
                    .iter()
                    .map(|(name, value)| (&**name, bytes(value))),
            )
            .env("PATH_TRANSLATED", path_translated)
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running(State::Ready(Box::new(Ready {
            script,
            command,
            content: None,
            scripts,
        })))
    }

    /// Adds to its standard input.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, FsError> {
        let State::Ready(ready) = &mut self.0 else {
            return Err(FsError::Io);
        };
        let content = ready
            .content
            .get_or_insert_with(|| SpooledTempFile::new(IN_MEMORY));
        match content.write_all(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(FsError::Io),
        }
    }

    /// Reads its standard output, and starts it before that. Waits no longer than a moment.
    pub(super) fn fill<F>(&mut self, into: &mut [u8]) -> Got<F> {
        match self.start() {
            Got::Nothing => self.fill_within(into, Duration::MAX),
            got => got,
        }
    }

    /// Starts it, unless that was done. [`Got::Nothing`] if it runs.
    pub(crate) fn start<F>(&mut self) -> Got<F> {
        let ready = match &mut self.0 {
            State::Ready(ready) => ready,
            State::Started(_) => return Got::Nothing,
            State::Failed => return Got::Refused(FsError::Io),
        };
        let (state, got) = match start(ready) {
            Ok(process) => (State::Started(process), Got::Nothing),
            Err(Refusal::TooMany) => (State::Failed, Got::Refused(FsError::TooMany)),
            Err(Refusal::Failed(error)) => {
                let note = format!("CGI script cannot be run: {error}");
                (State::Failed, Got::Note(note))
            }
        };
        self.0 = state;
        got
    }

    /// Reads the standard output of what was started, if there is any.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub(crate) fn try_fill<F>(&mut self, into: &mut [u8]) -> Got<F> {
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

    fn fill_within<F>(&mut self, into: &mut [u8], timeouts: Duration) -> Got<F> {
        match &mut self.0 {
            State::Started(process) => process.fill(into, timeouts),
            _ => Got::Refused(FsError::Io),
        }
    }
}

/// Whatever the server itself may do, a program that clients can start is never root.
fn start(ready: &mut Ready) -> Result<Process, Refusal> {
    prepare(ready).map_err(Refusal::Failed)?;
    Process::spawn(&mut ready.command, &ready.scripts)
}

/// Sets the user, the directory and the standard input of a program.
fn prepare(ready: &mut Ready) -> io::Result<()> {
    let (command, content) = (&mut ready.command, ready.content.take());
    let user = if rustix::process::geteuid().is_root() {
        Some(nobody::look_up())
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
    command.current_dir(ready.script.working_directory()?);
    if !ready.script.is_there() {
        let name = ready.script.name();
        return Err(io::Error::other(format!("{name} was replaced meanwhile")));
    }
    Ok(())
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
