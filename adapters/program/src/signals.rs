//! Handles signals: Ctrl-C ends the process immediately, SIGTERM ends it when the requests in progress are done, and
//! SIGHUP reloads files. The exit code is 0, even if replies were cut off because their time was over or another signal
//! followed.

use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::process;
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

#[cfg(unix)]
use signal_hook::consts::SIGXFSZ;

use super::output::{flush_log, with_exit_timeout};
#[cfg(unix)]
use super::reload::Reload;

/// Makes a write beyond the file size limit (`RLIMIT_FSIZE`) fail instead of ending the process. Scripts do not inherit
/// this: a handler, unlike an ignored signal, is reset in them.
///
/// # Errors
/// If the handler cannot be installed.
#[cfg(unix)]
pub(super) fn survive_size_limits() -> io::Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, flag).map(drop)
}

/// Handles signals from now on, except those that are already ignored. The first SIGTERM calls `stop`, so that the
/// server returns; the second one, like Ctrl-C, ends the process immediately. Before that, `clean_up` is called. It ends
/// scripts, which have their own process groups that signals of the terminal do not reach.
///
/// SIGHUP reloads the files of `reload`. If the terminal that the process was started on has closed, it ends the
/// process by that signal, as in Python. If there is nothing to reload, it ends a process that has a terminal, and one
/// without a terminal keeps running.
///
/// # Errors
/// If the handlers cannot be installed.
#[cfg(unix)]
pub(crate) fn handle(
    stop: impl FnOnce(Duration) + Send + 'static,
    clean_up: impl Fn() + Send + 'static,
    reload: Option<Reload>,
) -> io::Result<()> {
    use std::thread::Builder;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let terminal = Terminal::find();
    let reload = reload.filter(|reload| !terminal.existed || !reload.is_empty());
    let mut signals = Signals::new(not_ignored([SIGHUP, SIGINT, SIGTERM]))?;
    let listen = move || {
        let mut stop = Some(stop);
        for signal in signals.forever() {
            match (signal, &reload) {
                (SIGHUP, Some(reload)) if !terminal.has_closed() => {
                    reload.run();
                    continue;
                }
                (SIGTERM, _) => {
                    let started = stop
                        .take()
                        .map(|stop| Builder::new().spawn(|| stop(SHUTDOWN_GRACE)));
                    if let Some(Ok(_)) = started {
                        continue;
                    }
                }
                _ => {}
            }
            clean_up();
            match signal {
                SIGHUP => {
                    flush_log();
                    let _ = emulate_default_handler(signal);
                }
                SIGTERM => exit(),
                _ => exit_interrupted(),
            }
        }
    };
    Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}

/// The controlling terminal of the process.
#[cfg(unix)]
struct Terminal {
    /// Whether the process had one at the start.
    existed: bool,
}

#[cfg(unix)]
impl Terminal {
    fn find() -> Terminal {
        Terminal {
            existed: Terminal::open().is_ok(),
        }
    }

    /// Whether the terminal has closed. Running out of descriptors does not count.
    fn has_closed(&self) -> bool {
        use rustix::io::Errno;
        self.existed && matches!(Terminal::open(), Err(Errno::NXIO | Errno::IO))
    }

    fn open() -> rustix::io::Result<OwnedFd> {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        open("/dev/tty", flags, Mode::empty())
    }
}

/// Handles Ctrl-C from now on, which calls `clean_up` and ends the process immediately.
///
/// # Errors
/// If the handlers cannot be installed.
#[cfg(windows)]
pub(crate) fn handle(
    _: impl FnOnce(Duration) + Send + 'static,
    clean_up: impl Fn() + Send + 'static,
) -> io::Result<()> {
    let exit = move || {
        clean_up();
        exit_interrupted();
    };
    ctrlc::set_handler(exit).map_err(io::Error::other)
}

/// Makes SIGINT and SIGTERM end the process immediately, without a thread: for a process that serves one connection and
/// runs no scripts.
///
/// # Errors
/// If the handlers cannot be installed.
#[cfg(unix)]
pub(crate) fn exit_immediately() -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::register_conditional_shutdown;

    for signal in not_ignored([SIGINT, SIGTERM]) {
        register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// Returns the signals that were not ignored when the process started. Shells ignore SIGINT for background commands of
/// a script, and nohup(1) ignores SIGHUP; a handler would undo that.
#[cfg(unix)]
fn not_ignored<const N: usize>(signals: [i32; N]) -> impl Iterator<Item = i32> {
    use std::{mem, ptr};

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

/// Exits after SIGTERM.
#[cfg(unix)]
pub(crate) fn exit() -> ! {
    flush_log();
    process::exit(0);
}

/// Exits after Ctrl-C, with Python's message.
fn exit_interrupted() {
    flush_log();
    with_exit_timeout(|| {
        let mut out = io::stdout();
        let _ = out.write_all(b"\nKeyboard interrupt received, exiting.\n");
        let _ = out.flush();
    });
    process::exit(0);
}

/// How long requests in progress may take after SIGTERM.
#[cfg(unix)]
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
