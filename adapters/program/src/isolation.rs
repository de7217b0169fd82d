//! What keeps scripts away from the process that starts them.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Prepares this process for running scripts. It must be called before there are threads.
///
/// Descriptors that were open when it started are closed in scripts. Where a script has the same user, it
/// cannot read the environment and the memory of this process.
///
/// # Errors
/// Those of the system.
pub(super) fn isolate() -> io::Result<()> {
    close_on_exec()?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

/// Has all descriptors but the standard ones closed when a program is run.
fn close_on_exec() -> io::Result<()> {
    for entry in fs::read_dir(DESCRIPTORS)? {
        let number = entry?.file_name();
        let number = number
            .to_str()
            .and_then(|number| number.parse::<RawFd>().ok());
        if let Some(number @ 3..) = number {
            // SAFETY: the list has just been read, and nothing else closes descriptors yet: there is one thread.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

/// Where the system lists the descriptors of this process.
const DESCRIPTORS: &str = if cfg!(target_os = "linux") {
    "/proc/self/fd"
} else {
    "/dev/fd"
};
