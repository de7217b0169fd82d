//! [`Process`]: a program that runs, and the two pipes that it speaks through.
//!
//! Both are read at the same time, so that it can never stand still because nobody listens. It is
//! over when the process that was started ends, as with CPython, whatever that leaves running in
//! the background; that is killed then.

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

use super::notes::Notes;
use super::scripts::{Refusal, Scripts, Started};
use crate::descriptors;

/// A child at the head of a process group of its own.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Until it is killed.
    started: Option<Started>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    notes: Notes,
    /// When its standard output ended, if it did so before the process.
    closed: Option<Instant>,
    /// Once it is over, and nothing of it runs any more: how much of its output is left to read.
    left: Option<u64>,
    /// How it ended, if that is worth a word.
    verdict: Option<String>,
}

impl Process {
    /// Starts what leads a process group, and has pipes as standard output and error.
    pub(super) fn spawn(command: &mut Command, scripts: &Scripts) -> Result<Process, Refusal> {
        descriptors::restore_for(command);
        let (mut child, started) = scripts.start(command)?;
        Ok(Process {
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            started: Some(started),
            notes: Notes::new(),
            closed: None,
            left: None,
            verdict: None,
        })
    }

    /// Reads its output. Waits no longer than a [`moment`](Process::moment), nor than this.
    pub(super) fn fill<F>(&mut self, into: &mut [u8], timeouts: Duration) -> Got<F> {
        if self.left.is_none() && self.has_ended() {
            self.end();
        }
        let filled = match self.left {
            Some(left) => self.fill_rest(into, left),
            None => self.fill_running(into, timeouts),
        };
        filled.unwrap_or_else(|error| match error.kind() {
            ErrorKind::Interrupted => Got::Nothing,
            _ => Got::Refused(FsError::Io),
        })
    }

    fn fill_running<F>(&mut self, into: &mut [u8], timeouts: Duration) -> io::Result<Got<F>> {
        let (says, complains) = self.wait(timeouts)?;
        if complains {
            self.hear(usize::MAX)?;
            if let Some(lines) = self.notes.lines() {
                return Ok(Got::Note(lines));
            }
        }
        if let Some(stdout) = self.stdout.as_mut().filter(|_| says) {
            let n = stdout.read(into)?;
            if n > 0 {
                return Ok(Got::Bytes(n));
            }
            (self.stdout, self.closed) = (None, Some(Instant::now()));
        }
        if self.closed.is_some_and(|closed| closed.elapsed() > GRACE) {
            self.end();
        }
        Ok(Got::Nothing)
    }

    /// What it complained of may have been first, how it ended is last.
    fn fill_rest<F>(&mut self, into: &mut [u8], left: u64) -> io::Result<Got<F>> {
        if let Some(lines) = self.notes.rest() {
            return Ok(Got::Note(lines));
        }
        let n = usize::try_from(left).map_or(into.len(), |left| left.min(into.len()));
        if let Some(stdout) = self.stdout.as_mut().filter(|_| n > 0) {
            let n = stdout.read(&mut into[..n])?;
            self.left = Some(left - n as u64);
            if n > 0 {
                return Ok(Got::Bytes(n));
            }
        }
        Ok(self.verdict.take().map_or(Got::Bytes(0), Got::Note))
    }

    /// What it speaks through, as far as that is open: its standard output and error.
    pub(super) fn pipes(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
        ]
    }

    /// How long it makes sense to wait for its pipes before it is looked at again: the connection
    /// has deadlines of its own, and a process may end while others hold its pipes.
    pub(super) fn moment(&self) -> Duration {
        // A process ends very soon after its output, as a rule: looked for less and less often.
        self.closed.map_or(MOMENT, |closed| {
            closed.elapsed().clamp(Duration::from_micros(200), MOMENT)
        })
    }

    /// Waits until it says something, and tells on which of the two pipes.
    fn wait(&self, timeouts: Duration) -> io::Result<(bool, bool)> {
        let [out, err] = self.pipes();
        let (has_out, has_err) = (out.is_some(), err.is_some());
        let pipes = out.iter().chain(&err);
        let mut pipes: Vec<_> = pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        let moment = self.moment().min(timeouts);
        let moment = Timespec::try_from(moment).expect("a moment is short");
        match poll(&mut pipes, Some(&moment)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |pipe: Option<&PollFd<'_>>| pipe.is_some_and(|pipe| !pipe.revents().is_empty());
        Ok((
            has_out && ready(pipes.first()),
            has_err && ready(pipes.last()),
        ))
    }

    /// Reads from its standard error once, so many bytes at most. There must be something, or it
    /// must have ended.
    fn hear(&mut self, most: usize) -> io::Result<usize> {
        let Some(stderr) = &mut self.stderr else {
            return Ok(0);
        };
        let mut room = [0; 4096];
        let most = most.min(room.len());
        let n = stderr.read(&mut room[..most])?;
        self.notes.hear(&room[..n]);
        if n == 0 {
            self.stderr = None;
        }
        Ok(n)
    }

    /// Whether the process has ended. It stays a zombie, which keeps its number from being used
    /// for anything else until its group is killed.
    fn has_ended(&self) -> bool {
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid()), how), Ok(None))
    }

    /// Kills what still runs and takes in what was said until now.
    fn end(&mut self) {
        let left_alone = !self.has_ended();
        let status = self.kill();
        self.left = Some(self.stdout.as_ref().map_or(0, waiting));
        let mut complaints = self.stderr.as_ref().map_or(0, waiting);
        while complaints > 0 {
            let most = usize::try_from(complaints).unwrap_or(usize::MAX);
            match self.hear(most) {
                Ok(n) if n > 0 => complaints -= n as u64,
                _ => break,
            }
        }
        let code = |status: ExitStatus| status.code().or_else(|| Some(-status.signal()?));
        self.verdict = match status.ok().and_then(code) {
            _ if left_alone => {
                Some("CGI script kept running after its output and was killed".into())
            }
            Some(0) | None => None,
            Some(code) => Some(format!("CGI script exit code {code}")),
        };
    }

    /// Kills the whole group and takes the process off the system's list.
    fn kill(&mut self) -> io::Result<ExitStatus> {
        self.strike();
        self.child.wait()
    }

    /// Kills the whole group, and does not wait for its end.
    fn strike(&mut self) {
        // There may be nobody left, or nobody but the zombie.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.kill();
        self.started = None;
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    /// Kills it at once. Reaping it can block, for a killed process may still have to finish what it does in the system, and the
    /// thread that drops it may serve other connections: so a thread of its own does that.
    fn drop(&mut self) {
        if self.left.is_some() {
            return;
        }
        self.strike();
        if let Ok(None) = self.child.try_wait() {
            let (pid, thread) = (self.pid(), Builder::new().name("reaper".into()));
            let reap = move || {
                let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED));
            };
            if thread.stack_size(STACK).spawn(reap).is_err() {
                let _ = self.child.wait();
            }
        }
    }
}

/// How many bytes lie in a pipe.
fn waiting(pipe: impl AsFd) -> u64 {
    ioctl_fionread(pipe).unwrap_or(0)
}

/// So long nothing is waited for at a time.
const MOMENT: Duration = Duration::from_millis(50);

/// A program that has closed its output may take this long to exit.
const GRACE: Duration = Duration::from_secs(2);

const STACK: usize = 64 * 1024;
