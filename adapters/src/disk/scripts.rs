//! [`Scripts`]: the scripts of a disk that run, and how many may run at a time.

use std::io;
use std::panic;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// The scripts of a [`Disk`](crate::Disk) that run. Clones are about the same ones.
///
/// A script leads a process group of its own, so a signal from the terminal does not reach it. A program that
/// ends by a signal calls [`end_all`](Self::end_all) before.
#[derive(Clone, Debug)]
pub struct Scripts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    running: Mutex<Running>,
    /// A script was started, or could not be.
    started: Condvar,
}

#[derive(Debug, Default)]
struct Running {
    groups: Vec<Pid>,
    /// How many more are being started.
    starting: usize,
    over: bool,
}

/// Why a script is not started.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Too many run.
    TooMany,
    Failed(io::Error),
}

impl Scripts {
    pub(super) fn new(most: usize) -> Scripts {
        Scripts(Arc::new(Shared {
            most,
            running: Mutex::default(),
            started: Condvar::new(),
        }))
    }

    /// Kills all scripts that run, with all that is in their process groups. None is started any more.
    pub fn end_all(&self) {
        let mut running = self.running();
        running.over = true;
        let starts = |running: &mut Running| running.starting > 0;
        let waited = self
            .0
            .started
            .wait_timeout_while(running, START_MAX, starts);
        let (running, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for &group in &running.groups {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Whether no further script may be started now.
    pub(super) fn is_full(&self) -> bool {
        let running = self.running();
        running.groups.len() + running.starting >= self.0.most
    }

    /// Starts one that leads a process group.
    pub(super) fn start(&self, command: &mut Command) -> Result<(Child, Started), Refusal> {
        let mut running = self.running();
        if running.over || running.groups.len() + running.starting >= self.0.most {
            return Err(Refusal::TooMany);
        }
        running.starting += 1;
        drop(running);
        let spawned = spawn(command);
        let mut running = self.running();
        running.starting -= 1;
        let group = spawned.as_ref().ok().map(Pid::from_child);
        running.groups.extend(group);
        drop(running);
        self.0.started.notify_all();
        let scripts = self.clone();
        let child = spawned.map_err(Refusal::Failed)?;
        let group = Pid::from_child(&child);
        Ok((child, Started { scripts, group }))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a script among those that run.
#[derive(Debug)]
pub(super) struct Started {
    scripts: Scripts,
    group: Pid,
}

impl Drop for Started {
    /// To be called before the child is taken off the system's list: then its number may become another's.
    fn drop(&mut self) {
        let mut running = self.scripts.running();
        running.groups.retain(|&group| group != self.group);
    }
}

/// Starts a process that gains no privileges by running setuid programs. Linux keeps that by thread, so
/// that it is done by one that ends at once.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let spawn = || {
        #[cfg(target_os = "linux")]
        rustix::thread::set_no_new_privs(true)?;
        command.spawn()
    };
    thread::scope(|scope| {
        let thread = Builder::new().name("script".into()).stack_size(STACK);
        let spawned = thread.spawn_scoped(scope, spawn)?.join();
        spawned.unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// How many scripts run at a time by default.
pub(super) const SCRIPTS_MAX: usize = 64;

/// How long the end of all scripts waits for those that are being started.
const START_MAX: Duration = Duration::from_secs(1);

const STACK: usize = 256 * 1024;
