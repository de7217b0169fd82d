//! Raises the limit on file descriptors for this process, and restores it for its child processes.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit on file descriptors to the hard limit: each connection is a descriptor, and the soft
/// limit is often 1,024. CGI scripts that a [`Disk`](crate::Disk) runs get the original limit back, because
/// some programs use `select`, which cannot handle more than 1,024 descriptors.
///
/// If the system refuses, the limit does not change. Call this before you create a server, because its maximum
/// number of connections depends on it.
pub fn raise_descriptor_limit() {
    let found = *FOUND.get_or_init(|| getrlimit(Resource::Nofile));
    if found.current != found.maximum {
        let raised = Rlimit {
            current: found.maximum,
            ..found
        };
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// Gives a command that is about to run the limit from before it was raised.
///
/// The limit has to be set in the child, before `exec`: this process needs the raised one, and may not change
/// that of a process of another user.
#[expect(
    unsafe_code,
    reason = "there is no other way to set a limit in a child"
)]
pub(crate) fn restore_for(command: &mut Command) {
    if let Some(found) = FOUND.get().copied()
        && getrlimit(Resource::Nofile) != found
    {
        // SAFETY: between fork and exec only a system call is made; nothing is allocated or locked.
        unsafe { command.pre_exec(move || Ok(setrlimit(Resource::Nofile, found)?)) };
    }
}

static FOUND: OnceLock<Rlimit> = OnceLock::new();
