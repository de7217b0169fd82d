//! How the program ends: by Ctrl-C at once, by SIGTERM when the running replies are done; and what SIGHUP does. Its exit code is 0 then, also
//! when replies were cut off because their time was over or because another signal followed.

use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::process;
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

#[cfg(unix)]
use signal_hook::consts::SIGXFSZ;

use super::output::{briefly, flush_log};
#[cfg(unix)]
use super::reload::Reload;

/// Survives writing more to a file than this process may (`RLIMIT_FSIZE`): then the write fails, and not the process.
/// Scripts do not inherit this, because a handler, unlike an ignored signal, is reset in them.
///
/// # Errors
/// If the system does not let us have the signal.
#[cfg(unix)]
pub(super) fn survive_size_limits() -> io::Result<()> {
    let seen = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, seen).map(drop)
}

/// Obeys from now on, except signals that are ignored already. SIGTERM stops the server by `stop`, so that it returns; after
/// that another one ends the process at once, as Ctrl-C always does, after `end_scripts`: scripts are process groups of
/// their own, which no signal from the terminal reaches.
///
/// SIGHUP ends the process, too, if the terminal that it was started on has closed; by that signal, as Python's ends.
/// While that terminal is open, or if there was none, SIGHUP reads again what `reload` has. Where nothing can be read
/// again it ends a process with a terminal, and one without goes on: nothing of it has hung up.
///
/// # Errors
/// If the system does not let us have the signals.
#[cfg(unix)]
pub(crate) fn obey(
    stop: impl FnOnce(Duration) + Send + 'static,
    end_scripts: impl Fn() + Send + 'static,
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
                    let started = stop.take().map(|stop| Builder::new().spawn(|| stop(GRACE)));
                    if let Some(Ok(_)) = started {
                        continue;
                    }
                }
                _ => {}
            }
            end_scripts();
            match signal {
                SIGHUP => {
                    flush_log();
                    let _ = emulate_default_handler(signal);
                }
                SIGTERM => end(),
                _ => interrupted(),
            }
        }
    };
    Builder::new().name("signals".into()).spawn(listen)?;
    Ok(())
}

/// The terminal that controls the process.
#[cfg(unix)]
struct Terminal {
    /// Whether there was one at the start.
    existed: bool,
}

#[cfg(unix)]
impl Terminal {
    fn find() -> Terminal {
        Terminal {
            existed: Terminal::open().is_ok(),
        }
    }

    /// Whether there was one, and is none any more. That descriptors ran out says nothing about it.
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
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::register_conditional_shutdown;

    for signal in not_ignored([SIGINT, SIGTERM]) {
        register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// Those of these signals that were not ignored when the process was started. Shells ignore SIGINT for what they
/// start with `&` in a script, and nohup(1) ignores SIGHUP: a handler would take that back.
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

/// Ends the process, having been told to.
#[cfg(unix)]
pub(crate) fn end() -> ! {
    flush_log();
    process::exit(0);
}

fn interrupted() {
    flush_log();
    briefly(|| {
        let mut out = io::stdout();
        let _ = out.write_all(b"\nKeyboard interrupt received, exiting.\n");
        let _ = out.flush();
    });
    process::exit(0);
}

/// For running replies.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(10);
