//! Runs the server of the command: prepares it, listens, prints the banner, and serves until a signal arrives.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;

use sanserve_core::Files;
#[cfg(unix)]
use sanserve_server::raise_descriptor_limit;
use sanserve_server::{WithPasswords, blocking::stderr};

use crate::failure::Failure;
use crate::options::Options;
use crate::settings::{config, disk, files, log_sink};
use crate::{banner, handlers, listen, signals, tls};
#[cfg(unix)]
use crate::{isolation, reload, stdio};

/// Serves until a signal, or with `--stdio` one connection.
pub(crate) fn run(options: &Arc<Options>) -> Result<(), Failure> {
    panic::set_hook(Box::new(log_panic));
    #[cfg(unix)]
    signals::survive_size_limits().map_err(Failure::service)?;
    #[cfg(unix)]
    if options.runs_scripts() {
        let isolated = isolation::isolate();
        isolated.map_err(|error| {
            Failure::Service(format!("cannot isolate scripts from this process: {error}"))
        })?;
    }
    #[cfg(unix)]
    if options.stdio {
        return stdio::run(options);
    }
    #[cfg(unix)]
    raise_descriptor_limit();
    let passwords = handlers::passwords(options)?;
    let disk = disk(options)?;
    #[cfg(unix)]
    let scripts = disk.scripts();
    let end_scripts = Arc::new(move || {
        #[cfg(unix)]
        scripts.end_all();
    });
    let disk = WithPasswords::new(disk, passwords.clone());
    let tls = tls::set_up(options)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let server = listen::listen(options)?;
    #[cfg(unix)]
    let reload = {
        let tls = tls.as_ref().map(|set_up| &set_up.tls);
        reload::Reload::new(Arc::clone(options), tls, passwords.as_ref())
    };
    let (server, sha256) = match tls {
        Some(set_up) => (server.with_tls(set_up.tls), set_up.sha256),
        None => (server, None),
    };
    let handled = signals::handle(
        server.stopper(),
        {
            let end_scripts = Arc::clone(&end_scripts);
            move || end_scripts()
        },
        #[cfg(unix)]
        Some(reload),
    );
    handled.map_err(Failure::service)?;

    let config = config(options);
    let server = server.with_log(log_sink(options));
    banner::warn_about_missing(options, &disk);
    let addresses = server.listen_addrs();
    let banner = banner::Banner::new(options, scheme, &addresses, sha256.as_deref());
    let announce = {
        let options = Arc::clone(options);
        move || {
            banner.print(&options);
            // Notifies a service manager; does nothing without one.
            #[cfg(unix)]
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        }
    };
    let files = Files::from(files(options));
    let info = handlers::ServerInfo {
        address: server.address(),
        https: scheme == "https",
        loopback_only: server.is_loopback_only(),
    };
    let served = match handlers::handlers(options, &files, &info, passwords.as_ref()) {
        Some(handlers) => server.serve_forever(disk, config, handlers, announce),
        None => server.serve_forever(disk, config, move || files.clone(), announce),
    };
    // Ends the scripts of connections that were cut off.
    end_scripts();
    served.map_err(|error| Failure::Service(format!("cannot serve: {error}")))
}

/// Writes a panic to the log, which does not block the thread if nobody reads it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => stderr(&format!("{panic}\n{trace}\n")),
        _ => stderr(&format!("{panic}\n")),
    }
}
