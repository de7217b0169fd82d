//! What the program itself prints: its banner, complaints, and its last line, none of which may hold it up.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
#[cfg(not(target_os = "wasi"))]
use std::{sync::mpsc, thread, time::Duration};

#[cfg(not(target_os = "wasi"))]
use sanserve_server::blocking::{flush_stderr, stderr};
#[cfg(target_os = "wasi")]
use sanserve_server::wasi_sockets::stderr;

use crate::failure::Failure;

/// Gives the log a moment to be written before the program ends.
pub(crate) fn flush_log() {
    #[cfg(not(target_os = "wasi"))]
    flush_stderr(LAST_WORDS);
}

/// Does something that may have to wait for a reader, such as to print, but waits for it no longer
/// than a second: the program is about to end.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn briefly(work: impl FnOnce() + Send + 'static) {
    let (tell, done) = mpsc::channel();
    let work = move || {
        work();
        let _ = tell.send(());
    };
    if thread::Builder::new().spawn(work).is_ok() {
        let _ = done.recv_timeout(LAST_WORDS);
    }
}

/// A component has no threads.
#[cfg(target_os = "wasi")]
pub(crate) fn briefly(work: impl FnOnce()) {
    work();
}

/// Prints at once, also into a pipe. A failure is ignored: the program serves whether or not its banner is read.
pub(crate) fn say(text: impl Display) {
    let _ = write_out(text);
}

/// Writes a line for the user to standard error. Control characters in names become `?`.
pub(crate) fn complain(text: &str) {
    let text = text.replace(char::is_control, "?");
    stderr(&format!("sanserve: {text}\n"));
}

/// Prints what the program was asked for.
///
/// # Errors
/// If it cannot be written. A reader that has left, such as `head`, has read what it wanted.
pub(crate) fn print(answer: &str) -> Result<(), Failure> {
    match write_out(answer) {
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

/// How long the end of the program waits for what it prints to be read.
#[cfg(not(target_os = "wasi"))]
const LAST_WORDS: Duration = Duration::from_secs(1);
