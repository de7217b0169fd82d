//! Where the program listens, and what to do if it cannot.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

#[cfg(unix)]
use sanserve::Listener;
use sanserve::Place;
#[cfg(target_os = "wasi")]
use sanserve::wasi::Listener;

use super::options::Options;
#[cfg(unix)]
use super::options::Runtime;
#[cfg(not(target_os = "wasi"))]
use super::server::Server;
use super::words;

/// Listens wherever the options say, and by what was handed over.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn listen(options: &Options) -> Result<Server, String> {
    #[cfg(unix)]
    if options.runtime() == Runtime::Mio {
        return Ok(Server::mio(doors(options)?));
    }
    let host = match &options.bind[..] {
        [] => &options.host,
        [host] if !host.starts_with(PATH) => host,
        _ => return Err("several addresses, and paths, need --runtime mio".into()),
    };
    let address = resolve(host, options.port)?;
    Server::bind(options.runtime(), address)
        .map_err(|error| refusal(&Place::Address(address), &error))
}

/// All sockets by which connections come.
#[cfg(unix)]
fn doors(options: &Options) -> Result<Vec<Listener>, String> {
    let inherited = Listener::inherited();
    let mut doors = inherited.map_err(|error| format!("LISTEN_FDS: {error}"))?;
    let everywhere = [options.host.clone()];
    let hosts = match &options.bind[..] {
        [] if doors.is_empty() => &everywhere[..],
        hosts => hosts,
    };
    for host in hosts {
        let (place, door) = match host.strip_prefix(PATH) {
            Some(path) => (Place::Path(path.into()), Listener::unix(path)),
            None => {
                let address = resolve(host, options.port)?;
                (Place::Address(address), Listener::bind(address))
            }
        };
        doors.push(door.map_err(|error| refusal(&place, &error))?);
    }
    Ok(doors)
}

/// All sockets by which connections come.
#[cfg(target_os = "wasi")]
pub(crate) fn doors(options: &Options) -> Result<Vec<Listener>, String> {
    let everywhere = [options.host.clone()];
    let hosts = match &options.bind[..] {
        [] => &everywhere[..],
        hosts => hosts,
    };
    let doors = hosts.iter().map(|host| {
        if host.starts_with(PATH) {
            return Err("WASI has no sockets in a file system".into());
        }
        let address = resolve(host, options.port)?;
        Listener::bind(address).map_err(|error| refusal(&Place::Address(address), &error))
    });
    doors.collect()
}

/// The first address that the host means.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    let unknown = |why: &dyn Display| match words::address(host) {
        Some((bare, port)) if !port.is_empty() => {
            format!("--bind {host} has a port in it: say --bind {bare}{port}")
        }
        _ => format!(
            "unknown address {host:?} ({why}): give an address of this machine with --bind, \
             such as 127.0.0.1, or 0.0.0.0 for all"
        ),
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let mut found = (bare.unwrap_or(host), port)
        .to_socket_addrs()
        .map_err(|error| unknown(&error))?;
    found.next().ok_or_else(|| unknown(&"nothing found"))
}

/// Why it cannot listen there, and what to do about it.
fn refusal(place: &Place, error: &io::Error) -> String {
    let (ip, port) = match place {
        Place::Address(address) => (address.ip(), address.port()),
        Place::Path(path) => {
            let path = path.display();
            return match error.kind() {
                ErrorKind::AddrInUse => format!("{path} is there already: choose another path"),
                _ => format!("cannot listen at {path}: {error}"),
            };
        }
    };
    match error.kind() {
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
    }
}

/// A port nearby that nobody has at this moment.
fn next_free(ip: IpAddr, port: u16) -> Option<u16> {
    let mut near = (1..=20).filter_map(|more| port.checked_add(more));
    near.find(|port| TcpListener::bind((ip, *port)).is_ok())
}

/// What a path is marked by.
const PATH: &str = "unix:";
