//! [`Banner`]: composes and prints the first output of the command, and opens the browser. A pipe gets only Python's
//! lines. A terminal also gets the directory, the URLs and warnings of risks, unless `--plain` is set. Also warns, on
//! standard error, of missing files that the options name.

#[cfg(not(target_os = "wasi"))]
use std::fmt::Write;
use std::io::{self, IsTerminal};
#[cfg(not(target_os = "wasi"))]
use std::path;

use sanserve_core::{FileSystem, Opened, Path, Right, Rights};
use sanserve_server::ListenAddr;

use super::colour;
use super::options::Options;
use super::output::{print_banner, warn};
#[cfg(not(target_os = "wasi"))]
use super::qr_code;
#[cfg(not(target_os = "wasi"))]
use super::urls::{self, Scope, ServerUrl};

/// The banner. It is composed before the server starts, since listing the addresses of this machine takes a moment, and
/// printed when it serves.
pub(super) struct Banner {
    text: String,
    #[cfg(not(target_os = "wasi"))]
    urls: Vec<ServerUrl>,
}

/// The rights of clients.
#[derive(Clone, Copy)]
pub(super) struct Granted {
    pub(super) everybody: Rights,
    /// The rights that at least one user has. `None` if there are no users.
    pub(super) users: Option<Rights>,
}

impl Default for Granted {
    /// Everybody may do everything.
    fn default() -> Granted {
        Granted {
            everybody: Rights::ALL,
            users: None,
        }
    }
}

impl Banner {
    /// Composes the banner. `certificate` is empty, or has the lines that describe the certificate.
    pub(super) fn new(
        options: &Options,
        scheme: &str,
        addresses: &[ListenAddr],
        certificate: &str,
        granted: Granted,
    ) -> Banner {
        let path = options.url_path();
        let lines = addresses.iter().map(|address| line(scheme, address, &path));
        let mut text: String = lines.collect();
        text += certificate;
        let terminal = io::stdout().is_terminal();
        #[cfg(not(target_os = "wasi"))]
        {
            let urls = if terminal || options.open || options.qr {
                let name = options.hosts.first().map(String::as_str);
                all_urls(scheme, addresses, name, &path)
            } else {
                Vec::new()
            };
            if terminal && !options.plain {
                text += &colour::mark_urls(&summary(options, scheme, &urls, addresses, granted));
            }
            if options.qr {
                match qr_code(&urls) {
                    Some(code) => text += &code,
                    None => warn("no QR code: the server has no address on a network"),
                }
            }
            Banner { text, urls }
        }
        #[cfg(target_os = "wasi")]
        {
            if terminal && !options.plain {
                text += &colour::mark_urls(&warnings(options, scheme, addresses, granted));
            }
            Banner { text }
        }
    }

    /// Returns the first URL on a network without its path, if any is known.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn network_origin(&self, options: &Options) -> Option<&str> {
        network_url(&self.urls)?.strip_suffix(&*options.url_path())
    }

    /// Prints the banner, and opens the browser if the options say so.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn print(self, options: &Options) {
        if options.open {
            open_browser(&self.urls);
        }
        print_banner(self.text);
    }

    /// Prints the banner.
    #[cfg(target_os = "wasi")]
    pub(super) fn print(self) {
        print_banner(self.text);
    }
}

/// Returns Python's line for an address.
fn line(scheme: &str, address: &ListenAddr, path: &str) -> String {
    let name = scheme.to_uppercase();
    let line = match address {
        ListenAddr::Ip(address) => {
            let (ip, port) = (address.ip(), address.port());
            format!("Serving {name} on {ip} port {port} ({scheme}://{address}{path}) ...\n")
        }
        ListenAddr::Path(_) => format!("Serving {name} on {address} ...\n"),
    };
    if colour::is_enabled(&io::stdout()) {
        colour::banner(&line)
    } else {
        line
    }
}

/// Returns the URLs of all addresses, without duplicates.
#[cfg(not(target_os = "wasi"))]
fn all_urls(
    scheme: &str,
    addresses: &[ListenAddr],
    name: Option<&str>,
    path: &str,
) -> Vec<ServerUrl> {
    let local = urls::local_addrs();
    let mut all = Vec::new();
    for address in addresses {
        let ListenAddr::Ip(address) = address else {
            continue;
        };
        for mut url in urls::urls(scheme, *address, name, &local) {
            url.url += &path[1..];
            if !all.contains(&url) {
                all.push(url);
            }
        }
    }
    all
}

/// Returns the lines for a terminal: directory, URLs and warnings.
#[cfg(not(target_os = "wasi"))]
fn summary(
    options: &Options,
    scheme: &str,
    urls: &[ServerUrl],
    addresses: &[ListenAddr],
    granted: Granted,
) -> String {
    let (label, served) = match &options.file {
        None if options.is_zip => ("Archive:  ", options.directory.clone()),
        None => ("Directory:", options.directory.clone()),
        Some(name) => ("File:     ", options.directory.join(name)),
    };
    let served = path::absolute(&served).unwrap_or(served);
    let served = served.display().to_string();
    let mut text = format!("  {label} {}\n", served.replace(char::is_control, "?"));
    for ServerUrl { url, scope } in urls.iter().take(URLS_MAX) {
        let _ = match scope {
            Scope::Local => writeln!(text, "  Local:     {url}"),
            Scope::Network(name) => writeln!(text, "  Network:   {url}  ({name})"),
        };
    }
    text + &warnings(options, scheme, addresses, granted) + "  Ctrl-C stops it.\n"
}

