//! What to serve and where to listen: the words of the command line that are no options, the
//! options that say the same, and the environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::value_parsers;

/// What a word means.
enum Word {
    Port(u16),
    Directory(PathBuf),
}

/// Settles what is served, at which port and address. `told` says whether an option stands on the
/// command line, which wins over the environment.
pub(super) fn settle(options: &mut Options, told: impl Fn(&str) -> bool) -> Result<(), String> {
    let (mut ports, mut directories) = (Vec::new(), Vec::new());
    let words = [options.first.take(), options.second.take()];
    for word in words.into_iter().flatten() {
        match meaning(&word)? {
            Word::Port(port) => ports.push(port),
            Word::Directory(path) => directories.push(path),
        }
    }
    ports.extend(options.port_option.filter(|_| told("port")));
    let directory = options.directory_option.as_ref();
    directories.extend(directory.filter(|_| told("directory")).cloned());
    if let [one, other, ..] = ports[..] {
        return Err(format!(
            "only one port may be given (got {one} and {other})"
        ));
    }
    if let [one, other, ..] = &directories[..] {
        let (one, other) = (one.display(), other.display());
        return Err(format!(
            "only one directory may be given (got {one} and {other})"
        ));
    }
    options.port = match ports.first().copied().or(options.port_option) {
        Some(port) => port,
        None => port_of_environment()?.unwrap_or(PORT),
    };
    options.directory = match directories.pop() {
        Some(directory) => directory,
        None => directory_of_environment(options)?.unwrap_or_else(|| ".".into()),
    };
    options.host = host_of_environment().unwrap_or_else(|| EVERYWHERE.into());
    Ok(())
}

/// Digits are a port and all else is a directory. Where both could be meant, nothing is served.
fn meaning(word: &OsStr) -> Result<Word, String> {
    let (path, name) = (Path::new(word), word.display());
    let is_number = !word.is_empty() && word.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    if is_number && path.exists() {
        return Err(format!(
            "'{name}' is ambiguous: use --port {name} or ./{name}"
        ));
    }
    if is_number {
        let port = value_parsers::port(&word.to_string_lossy()).map(Word::Port);
        return port.map_err(|why| format!("'{name}' is not a port: {why}"));
    }
    if path.is_dir() {
        return Ok(Word::Directory(path.into()));
    }
    Err(if path.exists() {
        format!("'{name}' is not a directory: give the directory that contains it")
    } else if word.is_empty() {
        "an empty argument is neither a port nor a directory: leave it out".into()
    } else if let Some((host, port)) = address(&word.to_string_lossy()) {
        format!(
            "there is no directory '{name}': to listen on this address, use --bind {host}{port}"
        )
    } else {
        format!("'{name}' is neither a directory nor a port from 0 to 65535")
    })
}

/// Whether this is an address, or `localhost`, and perhaps a port behind it: both, as options.
pub(super) fn address(text: &str) -> Option<(&str, String)> {
    let is_host = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok();
    if is_host(text) {
        return Some((text, String::new()));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = value_parsers::port(port).ok()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    is_host(bare).then(|| (bare, format!(" --port {port}")))
}

/// What many who start servers say.
fn port_of_environment() -> Result<Option<u16>, String> {
    let Some(text) = set("PORT") else {
        return Ok(None);
    };
    let port = value_parsers::port(&text.to_string_lossy());
    port.map(Some)
        .map_err(|why| format!("PORT in the environment is '{}': {why}", text.display()))
}

/// The directory of `SANSERVE_DIRECTORY`: the command line has none.
fn directory_of_environment(options: &mut Options) -> Result<Option<PathBuf>, String> {
    let directory = options.directory_option.take();
    if let Some(path) = directory.as_ref().filter(|path| !path.is_dir()) {
        let name = path.display();
        return Err(format!(
            "SANSERVE_DIRECTORY in the environment is '{name}', which is not a directory: give one that exists"
        ));
    }
    Ok(directory)
}

/// Some shells and tools have another HOST, the name of the machine or of its kind.
fn host_of_environment() -> Option<String> {
    let host = set("HOST")?.into_string().ok()?;
    (host == "localhost" || host.parse::<IpAddr>().is_ok()).then_some(host)
}

fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Python's.
const PORT: u16 = 8000;

/// All addresses of this machine, of IPv4.
const EVERYWHERE: &str = "0.0.0.0";
