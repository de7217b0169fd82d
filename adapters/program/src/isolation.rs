//! Isolates the server process from the CGI scripts that it starts: they get none of the descriptors that it inherited,
//! and on Linux cannot read its memory or environment.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Prepares this process for running scripts. Must be called before threads are started.
///
/// Descriptors that the process inherited are closed in scripts. A script that runs as the same user cannot read the
/// environment and the memory of this process.
///
/// # Errors
/// Errors of the system.
pub(super) fn isolate() -> io::Result<()> {
    close_on_exec()?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

/// Sets close-on-exec for all descriptors except the standard ones.
fn close_on_exec() -> io::Result<()> {
    for entry in fs::read_dir(DESCRIPTORS)? {
        let number = entry?.file_name();
        let number = number
            .to_str()
            .and_then(|number| number.parse::<RawFd>().ok());
        if let Some(number @ 3..) = number {
            // SAFETY: the descriptor was just listed, and there is no other thread that could close it.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

/// The directory that lists the descriptors of this process.
const DESCRIPTORS: &str = if cfg!(target_os = "linux") {
    "/proc/self/fd"
} else {
    "/dev/fd"
};