/// Returns a line for each setting that is risky or surprising.
fn warnings(options: &Options, scheme: &str, addresses: &[ListenAddr], granted: Granted) -> String {
    let on_network = addresses.iter().any(|address| match address {
        ListenAddr::Ip(address) => !address.ip().is_loopback(),
        ListenAddr::Path(_) => false,
    });
    let mut lines = Vec::new();
    if on_network && granted.users.is_some() && scheme == "http" {
        lines.push(match cfg!(feature = "tls") {
            true => "Passwords are sent unencrypted; --tls self-signed encrypts them.".into(),
            false => "Passwords are sent unencrypted; a proxy with HTTPS encrypts them.".into(),
        });
    }
    if on_network && granted.everybody.contains(Right::Read) {
        lines.push(
            "Anyone who can reach this machine can read it; -b 127.0.0.1 prevents that.".into(),
        );
    }
    #[cfg(unix)]
    lines.extend(changes(options, granted));
    if options.file.is_some() {
        // Nothing else is served, hidden or not.
    } else if options.hidden {
        lines.push("Names that begin with a dot are served (--hidden).".into());
    } else {
        lines.push("Names that begin with a dot are hidden; --hidden shows them.".into());
    }
    if options.follow_symlinks {
        lines.push("Symbolic links out of the directory are followed (--follow-symlinks).".into());
    }
    if let Some(origin) = &options.cors {
        let whose = if origin == "*" { "any site" } else { origin };
        lines.push(format!("Pages of {whose} can read it (--cors)."));
    }
    #[cfg(not(target_os = "wasi"))]
    match &options.cgi_directories[..] {
        [] if options.cgi => lines.push("Scripts in /cgi-bin and /htbin are run (--cgi).".into()),
        [] => {}
        all => lines.push(format!(
            "Scripts in /{} are run (--cgi-dir).",
            all.join(", /")
        )),
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// Returns a line for each kind of change that clients may make.
#[cfg(unix)]
fn changes(options: &Options, granted: Granted) -> Vec<String> {
    let replace = if options.overwrite {
        " and replace others"
    } else {
        ""
    };
    let mut lines = Vec::new();
    if options.has_rights() && (options.upload || options.delete) {
        lines.push(who_may(options, granted));
    } else {
        if options.upload {
            lines.push(format!(
                "Anyone who can read it can also store files{replace} (--upload)."
            ));
        }
        if options.delete {
            lines.push("Anyone who can read it can also delete files (--delete).".into());
        }
    }
    lines
}

/// Returns a line about the rights of everybody and of users.
#[cfg(unix)]
fn who_may(options: &Options, granted: Granted) -> String {
    let words = |rights: Rights| {
        let words = [
            (Right::Read, true, "read"),
            (Right::Write, options.upload, "store files"),
            (Right::Delete, options.delete, "delete files"),
        ];
        let words = words
            .iter()
            .filter(|(right, is_offered, _)| *is_offered && rights.contains(*right));
        words
            .map(|(_, _, word)| *word)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let everybody = words(granted.everybody);
    let more = words(
        granted
            .users
            .unwrap_or(Rights::NONE)
            .without(granted.everybody),
    );
    match (&*everybody, &*more) {
        (everybody, "") => format!("Everybody may: {everybody}."),
        ("", more) => format!("With a password, some may: {more}."),
        (everybody, more) => {
            format!("Everybody may: {everybody}. With a password, some may: {more}.")
        }
    }
}

/// Returns the QR code of the first URL on a network, if any.
#[cfg(not(target_os = "wasi"))]
fn qr_code(urls: &[ServerUrl]) -> Option<String> {
    let url = network_url(urls)?;
    Some(format!("{}{url}\n", qr_code::for_terminal(url)?))
}

/// Returns the first URL on a network, if any.
#[cfg(not(target_os = "wasi"))]
fn network_url(urls: &[ServerUrl]) -> Option<&str> {
    let found = urls.iter().find(|found| found.scope != Scope::Local)?;
    Some(&found.url)
}

/// Opens the browser. A failure is only a warning.
#[cfg(not(target_os = "wasi"))]
fn open_browser(urls: &[ServerUrl]) {
    match urls.first() {
        Some(ServerUrl { url, .. }) => {
            if let Err(error) = open::that_detached(url) {
                warn(&format!("cannot open the browser at {url}: {error}"));
            }
        }
        None => warn("no browser is opened: the server has no IP address"),
    }
}

/// Warns of missing files and directories that the options name. This is not an error, since a site may be built after
/// the server has started.
pub(super) fn warn_about_missing(options: &Options, disk: &impl FileSystem) {
    let open = |name: &str| disk.open(&Path::from_bytes(name.into())?).ok();
    let is_file = |name: &str| matches!(open(name), Some(Opened::File { .. }));
    let warn_of = |option: &str, kind: &str, name: &str, until: &str| {
        let root = options.directory.display();
        warn(&format!(
            "warning: {option}: there is no {kind} {name} in {root}: check the name; \
             until the {kind} exists, {until}"
        ));
    };
    for (option, name) in [("--spa", &options.spa), ("--not-found", &options.not_found)] {
        if let Some(name) = name.as_deref().filter(|name| !is_file(name)) {
            warn_of(option, "file", name, "a plain 404 is sent");
        }
    }
    #[cfg(not(target_os = "wasi"))]
    {
        let is_missing = |name: &str| !matches!(open(name), Some(Opened::Directory));
        let given = options.cgi_directories.iter().map(String::as_str);
        for name in given.filter(|name| is_missing(name)) {
            warn_of("--cgi-dir", "directory", name, "no script in it is run");
        }
        let is_default = options.cgi && options.cgi_directories.is_empty();
        if is_default && ["cgi-bin", "htbin"].into_iter().all(is_missing) {
            warn_of("--cgi", "directory", "cgi-bin or htbin", "no script is run");
        }
    }
}

/// The most URLs to show.
#[cfg(not(target_os = "wasi"))]
const URLS_MAX: usize = 8;
