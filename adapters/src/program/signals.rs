//! How the program ends: by Ctrl-C at once, by SIGTERM when the running replies are done. Its exit code is 0 then, also
//! when replies were cut off because their time was over or because another signal followed.

use std::io::{self, Write};
use std::process;
use std::time::Duration;

/// Obeys from now on, except signals that are ignored already. SIGTERM stops the server by `stop`, so that it returns; after that any further
/// signal ends the process at once, as Ctrl-C always does, after `end_scripts`: scripts are process groups of
/// their own, which no signal from the terminal reaches.
///
/// # Errors
/// If the system does not let us have the signals.
#[cfg(unix)]
pub(crate) fn obey(
    stop: impl FnOnce(Duration) + Send + 'static,
    end_scripts: impl Fn() + Send + 'static,
) -> io::Result<()> {
    use std::thread::Builder;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new(not_ignored([SIGINT, SIGTERM]))?;
    let listen = move || {
        let mut stop = Some(stop);
        for signal in signals.forever() {
            match (signal, stop.take()) {
                (SIGTERM, Some(stop)) => {
                    if Builder::new().spawn(|| stop(GRACE)).is_err() {
                        end_scripts();
                        end();
                    }
                }
                (SIGTERM, None) => {
                    end_scripts();
                    end();
                }
                _ => {
                    end_scripts();
                    interrupted();
                }
            }
        }
    };
    Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}

/// Obeys from now on: Ctrl-C ends the process at once.
///
/// # Errors
/// If the system does not let us have the signals.
#[cfg(windows)]
pub(crate) fn obey(
    _: impl FnOnce(Duration) + Send + 'static,
    _: impl Fn() + Send + 'static,
) -> io::Result<()> {
    ctrlc::set_handler(interrupted).map_err(io::Error::other)
}

/// Ends the process on SIGINT and SIGTERM, at once and without a thread for it: for a process that serves one connection
/// and runs no scripts.
///
/// # Errors
/// If the system does not let us have the signals.
#[cfg(unix)]
pub(crate) fn end_at_once() -> io::Result<()> {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::register_conditional_shutdown;

    for signal in not_ignored([SIGINT, SIGTERM]) {
        register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// Those of these signals that whoever started the process does not have ignored. Shells ignore SIGINT for what they
/// start with `&` in a script, and nohup(1) ignores SIGHUP: a handler would take that back.
#[cfg(unix)]
fn not_ignored<const N: usize>(signals: [i32; N]) -> impl Iterator<Item = i32> {
    use std::{mem, ptr};

    use nix::libc;

    let is_ignored = |signal: i32| {
        // SAFETY: all zeros are a valid `sigaction`, and with no new action the call only fills it in.
        let action = unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            libc::sigaction(signal, ptr::null(), &mut action);
            action
        };
        action.sa_sigaction == libc::SIG_IGN
    };
    signals
        .into_iter()
        .filter(move |signal| !is_ignored(*signal))
}

/// Ends the process, having been told to.
#[cfg(unix)]
pub(crate) fn end() -> ! {
    super::flush_log();
    process::exit(0);
}

fn interrupted() {
    super::flush_log();
    super::briefly(|| {
        let mut out = io::stdout();
        let _ = out.write_all(b"\nKeyboard interrupt received, exiting.\n");
        let _ = out.flush();
    });
    process::exit(0);
}

/// For running replies.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(10);
