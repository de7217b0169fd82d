//! [`Scripts`]: starts the CGI scripts of a disk, limits how many run at the same time, and ends all of them.

use std::io;
use std::panic;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// The running CGI scripts of a [`Disk`](crate::Disk). Clones refer to the same scripts.
///
/// Each script leads its own process group, so a signal from the terminal does not reach it. A program that
/// ends because of a signal has to call [`end_all`](Self::end_all) first.
#[derive(Clone, Debug)]
pub struct Scripts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<State>,
    /// Notified when a script was started, or could not be.
    started: Condvar,
}

#[derive(Debug, Default)]
struct State {
    groups: Vec<Pid>,
    /// The number of scripts that are being started.
    starting: usize,
    closed: bool,
}

/// Why a script was not started.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The limit is reached.
    TooMany,
    Failed(io::Error),
}

impl Scripts {
    pub(super) fn new(limit: usize) -> Scripts {
        Scripts(Arc::new(Shared {
            limit,
            state: Mutex::default(),
            started: Condvar::new(),
        }))
    }

    /// Kills all running scripts with their process groups. No script is started from now on.
    pub fn end_all(&self) {
        let mut state = self.state();
        state.closed = true;
        let any_starting = |state: &mut State| state.starting > 0;
        let waited = self
            .0
            .started
            .wait_timeout_while(state, START_MAX, any_starting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for &group in &state.groups {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Returns whether the limit is reached.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state();
        state.groups.len() + state.starting >= self.0.limit
    }

    /// Starts a process that leads a process group.
    pub(super) fn start(&self, command: &mut Command) -> Result<(Child, ScriptPermit), Refusal> {
        let mut state = self.state();
        if state.closed || state.groups.len() + state.starting >= self.0.limit {
            return Err(Refusal::TooMany);
        }
        state.starting += 1;
        drop(state);
        let spawned = spawn(command);
        let mut state = self.state();
        state.starting -= 1;
        let group = spawned.as_ref().ok().map(Pid::from_child);
        state.groups.extend(group);
        drop(state);
        self.0.started.notify_all();
        let scripts = self.clone();
        let child = spawned.map_err(Refusal::Failed)?;
        let group = Pid::from_child(&child);
        Ok((child, ScriptPermit { scripts, group }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a running script.
#[derive(Debug)]
pub(super) struct ScriptPermit {
    scripts: Scripts,
    group: Pid,
}

impl Drop for ScriptPermit {
    /// Must be dropped before the child is reaped, because its process id may be reused afterwards.
    fn drop(&mut self) {
        let mut state = self.scripts.state();
        state.groups.retain(|&group| group != self.group);
    }
}

/// Starts a process that cannot gain privileges from setuid programs. On Linux that is a property of a thread,
/// so a short-lived thread starts it.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let spawn = || {
        #[cfg(target_os = "linux")]
        rustix::thread::set_no_new_privs(true)?;
        command.spawn()
    };
    thread::scope(|scope| {
        let thread = Builder::new().name("script".into()).stack_size(STACK_SIZE);
        let spawned = thread.spawn_scoped(scope, spawn)?.join();
        spawned.unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// The default for the maximum number of running scripts.
pub(super) const SCRIPTS_MAX: usize = 64;

/// How long `end_all` waits for scripts that are being started.
const START_MAX: Duration = Duration::from_secs(1);

const STACK_SIZE: usize = 256 * 1024;
