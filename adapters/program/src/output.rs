//! Prints the messages of the command to its user: banner, warnings, the help and the last line. At exit, the command
//! waits at most a second for its output to be read.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
#[cfg(not(target_os = "wasi"))]
use std::{sync::mpsc, thread, time::Duration};

#[cfg(not(target_os = "wasi"))]
use sanserve_server::blocking::{flush_stderr, stderr};
#[cfg(target_os = "wasi")]
use sanserve_server::wasi_sockets::stderr;

use crate::failure::Failure;

/// Waits up to a second for the log to be written, before the command exits.
pub(crate) fn flush_log() {
    #[cfg(not(target_os = "wasi"))]
    flush_stderr(EXIT_WAIT);
}

/// Runs `work`, which may block on a reader, for up to a second: the command is about to exit.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn with_exit_timeout(work: impl FnOnce() + Send + 'static) {
    let (sender, done) = mpsc::channel();
    let work = move || {
        work();
        let _ = sender.send(());
    };
    if thread::Builder::new().spawn(work).is_ok() {
        let _ = done.recv_timeout(EXIT_WAIT);
    }
}

/// Runs `work`. A component has no threads.
#[cfg(target_os = "wasi")]
pub(crate) fn with_exit_timeout(work: impl FnOnce()) {
    work();
}

/// Prints the banner and flushes it. Ignores errors: the server runs even if its banner cannot be printed.
pub(crate) fn print_banner(text: impl Display) {
    let _ = write_out(text);
}

/// Writes a line for the user to standard error. Control characters become `?`.
pub(crate) fn warn(text: &str) {
    let text = text.replace(char::is_control, "?");
    stderr(&format!("sanserve: {text}\n"));
}

/// Prints a text that the user asked for, such as the help.
///
/// # Errors
/// If it cannot be written. A closed pipe is not an error: a reader such as `head` has read enough.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match write_out(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Service(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

fn write_out(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout();
    write!(out, "{text}")?;
    out.flush()
}

/// How long the exit waits for output to be read.
#[cfg(not(target_os = "wasi"))]
const EXIT_WAIT: Duration = Duration::from_secs(1);
