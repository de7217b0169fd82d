//! [`PipedChild`]: runs a child process with pipes as its standard output and error, reads both, and ends it
//! with its process group.
//!
//! Both pipes are read at the same time, so that the process never blocks on one of them. As in CPython, it is
//! finished when the process that was started ends; anything that it leaves running in the background is then
//! killed.

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::thread::Builder;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{ioctl_fionread, retry_on_intr};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use sanserve_core::{FsError, Got};

use super::scripts::{Refusal, ScriptPermit, Scripts};
use super::stderr_log::StderrLog;
use crate::descriptors;

/// A child process that leads its own process group.
#[derive(Debug)]
pub(super) struct PipedChild {
    child: Child,
    /// The permit to run, until the process is killed.
    permit: Option<ScriptPermit>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    log: StderrLog,
    /// When its standard output was closed, if that was before the process ended.
    stdout_closed: Option<Instant>,
    /// The number of bytes of its output that are left to read, after the process group has ended.
    remaining: Option<u64>,
    /// A log line about its exit, if that was not normal.
    exit_note: Option<String>,
}

impl PipedChild {
    /// Starts a process that leads a process group, with pipes as standard output and error.
    pub(super) fn spawn(command: &mut Command, scripts: &Scripts) -> Result<PipedChild, Refusal> {
        descriptors::restore_for(command);
        let (mut child, permit) = scripts.start(command)?;
        Ok(PipedChild {
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            permit: Some(permit),
            log: StderrLog::new(),
            stdout_closed: None,
            remaining: None,
            exit_note: None,
        })
    }

    /// Reads its output. Waits at most for `timeout`, and at most for the [polling
    /// interval](PipedChild::poll_interval).
    pub(super) fn fill<F>(&mut self, into: &mut [u8], timeout: Duration) -> Got<F> {
        if self.remaining.is_none() && self.has_ended() {
            self.end();
        }
        let filled = match self.remaining {
            Some(left) => self.fill_remaining(into, left),
            None => self.fill_running(into, timeout),
        };
        filled.unwrap_or_else(|error| match error.kind() {
            ErrorKind::Interrupted => Got::Nothing,
            _ => Got::Refused(FsError::Io),
        })
    }

    fn fill_running<F>(&mut self, into: &mut [u8], timeout: Duration) -> io::Result<Got<F>> {
        let (out_ready, err_ready) = self.wait(timeout)?;
        if err_ready {
            self.read_stderr(usize::MAX)?;
            if let Some(lines) = self.log.lines() {
                return Ok(Got::Note(lines));
            }
        }
        if let Some(stdout) = self.stdout.as_mut().filter(|_| out_ready) {
            let n = stdout.read(into)?;
            if n > 0 {
                return Ok(Got::Bytes(n));
            }
            (self.stdout, self.stdout_closed) = (None, Some(Instant::now()));
        }
        if self
            .stdout_closed
            .is_some_and(|closed| closed.elapsed() > EXIT_GRACE)
        {
            self.end();
        }
        Ok(Got::Nothing)
    }

    /// Returns first the remaining lines of its standard error, then its output, then how it ended.
    fn fill_remaining<F>(&mut self, into: &mut [u8], left: u64) -> io::Result<Got<F>> {
        if let Some(lines) = self.log.rest() {
            return Ok(Got::Note(lines));
        }
        let n = usize::try_from(left).map_or(into.len(), |left| left.min(into.len()));
        if let Some(stdout) = self.stdout.as_mut().filter(|_| n > 0) {
            let n = stdout.read(&mut into[..n])?;
            self.remaining = Some(left - n as u64);
            if n > 0 {
                return Ok(Got::Bytes(n));
            }
        }
        Ok(self.exit_note.take().map_or(Got::Bytes(0), Got::Note))
    }

