//! Opens the served directory, and converts the options to the settings of the library: the file service, connections
//! and the log.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

#[cfg(unix)]
use rustix::fs::{Access, access};
#[cfg(unix)]
use rustix::io::Errno;
use sanserve_core::archive::Download;
use sanserve_core::{
    Config, FileSettings, HostNames, Limits, Path, ShowReadme, TrustedProxies, disposition,
    error_page, listing, mime,
};
#[cfg(target_os = "wasi")]
use sanserve_server::wasi_sockets::{Disk, stderr};
#[cfg(not(target_os = "wasi"))]
use sanserve_server::{Disk, blocking::stderr, zip::ZipFiles};

use crate::failure::{Failure, with_causes};
use crate::options::{LogFormat, Options};
#[cfg(not(target_os = "wasi"))]
use crate::output::warn;
use crate::{colour, header_arg, refusals, time_zone};

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
    Ok(disk.with_follow_symlinks(options.follow_symlinks || is_link(options)))
}

/// Opens the served zip archive.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn zip(options: &Options) -> Result<ZipFiles, Failure> {
    time_zone::load();
    let files = ZipFiles::open(&options.directory, time_zone::local_offset).map_err(|error| {
        let (name, why) = (options.directory.display(), with_causes(&error));
        Failure::Usage(format!("cannot read the zip archive {name}: {why}"))
    })?;
    match files.left_out() {
        0 => {}
        left_out => warn(&format!(
            "warning: entries of the archive that are not served, because they are encrypted, symbolic links, neither \
             stored nor deflated, or have a name that cannot be requested: {left_out}"
        )),
    }
    Ok(files)
}

/// Whether the only file is a symbolic link, which may lead anywhere, since it was named on the command line. A link that
/// takes the place of a regular file later may not.
fn is_link(options: &Options) -> bool {
    let file = options.file.as_ref();
    let link = file.map(|name| options.directory.join(name).symlink_metadata());
    link.is_some_and(|link| link.is_ok_and(|link| link.is_symlink()))
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
    let config = match options.quiet {
        true => config.with_log_format(|_, _| Ok(())),
        false => refusals::with_log_format(config, options),
    };
    let config = match needs_local_time {
        true => config.with_local_offset(time_zone::local_offset),
        false => config,
    };
    let config = with_trusted_proxies(config, options);
    if options.plain {
        return config;
    }
    let mount = options.prefix.clone().unwrap_or_default();
    config
        .with_error_page(error_page::page_below(mount))
        .with_error_headers(error_headers(options))
}

/// Believes the proxies of the options about their clients.
fn with_trusted_proxies(config: Config, options: &Options) -> Config {
    // A proxy that sends its header passes on the fields of its clients.
    if options.trust_proxy.is_empty() || has_proxy_header(options) {
        return config;
    }
    let proxies = trusted_proxies(options);
    config.with_find_client(move |head, peer, client| proxies.find_client(head, peer, client))
}

/// Whether the proxies send a header of the PROXY protocol.
#[cfg(not(target_os = "wasi"))]
fn has_proxy_header(options: &Options) -> bool {
    options.proxy_protocol
}

#[cfg(target_os = "wasi")]
fn has_proxy_header(_: &Options) -> bool {
    false
}

/// The trusted proxies.
pub(crate) fn trusted_proxies(options: &Options) -> TrustedProxies {
    let mut proxies = TrustedProxies::default();
    for address in &options.trust_proxy {
        proxies.trust(address).expect("the value was checked");
    }
    proxies
}

/// The fields of error replies: those of files and listings that would not be wrong in them.
pub(crate) fn error_headers(options: &Options) -> Vec<Header> {
    let mut headers = headers(options);
    headers.retain(|(name, _)| header_arg::is_for_errors(name, options.cors.is_some()));
    headers
}

/// The further fields of files and listings.
pub(crate) fn headers(options: &Options) -> Vec<Header> {
    let given = options.headers.iter();
    let mut headers: Vec<Header> = given
        .map(|field| (field.name.clone().into(), field.value.clone().into()))
        .collect();
    for (name, value) in ISOLATION.iter().filter(|_| options.isolate) {
        if !headers
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name))
        {
            headers.push(((*name).into(), (*value).into()));
        }
    }
    headers
}

/// The name and value of a field.
type Header = (Cow<'static, str>, Cow<'static, str>);

/// The fields that isolate a page from other sites (HTML standard, cross-origin isolation).
const ISOLATION: [(&str, &str); 2] = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
];

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
    let mut settings = FileSettings::default();
    settings.default_type = options.content_type.clone().into();
    settings.extra_headers = headers(options);
    settings.hidden = options.hidden;
    settings.plain = options.plain;
    settings.charset = options.charset().map(|charset| charset.to_owned().into());
    settings.cache_control = owned(&options.cache_control);
    settings.precompressed = options.precompressed;
    settings.compress_files = options.compress;
    settings.readme = options.readme.then(ShowReadme::new);
    settings.cors = owned(&options.cors);
    settings.spa = owned(&options.spa);
    settings.clean_urls = options.clean_urls;
    let file = options.file.as_ref();
    settings.single_file = file.and_then(|name| Path::from_bytes(name.as_encoded_bytes().to_vec()));
    if let Some(path) = options.prefix.as_deref().and_then(Path::parse) {
        settings.mount_at(path);
    }
    settings.not_found_page = owned(&options.not_found);
    if options.archive {
        settings.archive = Arc::new(Download::parse);
    }
    if !options.plain {
        settings.list_directory = Arc::new(listing::page);
        settings.compress_listings = true;
        settings.disposition = Some(Arc::new(disposition::on_request));
        settings.guess_type = Arc::new(|name| {
            let known = mime::guess_registered_type(name, |extension| {
                mime_guess::from_ext(extension).first_raw()
            });
            known.map(Into::into)
        });
    }
    if let Some(types) = options.mime_types.clone() {
        let other = Arc::clone(&settings.guess_type);
        settings.guess_type = Arc::new(move |name| match types.guess(name) {
            Some(own) => Some(own.to_owned().into()),
            None => other(name),
        });
    }
    settings
}

/// The hosts to answer for; empty for any host.
pub(crate) fn hosts(options: &Options) -> HostNames {
    options.hosts.iter().cloned().collect()
}
