//! What is said when it serves. A pipe gets Python's lines and no more; a terminal also what is
//! served, how to get there, and what may do harm, but for `--plain`. Standard error gets a warning for each file that
//! the options name and that is missing.

#[cfg(not(target_os = "wasi"))]
use std::fmt::Write;
use std::io::{self, IsTerminal};
#[cfg(not(target_os = "wasi"))]
use std::path;

use sanserve_core::{FileSystem, Opened, Path};
use sanserve_server::ListenAddr;

#[cfg(not(target_os = "wasi"))]
use super::address::{self, From, Reach};
use super::colour;
use super::options::Options;
use super::output::{complain, say};

/// What is to be said as soon as the program serves. It is made before that, since to look for the addresses of this
/// machine takes a moment, and printed at once.
pub(super) struct Announcement {
    text: String,
    #[cfg(not(target_os = "wasi"))]
    reached: Vec<Reach>,
}

impl Announcement {
    /// That it serves, and how to know a certificate that was made for this run.
    pub(super) fn new(
        options: &Options,
        scheme: &str,
        places: &[ListenAddr],
        certificate: Option<&str>,
    ) -> Announcement {
        let mut text: String = places.iter().map(|place| banner(scheme, place)).collect();
        if let Some(sha256) = certificate {
            text += &format!("Certificate: self-signed, SHA-256 {sha256}\n");
        }
        let terminal = io::stdout().is_terminal();
        #[cfg(not(target_os = "wasi"))]
        {
            let reached = if terminal || options.open || options.qr {
                reached(scheme, places)
            } else {
                Vec::new()
            };
            if terminal && !options.plain {
                text += &colour::marked(&summary(options, scheme, &reached, places));
            }
            if options.qr {
                match code(&reached) {
                    Some(code) => text += &code,
                    None => complain("no QR code: the server has no address on a network"),
                }
            }
            Announcement { text, reached }
        }
        #[cfg(target_os = "wasi")]
        {
            if terminal && !options.plain {
                text += &colour::marked(&harm(options, scheme, places));
            }
            Announcement { text }
        }
    }

    /// Opens the browser, if that is wanted, and says it.
    #[cfg(not(target_os = "wasi"))]
    pub(super) fn say(self, options: &Options) {
        if options.open {
            open_browser(&self.reached);
        }
        say(self.text);
    }

    /// Says it.
    #[cfg(target_os = "wasi")]
    pub(super) fn say(self) {
        say(self.text);
    }
}

/// The line for an address is Python's.
fn banner(scheme: &str, place: &ListenAddr) -> String {
    let name = scheme.to_uppercase();
    let banner = match place {
        ListenAddr::Ip(address) => {
            let (ip, port) = (address.ip(), address.port());
            format!("Serving {name} on {ip} port {port} ({scheme}://{address}/) ...\n")
        }
        ListenAddr::Path(_) => format!("Serving {name} on {place} ...\n"),
    };
    if colour::wanted(&io::stdout()) {
        colour::banner(&banner)
    } else {
        banner
    }
}

/// How to get to all of these places, each way once.
#[cfg(not(target_os = "wasi"))]
fn reached(scheme: &str, places: &[ListenAddr]) -> Vec<Reach> {
    let own = address::own();
    let mut all = Vec::new();
    for place in places {
        let ListenAddr::Ip(address) = place else {
            continue;
        };
        for one in address::reach(scheme, *address, &own) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// What is served, how to get there, and what may do harm.
#[cfg(not(target_os = "wasi"))]
fn summary(options: &Options, scheme: &str, reached: &[Reach], places: &[ListenAddr]) -> String {
    let directory = path::absolute(&options.directory);
    let directory = directory.as_ref().unwrap_or(&options.directory);
    let directory = directory.display().to_string();
    let mut text = format!(
        "  Directory: {}\n",
        directory.replace(char::is_control, "?")
    );
    for Reach { url, from } in reached.iter().take(MANY) {
        let _ = match from {
            From::Here => writeln!(text, "  Local:     {url}"),
            From::Network(name) => writeln!(text, "  Network:   {url}  ({name})"),
        };
    }
    text + &harm(options, scheme, places)
}

/// What may do harm, or astonish.
fn harm(options: &Options, scheme: &str, places: &[ListenAddr]) -> String {
    let open = places.iter().any(|place| match place {
        ListenAddr::Ip(address) => !address.ip().is_loopback(),
        ListenAddr::Path(_) => false,
    });
    let mut lines = Vec::new();
    let guarded = options.is_guarded();
    if open && guarded && scheme == "http" {
        lines.push("Passwords are sent unencrypted; --tls self-signed encrypts them.".into());
    } else if open && !guarded {
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

/// The code of an address on a network, if there is one.
#[cfg(not(target_os = "wasi"))]
fn code(reached: &[Reach]) -> Option<String> {
    let one = reached.iter().find(|one| one.from != From::Here)?;
    let code = qrcode::QrCode::new(&one.url).ok()?;
    Some(format!("{}{}\n", picture(&code), one.url))
}

/// Opens the browser. It serves, whatever comes of that.
#[cfg(not(target_os = "wasi"))]
fn open_browser(reached: &[Reach]) {
    match reached.first() {
        Some(one) => {
            if let Err(error) = open::that_detached(&one.url) {
                complain(&format!("cannot open the browser at {}: {error}", one.url));
            }
        }
        None => complain("no browser is opened: the server has no IP address"),
    }
}

/// The code in characters, two dots in each. What is light there has to be light here: where there
/// are no colours, the terminal is taken for a dark one, as most are.
#[cfg(not(target_os = "wasi"))]
fn picture(code: &qrcode::QrCode) -> String {
    use qrcode::render::unicode::Dense1x2::{Dark, Light};
    let (light, dark) = (Dark, Light);
    let picture = code.render().light_color(light).dark_color(dark).build();
    let coloured = colour::wanted(&io::stdout());
    let lines = picture.lines().map(|line| match coloured {
        true => format!("{}\n", colour::white_on_black(line)),
        false => format!("{line}\n"),
    });
    lines.collect()
}

/// Warns of the files and directories below the root that the options name and that are missing. They may follow, as
/// where a site is built after the server was started, so this is not an error.
pub(super) fn warn_about_missing(options: &Options, disk: &impl FileSystem) {
    let open = |name: &str| disk.open(&Path::from_bytes(name.into())?).ok();
    let is_file = |name: &str| matches!(open(name), Some(Opened::File { .. }));
    let warn = |option: &str, kind: &str, name: &str, until: &str| {
        let root = options.directory.display();
        complain(&format!(
            "warning: {option}: there is no {kind} {name} in {root}: check the name; \
             until the {kind} exists, {until}"
        ));
    };
    for (option, name) in [("--spa", &options.spa), ("--not-found", &options.not_found)] {
        if let Some(name) = name.as_deref().filter(|name| !is_file(name)) {
            warn(option, "file", name, "a plain 404 is sent");
        }
    }
    #[cfg(not(target_os = "wasi"))]
    {
        let is_missing = |name: &str| !matches!(open(name), Some(Opened::Directory));
        let given = options.cgi_directories.iter().map(String::as_str);
        for name in given.filter(|name| is_missing(name)) {
            warn("--cgi-dir", "directory", name, "no script in it is run");
        }
        let is_default = options.cgi && options.cgi_directories.is_empty();
        if is_default && ["cgi-bin", "htbin"].into_iter().all(is_missing) {
            warn("--cgi", "directory", "cgi-bin or htbin", "no script is run");
        }
    }
}

/// As many addresses as are shown.
#[cfg(not(target_os = "wasi"))]
const MANY: usize = 8;
