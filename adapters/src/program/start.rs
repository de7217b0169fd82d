//! What is said when it serves. A pipe gets Python's lines and no more; a terminal also what is
//! served, how to get there, and what may do harm, but for `--plain`.

#[cfg(not(target_os = "wasi"))]
use std::fmt::Write;
use std::io::{self, IsTerminal};
#[cfg(not(target_os = "wasi"))]
use std::path;

use sanserve::Place;

#[cfg(not(target_os = "wasi"))]
use super::address::{self, From, Reach};
use super::options::Options;
use super::{colour, say};

/// Says that it serves, and how to know a certificate that was made for this run.
pub(super) fn announce(
    options: &Options,
    scheme: &str,
    places: &[Place],
    certificate: Option<&str>,
) {
    for place in places {
        banner(scheme, place);
    }
    if let Some(sha256) = certificate {
        say(format!("Certificate: signed by itself, SHA-256 {sha256}\n"));
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
            say(colour::marked(&summary(options, scheme, &reached, places)));
        }
        show(options, &reached);
    }
    #[cfg(target_os = "wasi")]
    if terminal && !options.plain {
        say(colour::marked(&harm(options, scheme, places)));
    }
}

/// The line for an address is Python's.
fn banner(scheme: &str, place: &Place) {
    let name = scheme.to_uppercase();
    let banner = match place {
        Place::Address(address) => {
            let (ip, port) = (address.ip(), address.port());
            format!("Serving {name} on {ip} port {port} ({scheme}://{address}/) ...\n")
        }
        Place::Path(_) => format!("Serving {name} on {place} ...\n"),
    };
    if colour::wanted(&io::stdout()) {
        say(colour::banner(&banner));
    } else {
        say(banner);
    }
}

/// How to get to all of these places, each way once.
#[cfg(not(target_os = "wasi"))]
fn reached(scheme: &str, places: &[Place]) -> Vec<Reach> {
    let own = address::own();
    let mut all = Vec::new();
    for place in places {
        let Place::Address(address) = place else {
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
fn summary(options: &Options, scheme: &str, reached: &[Reach], places: &[Place]) -> String {
    let directory = path::absolute(&options.directory);
    let directory = directory.as_ref().unwrap_or(&options.directory);
    let directory = directory.display().to_string();
    let mut text = format!(
        "  Directory: {}\n",
        directory.replace(char::is_control, "?")
    );
    for Reach { url, from } in reached.iter().take(MANY) {
        let _ = match from {
            From::Here => writeln!(text, "  Here:      {url}"),
            From::Network(name) => writeln!(text, "  Network:   {url}  ({name})"),
        };
    }
    text + &harm(options, scheme, places)
}

/// What may do harm, or astonish.
fn harm(options: &Options, scheme: &str, places: &[Place]) -> String {
    let open = places.iter().any(|place| match place {
        Place::Address(address) => !address.ip().is_loopback(),
        Place::Path(_) => false,
    });
    let mut lines = Vec::new();
    let guarded = options.is_guarded();
    if open && guarded && scheme == "http" {
        lines.push("Passwords travel in the clear; --tls self-signed hides them.".into());
    } else if open && !guarded {
        lines.push("Whoever reaches this machine can read it; -b 127.0.0.1 keeps it here.".into());
    }
    #[cfg(unix)]
    if options.upload {
        let over = if options.overwrite {
            ", over others too"
        } else {
            ""
        };
        lines.push(format!(
            "Whoever can read it can store files in it{over} (--upload)."
        ));
    }
    if options.hidden {
        lines.push("Names that begin with a dot are served, too (--hidden).".into());
    } else {
        lines.push("Names that begin with a dot are hidden; --hidden shows them.".into());
    }
    if options.follow_symlinks {
        lines.push("Links are followed out of the directory (--follow-symlinks).".into());
    }
    if let Some(origin) = &options.cors {
        let whose = if origin == "*" { "any site" } else { origin };
        lines.push(format!("Pages of {whose} may read it (--cors)."));
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

/// Opens the browser and shows the code, if that is wanted. It serves, whatever comes of that.
#[cfg(not(target_os = "wasi"))]
fn show(options: &Options, reached: &[Reach]) {
    if options.qr {
        let far = reached.iter().find(|one| one.from != From::Here);
        match far.and_then(|one| Some((one, qrcode::QrCode::new(&one.url).ok()?))) {
            Some((one, code)) => say(format!("{}{}\n", picture(&code), one.url)),
            None => complain("no code is shown: it serves no address on a network"),
        }
    }
    if options.open {
        match reached.first() {
            Some(one) => {
                if let Err(error) = open::that_detached(&one.url) {
                    complain(&format!("cannot open the browser at {}: {error}", one.url));
                }
            }
            None => complain("no browser is opened: it serves no address"),
        }
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

#[cfg(not(target_os = "wasi"))]
fn complain(what: &str) {
    use io::Write;
    let _ = writeln!(io::stderr(), "sanserve: {what}");
}

/// As many addresses as are shown.
#[cfg(not(target_os = "wasi"))]
const MANY: usize = 8;
