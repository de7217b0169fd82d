//! What the options mean to the library: the served directory, the file service and the settings of connections.

use std::io;

#[cfg(unix)]
use rustix::fs::{Access, access};
#[cfg(unix)]
use rustix::io::Errno;
use sanserve_core::archive::Download;
use sanserve_core::{Config, Files, Limits, error_page, listing, mime};
#[cfg(target_os = "wasi")]
use sanserve_server::wasi::{Disk, stderr};
#[cfg(not(target_os = "wasi"))]
use sanserve_server::{Disk, std::stderr};

use crate::failure::{Failure, in_full};
use crate::options::{LogFormat, Options};
use crate::{colour, refusals, zone};

/// What is served.
pub(crate) fn disk(options: &Options) -> Result<Disk, Failure> {
    let disk = Disk::open(&options.directory).map_err(|error| {
        let why = in_full(&error);
        Failure::Usage(format!("{why}: name another one with --directory"))
    })?;
    #[cfg(unix)]
    if access(&options.directory, Access::EXEC_OK) == Err(Errno::ACCESS) {
        let name = options.directory.display();
        return Err(Failure::Usage(format!(
            "no permission for what is in {name}: serve it as another user, or another directory"
        )));
    }
    #[cfg(unix)]
    let disk = match options.cgi_limit {
        Some(most) => disk.with_max_scripts(most),
        None => disk,
    };
    #[cfg(not(target_os = "wasi"))]
    let disk = disk.with_portable_tags(options.portable_tags);
    Ok(disk.with_follow_symlinks(options.follow_symlinks))
}

/// What a connection is told.
pub(crate) fn config(options: &Options) -> Config {
    // Nothing else asks for the time of day here than a log, and complaints about a certificate.
    let tells_time = !options.quiet || is_secure(options);
    if tells_time {
        zone::read();
    }
    Config::default()
        .with_protocol(options.protocol())
        .with_log_format(match options.log_format {
            _ if options.quiet => |_, _| Ok(()),
            format => refusals::log_format(format),
        })
        .with_local_offset(if tells_time {
            zone::local_offset
        } else {
            |_| 0
        })
        .with_error_page(if options.plain {
            error_page::python
        } else {
            error_page::page
        })
        .with_limits(limits(options))
        .with_keep_alive(!options.plain)
        .with_page_for_bad_head(options.plain)
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
    limits.with_content(options.upload_limit.unwrap_or(limits.content))
}

/// Nothing can be set here.
#[cfg(not(unix))]
fn limits(_: &Options) -> Limits {
    Limits::default()
}

/// Where log lines go.
pub(crate) fn sink(options: &Options) -> fn(&str) {
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
pub(crate) fn files(options: &Options) -> Files {
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
pub(crate) fn hosts(options: &Options) -> &'static [&'static str] {
    let names = options.hosts.iter();
    let names: Vec<&'static str> = names.map(|name| &*String::leak(name.clone())).collect();
    names.leak()
}
