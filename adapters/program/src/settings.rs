//! Opens the served directory, and converts the options to the settings of the library: the file service, connections
//! and the log.

use std::io;
use std::sync::Arc;

#[cfg(unix)]
use rustix::fs::{Access, access};
#[cfg(unix)]
use rustix::io::Errno;
use sanserve_core::archive::Download;
use sanserve_core::{Config, FileSettings, HostNames, Limits, error_page, listing, mime};
#[cfg(target_os = "wasi")]
use sanserve_server::wasi_sockets::{Disk, stderr};
#[cfg(not(target_os = "wasi"))]
use sanserve_server::{Disk, blocking::stderr};

use crate::failure::{Failure, with_causes};
use crate::options::{LogFormat, Options};
use crate::{colour, refusals, time_zone};

/// Opens the served directory.
pub(crate) fn disk(options: &Options) -> Result<Disk, Failure> {
    let disk = Disk::open(&options.directory).map_err(|error| {
        let why = with_causes(&error);
        Failure::Usage(format!("{why}: give another one with --directory"))
    })?;
    #[cfg(unix)]
    if access(&options.directory, Access::EXEC_OK) == Err(Errno::ACCESS) {
        let name = options.directory.display();
        return Err(Failure::Usage(format!(
            "no permission to enter {name}: run as another user, or serve another directory"
        )));
    }
    #[cfg(unix)]
    let disk = match options.cgi_limit {
        Some(limit) => disk.with_max_scripts(limit),
        None => disk,
    };
    #[cfg(not(target_os = "wasi"))]
    let disk = disk.with_portable_tags(options.portable_tags);
    Ok(disk.with_follow_symlinks(options.follow_symlinks))
}

/// The settings of connections.
pub(crate) fn config(options: &Options) -> Config {
    // Local time is only used by the log, and by warnings about a certificate.
    let needs_local_time = !options.quiet || is_secure(options);
    if needs_local_time {
        time_zone::load();
    }
    let config = Config::default()
        .with_protocol(options.protocol())
        .with_limits(limits(options))
        .with_keep_alive(!options.plain)
        .with_page_for_bad_head(options.plain);
    let config = match options.log_format {
        _ if options.quiet => config.with_log_format(|_, _| Ok(())),
        format => refusals::with_log_format(config, format),
    };
    let config = match needs_local_time {
        true => config.with_local_offset(time_zone::local_offset),
        false => config,
    };
    match options.plain {
        true => config,
        false => config.with_error_page(error_page::page),
    }
}

/// Whether the server has a certificate from a file.
#[cfg(not(target_os = "wasi"))]
fn is_secure(options: &Options) -> bool {
    options.tls_cert.is_some()
}

#[cfg(target_os = "wasi")]
fn is_secure(_: &Options) -> bool {
    false
}

/// The limits of a connection.
#[cfg(unix)]
fn limits(options: &Options) -> Limits {
    let limits = Limits::default();
    limits.with_content(options.upload_limit.unwrap_or(limits.content))
}

/// The limits of a connection: no option changes them on this system.
#[cfg(not(unix))]
fn limits(_: &Options) -> Limits {
    Limits::default()
}

/// Returns the function that writes log lines.
pub(crate) fn log_sink(options: &Options) -> fn(&str) {
    // Sets up standard error now, while there are free descriptors.
    if !options.quiet {
        stderr("");
    }
    if options.quiet {
        |_| ()
    } else if options.log_format == LogFormat::Python && colour::is_enabled(&io::stderr()) {
        |lines| stderr(&colour::log(lines))
    } else {
        stderr
    }
}

/// The settings of the file service.
pub(crate) fn files(options: &Options) -> FileSettings {
    let owned = |text: &Option<String>| text.clone().map(Into::into);
    let headers = options.headers.iter();
    let headers = headers.map(|field| (field.name.clone().into(), field.value.clone().into()));
    let mut settings = FileSettings::default();
    settings.default_type = options.content_type.clone().into();
    settings.extra_headers = headers.collect();
    settings.hidden = options.hidden;
    settings.plain = options.plain;
    settings.charset = options.charset().map(|charset| charset.to_owned().into());
    settings.cache_control = owned(&options.cache_control);
    settings.precompressed = options.precompressed;
    settings.cors = owned(&options.cors);
    settings.spa = owned(&options.spa);
    settings.not_found_page = owned(&options.not_found);
    if options.archive {
        settings.archive = Arc::new(Download::parse);
    }
    if !options.plain {
        settings.list_directory = Arc::new(listing::page);
        settings.guess_type = Arc::new(|name| {
            let known = mime::guess_registered_type(name, |extension| {
                mime_guess::from_ext(extension).first_raw()
            });
            known.map(Into::into)
        });
    }
    settings
}

/// The hosts to answer for; empty for any host.
pub(crate) fn hosts(options: &Options) -> HostNames {
    options.hosts.iter().cloned().collect()
}