    /// Returns its standard output and error, as far as they are open.
    pub(super) fn pipes(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
        ]
    }

    /// Returns how long to wait for its pipes before its state is checked again: the connection has deadlines,
    /// and the process may end while others hold its pipes.
    pub(super) fn poll_interval(&self) -> Duration {
        // Usually a process ends very soon after its output, so the interval grows with time.
        self.stdout_closed.map_or(POLL_INTERVAL_MAX, |closed| {
            closed
                .elapsed()
                .clamp(Duration::from_micros(200), POLL_INTERVAL_MAX)
        })
    }

    /// Waits for output, and returns which of the two pipes is readable.
    fn wait(&self, timeout: Duration) -> io::Result<(bool, bool)> {
        let [out, err] = self.pipes();
        let (has_out, has_err) = (out.is_some(), err.is_some());
        let pipes = out.iter().chain(&err);
        let mut pipes: Vec<_> = pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        let interval = self.poll_interval().min(timeout);
        let interval = Timespec::try_from(interval).expect("the interval is short");
        match poll(&mut pipes, Some(&interval)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |pipe: Option<&PollFd<'_>>| pipe.is_some_and(|pipe| !pipe.revents().is_empty());
        Ok((
            has_out && ready(pipes.first()),
            has_err && ready(pipes.last()),
        ))
    }

    /// Reads once from its standard error, up to `most` bytes. The pipe must be readable or closed.
    fn read_stderr(&mut self, most: usize) -> io::Result<usize> {
        let Some(stderr) = &mut self.stderr else {
            return Ok(0);
        };
        let mut room = [0; 4096];
        let most = most.min(room.len());
        let n = stderr.read(&mut room[..most])?;
        self.log.push(&room[..n]);
        if n == 0 {
            self.stderr = None;
        }
        Ok(n)
    }

    /// Returns whether the process has ended. It remains a zombie, which keeps its process id reserved until
    /// its group is killed.
    fn has_ended(&self) -> bool {
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid()), how), Ok(None))
    }

    /// Kills the rest of the process group, and collects the remaining output.
    fn end(&mut self) {
        let is_running = !self.has_ended();
        let status = self.kill();
        self.remaining = Some(self.stdout.as_ref().map_or(0, bytes_in_pipe));
        let mut in_stderr = self.stderr.as_ref().map_or(0, bytes_in_pipe);
        while in_stderr > 0 {
            let most = usize::try_from(in_stderr).unwrap_or(usize::MAX);
            match self.read_stderr(most) {
                Ok(n) if n > 0 => in_stderr -= n as u64,
                _ => break,
            }
        }
        let code = |status: ExitStatus| status.code().or_else(|| Some(-status.signal()?));
        self.exit_note = match status.ok().and_then(code) {
            _ if is_running => {
                Some("CGI script kept running after its output and was killed".into())
            }
            Some(0) | None => None,
            Some(code) => Some(format!("CGI script exit code {code}")),
        };
    }

    /// Kills the whole group and reaps the process.
    fn kill(&mut self) -> io::Result<ExitStatus> {
        self.kill_group();
        self.child.wait()
    }

    /// Kills the whole group, without waiting for its end.
    fn kill_group(&mut self) {
        // The group may be empty by now, or contain only the zombie.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.kill();
        self.permit = None;
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for PipedChild {
    /// Kills the process. Reaping it can block, because a killed process may still have to finish a system
    /// call, and the thread that drops it may serve other connections, so another thread reaps it.
    fn drop(&mut self) {
        if self.remaining.is_some() {
            return;
        }
        self.kill_group();
        if let Ok(None) = self.child.try_wait() {
            let (pid, thread) = (self.pid(), Builder::new().name("reaper".into()));
            let reap = move || {
                let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED));
            };
            if thread.stack_size(STACK_SIZE).spawn(reap).is_err() {
                let _ = self.child.wait();
            }
        }
    }
}

/// Returns the number of bytes in a pipe.
fn bytes_in_pipe(pipe: impl AsFd) -> u64 {
    ioctl_fionread(pipe).unwrap_or(0)
}

/// The longest time to wait for output at a time.
const POLL_INTERVAL_MAX: Duration = Duration::from_millis(50);

/// How long a process may take to exit after it has closed its output.
const EXIT_GRACE: Duration = Duration::from_secs(2);

const STACK_SIZE: usize = 64 * 1024;
