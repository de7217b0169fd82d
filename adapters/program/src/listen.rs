//! Where the program listens, and what to do if it cannot.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

#[cfg(unix)]
use sanserve_server::Listener;
use sanserve_server::Place;
#[cfg(target_os = "wasi")]
use sanserve_server::wasi::Listener;

use super::failure::Failure;
use super::options::Options;
#[cfg(unix)]
use super::options::Runtime;
use super::positional;
#[cfg(not(target_os = "wasi"))]
use super::server::Server;

/// Listens wherever the options say, and by what was handed over.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn listen(options: &Options) -> Result<Server, Failure> {
    #[cfg(unix)]
    if options.runtime() == Runtime::Mio {
        return Ok(Server::mio(doors(options)?));
    }
    let host = match &options.bind[..] {
        [] => &options.host,
        [host] if !host.starts_with(PATH) => host,
        _ => {
            let line = "several addresses, and paths, need --runtime mio: add it";
            return Err(Failure::Usage(line.into()));
        }
    };
    let address = resolve(host, options.port)?;
    Server::bind(options.runtime(), address)
        .map_err(|error| refusal(&Place::Address(address), &error))
}

/// All sockets by which connections come.
#[cfg(unix)]
fn doors(options: &Options) -> Result<Vec<Listener>, Failure> {
    let inherited = Listener::inherited();
    let mut doors = inherited.map_err(|error| Failure::Usage(format!("LISTEN_FDS: {error}")))?;
    for place in places(options, !doors.is_empty())? {
        let door = match &place {
            Place::Address(address) => Listener::bind(address),
            Place::Path(path) => Listener::unix(path),
        };
        doors.push(door.map_err(|error| refusal(&place, &error))?);
    }
    Ok(doors)
}

/// All sockets by which connections come.
#[cfg(target_os = "wasi")]
pub(crate) fn doors(options: &Options) -> Result<Vec<Listener>, Failure> {
    let doors = places(options, false)?
        .into_iter()
        .map(|place| match place {
            Place::Address(address) => {
                Listener::bind(address).map_err(|error| refusal(&place, &error))
            }
            Place::Path(_) => {
                let line = "WASI has no sockets in a file system: give an address with --bind";
                Err(Failure::Usage(line.into()))
            }
        });
    doors.collect()
}

/// Where to listen. Every place is looked at before anything is bound.
#[cfg(any(unix, target_os = "wasi"))]
fn places(options: &Options, has_inherited: bool) -> Result<Vec<Place>, Failure> {
    let everywhere = [options.host.clone()];
    let hosts = match &options.bind[..] {
        [] if !has_inherited => &everywhere[..],
        hosts => hosts,
    };
    let places = hosts.iter().map(|host| match host.strip_prefix(PATH) {
        Some("") => {
            let line =
                "'--bind unix:' has no path: name the socket, such as unix:/run/sanserve.sock";
            Err(Failure::Usage(line.into()))
        }
        Some(path) => Ok(Place::Path(path.into())),
        None => resolve(host, options.port).map(Place::Address),
    });
    places.collect()
}

/// The first address that the host means.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let bare = bare.unwrap_or(host);
    if !could_be_host(bare) {
        return Err(Failure::Usage(match positional::address(host) {
            Some((bare, port)) if !port.is_empty() => {
                format!("'--bind {host}' has a port in it: use --bind {bare}{port}")
            }
            _ => format!("'{host}' is not an address or a name of a host: {USE_BIND}"),
        }));
    }
    let unknown = |why: &dyn Display| {
        Failure::Service(format!("unknown address '{host}' ({why}): {USE_BIND}"))
    };
    let mut found = (bare, port)
        .to_socket_addrs()
        .map_err(|error| unknown(&error))?;
    found.next().ok_or_else(|| unknown(&"nothing found"))
}

/// Whether this is an IP address, or a text that a resolver may know. Numbers with dots between them are an address or
/// nothing.
fn could_be_host(text: &str) -> bool {
    let zone = text.split_once('%').map_or(text, |(address, _)| address);
    if zone.parse::<IpAddr>().is_ok() {
        return true;
    }
    let is_name = |char: char| char.is_alphanumeric() || "-._".contains(char);
    let is_number = |char: char| char.is_ascii_digit() || char == '.';
    !text.is_empty() && text.chars().all(is_name) && !text.chars().all(is_number)
}

/// Why it cannot listen there, and what to do about it.
fn refusal(place: &Place, error: &io::Error) -> Failure {
    let (ip, port) = match place {
        Place::Address(address) => (address.ip(), address.port()),
        Place::Path(path) => return path_refusal(&path.display(), error),
    };
    Failure::Service(match error.kind() {
        ErrorKind::AddrInUse => {
            let free = match next_free(ip, port) {
                Some(free) => format!("{free}, or "),
                None => String::new(),
            };
            format!("port {port} at {ip} is in use: try --port {free}0 for any that is free")
        }
        ErrorKind::PermissionDenied if cfg!(target_os = "wasi") => {
            format!("nobody may listen at {place}: wasmtime run -S inherit-network,tcp allows it")
        }
        ErrorKind::PermissionDenied => {
            format!("no permission for port {port} at {ip}: choose one above 1023")
        }
        ErrorKind::AddrNotAvailable => {
            format!("{ip} is not an address of this machine: give one that is with --bind")
        }
        _ => format!("cannot listen at {place}: {error}"),
    })
}

/// The same for a path in the file system.
fn path_refusal(path: &dyn Display, error: &io::Error) -> Failure {
    match error.kind() {
        // A path that is too long for a socket, or that has a NUL in it.
        ErrorKind::InvalidInput => Failure::Usage(format!(
            "'--bind unix:{path}' is not possible: {error}: choose another path"
        )),
        ErrorKind::AddrInUse => {
            Failure::Service(format!("{path} is there already: choose another path"))
        }
        _ => Failure::Service(format!("cannot listen at {path}: {error}")),
    }
}

/// A port nearby that nobody has at this moment.
fn next_free(ip: IpAddr, port: u16) -> Option<u16> {
    let mut near = (1..=20).filter_map(|more| port.checked_add(more));
    near.find(|port| TcpListener::bind((ip, *port)).is_ok())
}

/// What a path is marked by.
const PATH: &str = "unix:";

const USE_BIND: &str =
    "give an address of this machine with --bind, such as 127.0.0.1, or 0.0.0.0 for all";
