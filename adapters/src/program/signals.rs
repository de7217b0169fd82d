//! How the program ends: by Ctrl-C at once, by SIGTERM when the running replies are done.

use std::io::{self, Write};
use std::process;
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

#[cfg(unix)]
use signal_hook::consts::SIGXFSZ;

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

/// Obeys from now on. SIGTERM stops the server by `stop`, so that it returns; after that any further
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
    use signal_hook::low_level::emulate_default_handler;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let listen = move || {
        let mut stop = Some(stop);
        for signal in signals.forever() {
            match (signal, stop.take()) {
                (SIGTERM, Some(stop)) => {
                    // Without a thread for it, it ends as it would have without us.
                    if Builder::new().spawn(|| stop(GRACE)).is_err() {
                        end_scripts();
                        let _ = emulate_default_handler(signal);
                    }
                }
                (SIGTERM, None) => {
                    end_scripts();
                    let _ = emulate_default_handler(signal);
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
