//! Determines the directory and the port, from the positional arguments, the options for the same, and the environment;
//! and the address to listen on without `--bind`, from the environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::value_parsers;

/// The meaning of a positional argument.
enum Positional {
    Port(u16),
    Directory(PathBuf),
    File(PathBuf),
    #[cfg(not(target_os = "wasi"))]
    Zip(PathBuf),
}

/// Sets `port`, `directory` and `host` of the options. `on_command_line` says whether an option is on the command line,
/// which wins over the environment.
pub(super) fn resolve(
    options: &mut Options,
    on_command_line: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let (mut ports, mut directories, mut file) = (Vec::new(), Vec::new(), None);
    let arguments = [options.first.take(), options.second.take()];
    for argument in arguments.into_iter().flatten() {
        match meaning(&argument)? {
            Positional::Port(port) => ports.push(port),
            Positional::Directory(path) => directories.push(path),
            Positional::File(path) => {
                file = Some(split(&path)?);
                directories.push(path);
            }
            #[cfg(not(target_os = "wasi"))]
            Positional::Zip(path) => {
                options.is_zip = true;
                directories.push(path);
            }
        }
    }
    ports.extend(options.port_option.filter(|_| on_command_line("port")));
    let directory = options.directory_option.as_ref();
    directories.extend(directory.filter(|_| on_command_line("directory")).cloned());
    if let [first, second, ..] = ports[..] {
        return Err(format!(
            "only one port may be given (got {first} and {second})"
        ));
    }
    if let [first, second, ..] = &directories[..] {
        let (first, second) = (first.display(), second.display());
        return Err(format!(
            "only one directory or file may be given (got {first} and {second})"
        ));
    }
    options.port = match ports.first().copied().or(options.port_option) {
        Some(port) => port,
        None => port_from_environment()?.unwrap_or(DEFAULT_PORT),
    };
    options.directory = match (file, directories.pop()) {
        (Some((directory, name)), _) => {
            options.file = Some(name);
            directory
        }
        (None, Some(directory)) => directory,
        (None, None) => directory_from_environment(options)?.unwrap_or_else(|| ".".into()),
    };
    options.host = host_from_environment().unwrap_or_else(|| DEFAULT_HOST.into());
    Ok(())
}

/// A number is a port, anything else a directory or a file. A number that is also an existing file is an error.
fn meaning(argument: &OsStr) -> Result<Positional, String> {
    let (path, name) = (Path::new(argument), argument.display());
    let is_number =
        !argument.is_empty() && argument.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    if is_number && path.exists() {
        return Err(format!(
            "'{name}' is ambiguous: use --port {name} or ./{name}"
        ));
    }
    if is_number {
        let port = value_parsers::port(&argument.to_string_lossy()).map(Positional::Port);
        return port.map_err(|why| format!("'{name}' is not a port: {why}"));
    }
    if path.is_dir() {
        return Ok(Positional::Directory(path.into()));
    }
    #[cfg(not(target_os = "wasi"))]
    if path.is_file()
        && path
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("zip"))
    {
        return Ok(Positional::Zip(path.into()));
    }
    if path.is_file() {
        return Ok(Positional::File(path.into()));
    }
    Err(if path.exists() {
        format!("'{name}' is neither a directory nor a regular file: give another one")
    } else if argument.is_empty() {
        "an empty argument is neither a port, a directory nor a file: leave it out".into()
    } else if let Some((host, port)) = address(&argument.to_string_lossy()) {
        format!(
            "there is no directory or file '{name}': to listen on this address, use --bind {host}{port}"
        )
    } else {
        format!("'{name}' is neither a directory, a file nor a port from 0 to 65535")
    })
}

/// Splits the path of a file into its directory and its name.
fn split(path: &Path) -> Result<(PathBuf, OsString), String> {
    let name = path.file_name().map(OsStr::to_owned);
    let is_served = |name: &OsString| sanserve_core::Path::is_name(name.as_encoded_bytes());
    let Some(name) = name.filter(is_served) else {
        let path = path.display();
        return Err(format!(
            "'{path}' has a name that cannot be served: rename it"
        ));
    };
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    Ok((directory.unwrap_or(Path::new(".")).into(), name))
}

/// Splits an IP address or `localhost`, with or without a port: returns the host, and the port as an option.
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

/// The variable PORT, which many hosting services set.
fn port_from_environment() -> Result<Option<u16>, String> {
    let Some(text) = non_empty("PORT") else {
        return Ok(None);
    };
    let port = value_parsers::port(&text.to_string_lossy());
    port.map(Some)
        .map_err(|why| format!("PORT in the environment is '{}': {why}", text.display()))
}

/// The directory of `SANSERVE_DIRECTORY`, if the command line has none.
fn directory_from_environment(options: &mut Options) -> Result<Option<PathBuf>, String> {
    let directory = options.directory_option.take();
    if let Some(path) = directory.as_ref().filter(|path| !path.is_dir()) {
        let name = path.display();
        return Err(format!(
            "SANSERVE_DIRECTORY in the environment is '{name}', which is not a directory: give one that exists"
        ));
    }
    Ok(directory)
}

/// The variable HOST, if it is an address: some shells and tools set it to the name or type of the machine.
fn host_from_environment() -> Option<String> {
    let host = non_empty("HOST")?.into_string().ok()?;
    (host == "localhost" || host.parse::<IpAddr>().is_ok()).then_some(host)
}

fn non_empty(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Python's default.
const DEFAULT_PORT: u16 = 8000;

/// All IPv4 addresses of this machine.
const DEFAULT_HOST: &str = "0.0.0.0";
