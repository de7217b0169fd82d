//! What the program does: read the options, listen, say so, and serve until a signal ends it.
//!
//! What can be set is in `options`, `value` and `field`, how it is read in `command`, `arguments` and
//! `words`, and how the manual page shows it in `manual`. Where it listens is in `listen`, what it says then in `start` and `address`, what serves in
//! `server`, `stdio` and `wasi`, over HTTPS with `secure`, what it refuses to serve in `secrets`, whom with `entry`, apart from scripts with `isolation`, how it looks in `colour`, how it ends in `signals`, what it reads again in `reload`, what time it is here in
//! `zone`, what becomes of freed memory in `memory`.

#[cfg(not(target_os = "wasi"))]
mod address;
mod arguments;
mod colour;
mod command;
#[cfg(not(target_os = "wasi"))]
mod entry;
mod field;
#[cfg(unix)]
mod isolation;
mod listen;
#[cfg(not(target_os = "wasi"))]
mod manual;
#[cfg(unix)]
mod memory;
mod options;
mod refusals;
#[cfg(unix)]
mod reload;
#[cfg(not(target_os = "wasi"))]
mod secrets;
#[cfg(not(target_os = "wasi"))]
mod secure;
#[cfg(not(target_os = "wasi"))]
mod server;
#[cfg(not(target_os = "wasi"))]
mod signals;
mod start;
#[cfg(unix)]
mod stdio;
mod value;
#[cfg(target_os = "wasi")]
mod wasi;
mod words;
mod zone;

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
#[cfg(not(target_os = "wasi"))]
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::{self, PanicHookInfo},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

#[cfg(unix)]
use rustix::fs::{Access, access};
#[cfg(unix)]
use rustix::io::Errno;
use sanserve_core::archive::Download;
use sanserve_core::{Config, Files, Limits, error_page, listing, mime};
#[cfg(unix)]
use sanserve_server::raise_descriptor_limit;
#[cfg(target_os = "wasi")]
use sanserve_server::wasi::{Disk, stderr};
#[cfg(not(target_os = "wasi"))]
use sanserve_server::{Disk, Guarded, std::flush_stderr, std::stderr};

pub(crate) use self::command::{Given, read};
use self::options::LogFormat;
pub(crate) use self::options::Options;
#[cfg(target_os = "wasi")]
pub(crate) use self::wasi::run;

/// Why the program has not served, or ended before it was told to: a line for the user.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line or the environment is wrong, or a file or directory that it names. The exit code is 2, and
    /// nothing was bound.
    Usage(String),
    /// The program cannot listen or serve, or cannot print what it was asked for. The exit code is 1.
    Service(String),
}

#[cfg(not(target_os = "wasi"))]
impl Failure {
    /// The program cannot serve because of this.
    fn service(error: impl Display) -> Failure {
        Failure::Service(error.to_string())
    }

    /// The line alone.
    #[cfg(unix)]
    pub(crate) fn into_line(self) -> String {
        match self {
            Failure::Usage(line) | Failure::Service(line) => line,
        }
    }
}

/// Serves until a signal ends it, or one connection.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn run(options: &'static Options) -> Result<(), Failure> {
    panic::set_hook(Box::new(log_panic));
    #[cfg(unix)]
    signals::survive_size_limits().map_err(Failure::service)?;
    #[cfg(unix)]
    if options.runs_scripts() {
        let isolated = isolation::isolate();
        isolated.map_err(|error| {
            Failure::Service(format!(
                "cannot keep scripts away from this process: {error}"
            ))
        })?;
    }
    #[cfg(unix)]
    if options.stdio {
        return stdio::run(options);
    }
    #[cfg(unix)]
    raise_descriptor_limit();
    let passwords = entry::passwords(options)?;
    let disk = disk(options)?;
    #[cfg(unix)]
    let scripts = disk.scripts();
    let end_scripts = Arc::new(move || {
        #[cfg(unix)]
        scripts.end_all();
    });
    let disk = Guarded::new(disk, passwords.clone());
    let secure = secure::secure(options)?;
    let scheme = if secure.is_some() { "https" } else { "http" };
    let server = listen::listen(options)?;
    #[cfg(unix)]
    let reload = {
        let tls = secure.as_ref().map(|secure| &secure.tls);
        reload::Reload::new(options, tls, passwords.as_ref())
    };
    let (server, sha256) = match secure {
        Some(secure) => (server.tls(secure.tls), secure.sha256),
        None => (server, None),
    };
    let obeyed = signals::obey(
        server.stopper(),
        {
            let end_scripts = Arc::clone(&end_scripts);
            move || end_scripts()
        },
        #[cfg(unix)]
        Some(reload),
    );
    obeyed.map_err(Failure::service)?;

    let config = config(options);
    let server = server.log(sink(options));
    start::warn_about_missing(options, &disk);
    let announcement =
        start::Announcement::new(options, scheme, &server.places(), sha256.as_deref());
    let announce = move || {
        announcement.say(options);
        // Whoever started this as a service may wait for this word; if nobody does, nothing is said.
        #[cfg(unix)]
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    };
    let files = files(options);
    let reached = entry::Reached {
        address: server.address(),
        https: scheme == "https",
        loopback_only: server.is_loopback_only(),
    };
    let served = match entry::handlers(options, &files, &reached, passwords.as_ref()) {
        Some(handlers) => server.serve_forever(disk, config, handlers, announce),
        None => server.serve_forever(disk, config, move || files.clone(), announce),
    };
    // Those of connections that were cut off.
    end_scripts();
    served.map_err(|error| Failure::Service(format!("cannot serve: {error}")))
}

