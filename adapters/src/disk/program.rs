//! [`Running`]: a program of the tree at work, with its content, its output and its end.
//!
//! Which program may run, and what it is told, has been decided before.

use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, geteuid, kill_process_group, waitid};
use sanserve_core::{Got, Program};
use tempfile::SpooledTempFile;

use super::Open;

/// A program that was set up. It starts when its output is first read; to drop it ends it, together
/// with everything that it started and that did not leave its process group.
#[derive(Debug)]
pub struct Running {
    command: Command,
    stdin: SpooledTempFile,
    given: u64,
    child: Option<Child>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// How much of its standard error was passed on.
    noted: usize,
    /// Whether its end was told, or there is none to tell.
    ended: bool,
}

impl Running {
    /// Sets a program of the tree below `root` up. It finds in its environment what CGI tells it and
    /// [little else](INHERITED), works in its own directory (RFC 3875 §7.2), and has no descriptor
    /// open besides the usual three.
    ///
    /// # Errors
    /// If this is root and there is no user `nobody` to run it as.
    pub(super) fn new(root: &Path, program: &Program) -> io::Result<Running> {
        let path = root.join(OsStr::from_bytes(program.path.as_bytes()));
        let translated = root.join(OsStr::from_bytes(program.path_translated.as_bytes()));
        let mut command = Command::new(&path);
        command.args(program.args.iter().map(|arg| OsStr::from_bytes(arg)));
        command
            .current_dir(path.parent().unwrap_or(root))
            .env_clear();
        command.envs(
            INHERITED
                .iter()
                .filter_map(|name| Some((name, env::var_os(name)?))),
        );
        command.envs(
            program
                .env
                .iter()
                .map(|(name, value)| (name, OsStr::from_bytes(value))),
        );
        command.env("PATH_TRANSLATED", translated);
        if geteuid().is_root() {
            let nobody = nix::unistd::User::from_name("nobody").map_err(io::Error::from)?;
            let nobody = nobody.ok_or_else(|| io::Error::other("there is no user nobody"))?;
            // Together with the user, the standard library gives up all further groups.
            command.gid(nobody.gid.as_raw()).uid(nobody.uid.as_raw());
        }
        command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(Running {
            command,
            stdin: SpooledTempFile::new(IN_MEMORY),
            given: 0,
            child: None,
            stdout: None,
            stderr: None,
            noted: 0,
            ended: false,
        })
    }

    /// Takes content in, into a temporary file if it is much.
    pub(super) fn give(&mut self, from: &[u8]) -> Got<Open> {
        self.given += from.len() as u64;
        self.stdin
            .write_all(from)
            .map_or(Got::Failed, |()| Got::Bytes(from.len()))
    }

    /// Reads output. What it writes to standard error comes first, how it ended comes last.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Got<Open> {
        if self.child.is_none() {
            if self.ended {
                return Got::Failed;
            }
            if let Err(error) = self.start() {
                self.ended = true;
                return Got::Note(format!("CGI script cannot be run: {error}"));
            }
        }
        self.progress(into).unwrap_or(Got::Failed)
    }

    fn start(&mut self) -> io::Result<()> {
        self.command.stdin(Stdio::null());
        if self.given > 0 {
            let mut content =
                std::mem::replace(&mut self.stdin, SpooledTempFile::new(0)).into_file()?;
            content.rewind()?;
            self.command
                .stdin(content)
                .env("CONTENT_LENGTH", self.given.to_string());
        }
        let mut child = self.command.spawn()?;
        (self.stdout, self.stderr) = (child.stdout.take(), child.stderr.take());
        self.child = Some(child);
        Ok(())
    }

    fn progress(&mut self, into: &mut [u8]) -> io::Result<Got<Open>> {
        while self.stdout.is_some() || self.stderr.is_some() {
            // When it has said all, what lies in its standard error is taken, and no more awaited.
            let patience = if self.stdout.is_some() {
                WAIT
            } else {
                Duration::ZERO
            };
            let (out, err) = self.readable(patience)?;
            if err && let Some(stderr) = &mut self.stderr {
                let mut text = [0; 4096];
                let n = stderr.read(&mut text)?;
                if n == 0 {
                    self.stderr = None;
                } else if let Some(note) = self.note(&text[..n]) {
                    return Ok(Got::Note(note));
                }
            } else if out && let Some(stdout) = &mut self.stdout {
                let n = stdout.read(into)?;
                if n > 0 {
                    return Ok(Got::Bytes(n));
                }
                self.stdout = None;
            } else if self.stdout.is_some() {
                return Ok(Got::Nothing);
            } else {
                self.stderr = None;
            }
        }
        Ok(self.end().map_or(Got::Bytes(0), Got::Note))
    }

    /// Which of its outputs has something to read, or has ended.
    fn readable(&self, patience: Duration) -> io::Result<(bool, bool)> {
        let outputs = [
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
        ];
        let mut polled: Vec<_> = outputs
            .iter()
            .flatten()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        let patience = Timespec::try_from(patience).expect("a second is a time");
        match poll(&mut polled, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut polled = polled.iter().map(|polled| !polled.revents().is_empty());
        let mut next = |there: bool| there && polled.next().unwrap_or(false);
        Ok((next(self.stdout.is_some()), next(self.stderr.is_some())))
    }

    /// What of its standard error goes to the log: so much and no more.
    fn note(&mut self, text: &[u8]) -> Option<String> {
        let before = self.noted;
        self.noted += text.len();
        if before > NOTED_MAX {
            return None;
        }
        let text = String::from_utf8_lossy(text).into_owned();
        Some(if self.noted > NOTED_MAX {
            text + "\n(and more on standard error)"
        } else {
            text
        })
    }

    /// How it ended, if that is worth telling, and was not told before.
    fn end(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let pid = Pid::from_child(self.child.as_ref()?);
        let mut patience = Duration::from_millis(1);
        // It stays a zombie until it is dropped, so that its process group keeps its number.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while patience < WAIT {
            if let Ok(Some(status)) = waitid(WaitId::Pid(pid), options) {
                let code = status
                    .exit_status()
                    .or_else(|| Some(-status.terminating_signal()?));
                return code.filter(|&code| code != 0).map(exit_note);
            }
            thread::sleep(patience);
            patience *= 2;
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// As CPython logs it.
fn exit_note(code: impl Display) -> String {
    format!("CGI script exit code {code}")
}

/// What of this process's environment programs find in theirs.
const INHERITED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Content up to here stays in memory.
const IN_MEMORY: usize = 64 * 1024;

/// Of its standard error this much goes to the log.
const NOTED_MAX: usize = 16 * 1024;

/// How long it is waited for output at a time; the connection decides for how long in all. Also how
/// long it may live on after its output has ended.
const WAIT: Duration = Duration::from_secs(1);
