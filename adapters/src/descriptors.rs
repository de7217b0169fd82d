//! The limit of file descriptors: raised for this process, and as it was for the programs it starts.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of file descriptors to the hard one: each connection is a descriptor, and the
/// soft limit is often 1,024. Programs that a [`Disk`](crate::Disk) runs get the limit back that was
/// found here, because some of them use `select`, which cannot handle more than 1,024.
///
/// It stays as it is if the system refuses. To be called before a server is made, whose ceiling follows
/// from it.
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

/// Has a program that is about to be started get the limit that was found before it was raised.
///
/// It has to be set in the child, before the program runs: this process needs the raised one, and may
/// not change that of a process that has another user.
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
