//! Runs the server of the command: prepares it, listens, prints the banner, and serves until a signal arrives.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;

use sanserve_core::{FileSystem, Files};
use sanserve_server::blocking::stderr;
#[cfg(unix)]
use sanserve_server::raise_descriptor_limit;

use crate::failure::Failure;
use crate::options::Options;
#[cfg(target_os = "linux")]
use crate::sandbox;
use crate::settings::{config, disk, files, log_sink, trusted_proxies, zip};
use crate::{access, banner, explain, handlers, listen, qr_code, record, signals, tls};
#[cfg(unix)]
use crate::{isolation, reload, stdio};

/// Serves until a signal, or with `--stdio` one connection.
pub(crate) fn run(options: &Arc<Options>) -> Result<(), Failure> {
    panic::set_hook(Box::new(log_panic));
    if let Some(request) = &options.explain {
        return explain::run(options, request);
    }
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
    if options.is_zip {
        return serve(options, zip(options)?, || ());
    }
    let disk = disk(options)?;
    #[cfg(unix)]
    let scripts = disk.scripts();
    serve(options, disk, move || {
        #[cfg(unix)]
        scripts.end_all();
    })
}

/// Serves these files until a signal arrives. `end_scripts` ends the scripts that are running.
fn serve<F>(
    options: &Arc<Options>,
    served: F,
    end_scripts: impl Fn() + Send + Sync + 'static,
) -> Result<(), Failure>
where
    F: FileSystem<File: Send + 'static> + Send + Sync + 'static,
{
    let passwords = access::passwords(options)?;
    let recorder = record::create(options)?;
    let clean_up = Arc::new({
        let recorder = recorder.clone();
        move || {
            end_scripts();
            recorder.iter().for_each(record::close);
        }
    });
    let disk = access::with_passwords(served, passwords.clone());
    let tls = tls::set_up(options)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let server = listen::listen(options)?;
    #[cfg(unix)]
    let reload = reload::Reload::new(Arc::clone(options), tls.as_ref(), passwords.as_ref());
    let (server, certificate) = match tls {
        Some(tls) => {
            let description = tls::description(options, &tls);
            (tls::secure(server, tls), description)
        }
        None => (server, String::new()),
    };
    let handled = signals::handle(
        server.stopper(),
        {
            let clean_up = Arc::clone(&clean_up);
            move || clean_up()
        },
        #[cfg(unix)]
        Some(reload),
    );
    handled.map_err(Failure::service)?;
    #[cfg(target_os = "linux")]
    if options.sandbox {
        sandbox::enter(options)?;
    }

    let server = match options.proxy_protocol {
        true => server.with_proxy_protocol(trusted_proxies(options)),
        false => server,
    };
    let config = config(options);
    let server = server.with_log(log_sink(options));
    banner::warn_about_missing(options, &disk);
    let (addresses, granted) = (server.listen_addrs(), access::granted(passwords.as_ref()));
    let banner = banner::Banner::new(options, scheme, &addresses, &certificate, granted);
    // A replay could not make the images, so a server that is recorded offers none.
    let qr_origin = banner.network_origin(options);
    let qr_origin = qr_origin.filter(|_| options.qr && recorder.is_none() && !options.plain);
    let mut settings = files(options);
    if let Some(origin) = qr_origin {
        qr_code::offer(&mut settings, origin.into());
    }
    let files = Files::from(settings);
    let announce = {
        let options = Arc::clone(options);
        move || {
            banner.print(&options);
            // Notifies a service manager; does nothing without one.
            #[cfg(unix)]
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        }
    };
    let info = handlers::ServerInfo {
        address: server.address(),
        https: scheme == "https",
        loopback_only: server.is_loopback_only(),
    };
    let server = match &recorder {
        Some(recorder) => {
            record::note_options(recorder, options, &info, granted);
            server.with_recorder(recorder)
        }
        None => server,
    };
    let handlers = handlers::handlers(options, &files, &info, passwords.as_ref());
    let served = server.serve_forever(disk, config, handlers, announce);
    // Ends the scripts of connections that were cut off, and the recording.
    clean_up();
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