/// Reports a panic in the log, so that the connections of this thread do not wait for its reader.
#[cfg(not(target_os = "wasi"))]
fn log_panic(panic: &PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => stderr(&format!("{panic}\n{trace}\n")),
        _ => stderr(&format!("{panic}\n")),
    }
}

/// What is served.
fn disk(options: &Options) -> Result<Disk, Failure> {
    let disk = Disk::open(&options.directory)
        .map_err(|error| Failure::Usage(format!("{error}: name another one with --directory")))?;
    #[cfg(unix)]
    if access(&options.directory, Access::EXEC_OK) == Err(Errno::ACCESS) {
        let name = options.directory.display();
        return Err(Failure::Usage(format!(
            "no permission for what is in {name}: serve it as another user, or another directory"
        )));
    }
    #[cfg(unix)]
    let disk = match options.cgi_limit {
        Some(most) => disk.scripts_max(most),
        None => disk,
    };
    #[cfg(not(target_os = "wasi"))]
    let disk = disk.portable_tags(options.portable_tags);
    Ok(disk.follow_symlinks(options.follow_symlinks))
}

/// What a connection is told.
fn config(options: &Options) -> Config {
    // Nothing else asks for the time of day here than a log, and complaints about a certificate.
    let tells_time = !options.quiet || is_secure(options);
    if tells_time {
        zone::read();
    }
    Config {
        protocol: options.protocol(),
        log_format: match options.log_format {
            _ if options.quiet => |_, _| Ok(()),
            format => refusals::log_format(format),
        },
        local_offset: if tells_time {
            zone::local_offset
        } else {
            |_| 0
        },
        error_page: if options.plain {
            error_page::python
        } else {
            error_page::page
        },
        limits: limits(options),
        keep_alive: !options.plain,
        ..Config::default()
    }
}

/// Whether HTTPS is asked for.
#[cfg(not(target_os = "wasi"))]
fn is_secure(options: &Options) -> bool {
    options.tls_cert.is_some()
}

#[cfg(target_os = "wasi")]
fn is_secure(_: &Options) -> bool {
    false
}

/// How much a connection takes.
#[cfg(unix)]
fn limits(options: &Options) -> Limits {
    let limits = Limits::default();
    Limits {
        content: options.upload_limit.unwrap_or(limits.content),
        ..limits
    }
}

/// Nothing can be set here.
#[cfg(not(unix))]
fn limits(_: &Options) -> Limits {
    Limits::default()
}

/// Where log lines go.
fn sink(options: &Options) -> fn(&str) {
    // Standard error is looked at now, while descriptors are certainly left.
    if !options.quiet {
        stderr("");
    }
    if options.quiet {
        |_| ()
    } else if options.log_format == LogFormat::Python && colour::wanted(&io::stderr()) {
        |lines| stderr(&colour::log(lines))
    } else {
        stderr
    }
}

/// The file service. It borrows from the options for as long as the program lives, so they are
/// left to it.
fn files(options: &Options) -> Files {
    let leak = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    let leak_some = |text: &Option<String>| text.as_deref().map(leak);
    let headers = options.headers.iter();
    let headers: Vec<_> = headers
        .map(|field| (leak(&field.name), leak(&field.value)))
        .collect();
    let mut files = Files::new();
    files.default_type = leak(&options.content_type);
    files.extra_headers = headers.leak();
    files.hidden = options.hidden;
    files.plain = options.plain;
    if !options.plain {
        files.list_directory = listing::page;
    }
    files.charset = options.charset().map(leak);
    files.cache_control = leak_some(&options.cache_control);
    files.precompressed = options.precompressed;
    files.cors = leak_some(&options.cors);
    files.spa = leak_some(&options.spa);
    files.not_found_page = leak_some(&options.not_found);
    if options.archive {
        files.archive = Download::parse;
    }
    if !options.plain {
        files.guess_type = |name| {
            mime::guess_registered_type(name, |extension| {
                mime_guess::from_ext(extension).first_raw()
            })
        };
    }
    files
}

/// The hosts that are known, none if all are. They are left to the program.
fn hosts(options: &Options) -> &'static [&'static str] {
    let names = options.hosts.iter();
    let names: Vec<&'static str> = names.map(|name| &*String::leak(name.clone())).collect();
    names.leak()
}

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
fn complain(text: &str) {
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
