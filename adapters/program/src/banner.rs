//! [`Banner`]: composes and prints the first output of the command, and opens the browser. A pipe gets only Python's
//! lines. A terminal also gets the directory, the URLs and warnings of risks, unless `--plain` is set. Also warns, on
//! standard error, of missing files that the options name.

#[cfg(not(target_os = "wasi"))]
use std::fmt::Write;
use std::io::{self, IsTerminal};
#[cfg(not(target_os = "wasi"))]
use std::path;

use sanserve_core::{FileSystem, Opened, Path};
use sanserve_server::ListenAddr;

use super::colour;
use super::options::Options;
use super::output::{print_banner, warn};
#[cfg(not(target_os = "wasi"))]
use super::urls::{self, Scope, ServerUrl};

/// The banner. It is composed before the server starts, since listing the addresses of this machine takes a moment, and
/// printed when it serves.
pub(super) struct Banner {
    text: String,
    #[cfg(not(target_os = "wasi"))]
    urls: Vec<ServerUrl>,
}

impl Banner {
    /// Composes the banner. `certificate` is the fingerprint of a certificate that was created for this run.
    pub(super) fn new(
        options: &Options,
        scheme: &str,
        addresses: &[ListenAddr],
        certificate: Option<&str>,
    ) -> Banner {
        let lines = addresses.iter().map(|address| line(scheme, address));
        let mut text: String = lines.collect();
        if let Some(sha256) = certificate {
            text += &format!("Certificate: self-signed, SHA-256 {sha256}\n");
        }
        let terminal = io::stdout().is_terminal();
        #[cfg(not(target_os = "wasi"))]
        {
            let urls = if terminal || options.open || options.qr {
                all_urls(scheme, addresses)
            } else {
                Vec::new()
            };
            if terminal && !options.plain {
                text += &colour::mark_urls(&summary(options, scheme, &urls, addresses));
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
                text += &colour::mark_urls(&warnings(options, scheme, addresses));
            }
            Banner { text }
        }
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
fn line(scheme: &str, address: &ListenAddr) -> String {
    let name = scheme.to_uppercase();
    let line = match address {
        ListenAddr::Ip(address) => {
            let (ip, port) = (address.ip(), address.port());
            format!("Serving {name} on {ip} port {port} ({scheme}://{address}/) ...\n")
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
fn all_urls(scheme: &str, addresses: &[ListenAddr]) -> Vec<ServerUrl> {
    let local = urls::local_addrs();
    let mut all = Vec::new();
    for address in addresses {
        let ListenAddr::Ip(address) = address else {
            continue;
        };
        for url in urls::urls(scheme, *address, &local) {
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
) -> String {
    let directory = path::absolute(&options.directory);
    let directory = directory.as_ref().unwrap_or(&options.directory);
    let directory = directory.display().to_string();
    let mut text = format!(
        "  Directory: {}\n",
        directory.replace(char::is_control, "?")
    );
    for ServerUrl { url, scope } in urls.iter().take(URLS_MAX) {
        let _ = match scope {
            Scope::Local => writeln!(text, "  Local:     {url}"),
            Scope::Network(name) => writeln!(text, "  Network:   {url}  ({name})"),
        };
    }
    text + &warnings(options, scheme, addresses)
}

/// Returns a line for each setting that is risky or surprising.
fn warnings(options: &Options, scheme: &str, addresses: &[ListenAddr]) -> String {
    let on_network = addresses.iter().any(|address| match address {
        ListenAddr::Ip(address) => !address.ip().is_loopback(),
        ListenAddr::Path(_) => false,
    });
    let mut lines = Vec::new();
    let has_password = options.requires_password();
    if on_network && has_password && scheme == "http" {
        lines.push("Passwords are sent unencrypted; --tls self-signed encrypts them.".into());
    } else if on_network && !has_password {
        lines.push(
            "Anyone who can reach this machine can read it; -b 127.0.0.1 prevents that.".into(),
        );
    }
    #[cfg(unix)]
    if options.upload {
        let replace = if options.overwrite {
            " and replace others"
        } else {
            ""
        };
        lines.push(format!(
            "Anyone who can read it can also store files{replace} (--upload)."
        ));
    }
    if options.hidden {
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

/// Returns the QR code of the first URL on a network, if any.
#[cfg(not(target_os = "wasi"))]
fn qr_code(urls: &[ServerUrl]) -> Option<String> {
    let found = urls.iter().find(|found| found.scope != Scope::Local)?;
    let code = qrcode::QrCode::new(&found.url).ok()?;
    Some(format!("{}{}\n", render(&code), found.url))
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

/// Renders a QR code with two modules per character. Light modules must look light: without colours, the terminal is
/// assumed to be dark, as most are.
#[cfg(not(target_os = "wasi"))]
fn render(code: &qrcode::QrCode) -> String {
    use qrcode::render::unicode::Dense1x2::{Dark, Light};
    let (light, dark) = (Dark, Light);
    let rendered = code.render().light_color(light).dark_color(dark).build();
    let coloured = colour::is_enabled(&io::stdout());
    let lines = rendered.lines().map(|line| match coloured {
        true => format!("{}\n", colour::white_on_black(line)),
        false => format!("{line}\n"),
    });
    lines.collect()
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
