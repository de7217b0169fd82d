//! [`CgiProcess`]: prepares a CGI process, collects its standard input, starts it and reads its output.
//!
//! Its environment and its user are decided here; [`PipedChild`] runs it.

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

use super::drop_privileges;
use super::piped_child::PipedChild;
use super::script_file::ScriptFile;
use super::scripts::{Refusal, Scripts};

/// A CGI process of a [`Disk`](crate::Disk). Dropping it kills its process group, without waiting for its end.
#[derive(Debug)]
pub(crate) struct CgiProcess(State);

#[derive(Debug)]
enum State {
    /// It was prepared.
    Prepared(Box<Prepared>),
    Started(PipedChild),
    /// It could not be started.
    Failed,
}

/// What is needed to start a process.
#[derive(Debug)]
struct Prepared {
    script: ScriptFile,
    command: Command,
    /// Its standard input, as far as it was received.
    content: Option<SpooledTempFile>,
    scripts: Scripts,
}

impl CgiProcess {
    /// Prepares a process.
    ///
    /// As RFC 3875 §7.2 recommends, it runs in the directory of the script.
    pub(super) fn new(
        script: ScriptFile,
        path_translated: &Path,
        request: &CgiScript,
        scripts: Scripts,
    ) -> CgiProcess {
        let mut command = Command::new(script.command());
        let bytes = |bytes| OsStr::from_bytes(bytes);
        command
            .args(request.args.iter().map(|arg| bytes(arg)))
            .env_clear()
            .envs(inherited())
            .envs(
                request
                    .env
                    .iter()
                    .map(|(name, value)| (&**name, bytes(value))),
            )
            .env("PATH_TRANSLATED", path_translated)
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        CgiProcess(State::Prepared(Box::new(Prepared {
            script,
            command,
            content: None,
            scripts,
        })))
    }

    /// Appends to its standard input.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, FsError> {
        let State::Prepared(prepared) = &mut self.0 else {
            return Err(FsError::Io);
        };
        let content = prepared
            .content
            .get_or_insert_with(|| SpooledTempFile::new(CONTENT_IN_MEMORY_MAX));
        match content.write_all(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(FsError::Io),
        }
    }

    /// Starts the process if necessary, and reads its standard output. Waits only briefly.
    pub(super) fn fill<F>(&mut self, into: &mut [u8]) -> Got<F> {
        match self.start() {
            Got::Nothing => self.fill_within(into, Duration::MAX),
            got => got,
        }
    }

    /// Starts the process, unless it was started before. Returns [`Got::Nothing`] if it is running.
    pub(crate) fn start<F>(&mut self) -> Got<F> {
        let prepared = match &mut self.0 {
            State::Prepared(prepared) => prepared,
            State::Started(_) => return Got::Nothing,
            State::Failed => return Got::Refused(FsError::Io),
        };
        let (state, got) = match start(prepared) {
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

    /// Reads the standard output of a started process, if there is any.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub(crate) fn try_fill<F>(&mut self, into: &mut [u8]) -> Got<F> {
        self.fill_within(into, Duration::ZERO)
    }

    /// Returns its open pipes, and how long to wait for them before it is read again. `None` if it was not started.
    #[cfg(any(feature = "mio", feature = "tokio"))]
    pub(crate) fn pipes(&self) -> Option<([Option<BorrowedFd<'_>>; 2], Duration)> {
        match &self.0 {
            State::Started(process) => Some((process.pipes(), process.poll_interval())),
            _ => None,
        }
    }

    fn fill_within<F>(&mut self, into: &mut [u8], timeout: Duration) -> Got<F> {
        match &mut self.0 {
            State::Started(process) => process.fill(into, timeout),
            _ => Got::Refused(FsError::Io),
        }
    }
}

/// Starts the process. Even if the server runs as root, a script does not.
fn start(prepared: &mut Prepared) -> Result<PipedChild, Refusal> {
    prepare(prepared).map_err(Refusal::Failed)?;
    PipedChild::spawn(&mut prepared.command, &prepared.scripts)
}

/// Sets the user, the directory and the standard input of the process.
fn prepare(prepared: &mut Prepared) -> io::Result<()> {
    let (command, content) = (&mut prepared.command, prepared.content.take());
    let user = if rustix::process::geteuid().is_root() {
        Some(drop_privileges::nobody_ids())
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
            let (file, len) = content_file(content)?;
            if let Some((uid, gid)) = user {
                // The process may open it again, as `/dev/stdin`.
                fchown(&file, Some(uid), Some(gid))?;
            }
            command.env("CONTENT_LENGTH", len.to_string()).stdin(file)
        }
    };
    command.current_dir(prepared.script.working_directory()?);
    if !prepared.script.is_unchanged() {
        let name = prepared.script.name();
        return Err(io::Error::other(format!(
            "{name} was replaced in the meantime"
        )));
    }
    Ok(())
}

/// Returns the content as a file, positioned at its beginning, and its length.
fn content_file(content: SpooledTempFile) -> io::Result<(File, u64)> {
    let mut file = content.into_file()?;
    let len = file.stream_position()?;
    file.rewind()?;
    Ok((file, len))
}

/// Returns the variables of the server's environment that a script gets: the paths of programs and temporary
/// files, language and time zone. Others may contain secrets.
fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| {
        let name = name.as_bytes();
        matches!(name, b"PATH" | b"LANG" | b"LANGUAGE" | b"TZ" | b"TMPDIR")
            || name.starts_with(b"LC_")
    })
}

/// The maximum length of content that is kept in memory until the process starts; more goes to an unnamed file.
const CONTENT_IN_MEMORY_MAX: usize = 64 * 1024;
