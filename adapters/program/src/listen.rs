//! Where the program listens, and what to do if it cannot.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

#[cfg(unix)]
use sanserve_server::Listener;
#[cfg(target_os = "wasi")]
use sanserve_server::wasi_sockets::Listener;
use sanserve_server::{BindError, ListenAddr};

use super::failure::{Failure, in_full};
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
            let line = "only --runtime mio can listen on several addresses or a path: add it";
            return Err(Failure::Usage(line.into()));
        }
    };
    let address = resolve(host, options.port)?;
    Server::bind(options.runtime(), address)
}

/// All sockets by which connections come.
#[cfg(unix)]
fn doors(options: &Options) -> Result<Vec<Listener>, Failure> {
    let inherited = Listener::inherited();
    let mut doors = inherited.map_err(|error| Failure::Usage(in_full(&error)))?;
    for place in places(options, !doors.is_empty())? {
        let door = match &place {
            ListenAddr::Ip(address) => Listener::bind(address),
            ListenAddr::Path(path) => Listener::unix(path),
        };
        doors.push(door.map_err(|error| refusal(&error))?);
    }
    Ok(doors)
}

/// All sockets by which connections come.
#[cfg(target_os = "wasi")]
pub(crate) fn doors(options: &Options) -> Result<Vec<Listener>, Failure> {
    let doors = places(options, false)?
        .into_iter()
        .map(|place| match place {
            ListenAddr::Ip(address) => Listener::bind(address).map_err(|error| refusal(&error)),
            ListenAddr::Path(_) => {
                let line = "WASI has no Unix sockets: give an address with --bind";
                Err(Failure::Usage(line.into()))
            }
        });
    doors.collect()
}

/// Where to listen. Every place is looked at before anything is bound.
#[cfg(any(unix, target_os = "wasi"))]
fn places(options: &Options, has_inherited: bool) -> Result<Vec<ListenAddr>, Failure> {
    let everywhere = [options.host.clone()];
    let hosts = match &options.bind[..] {
        [] if !has_inherited => &everywhere[..],
        hosts => hosts,
    };
    let places = hosts.iter().map(|host| match host.strip_prefix(PATH) {
        Some("") => {
            let line = "'--bind unix:' has no path: give one, such as unix:/run/sanserve.sock";
            Err(Failure::Usage(line.into()))
        }
        Some(path) => Ok(ListenAddr::Path(path.into())),
        None => resolve(host, options.port).map(ListenAddr::Ip),
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
                format!("'--bind {host}' contains a port: use --bind {bare}{port}")
            }
            _ => format!("'{host}' is not an address or a host name: {USE_BIND}"),
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

/// Why it cannot listen, and what to do about it.
pub(crate) fn refusal(error: &BindError) -> Failure {
    Failure::Service(match error {
        BindError::InUse {
            at: ListenAddr::Ip(at),
            ..
        } => {
            let (ip, port) = (at.ip(), at.port());
            let free = match next_free(ip, port) {
                Some(free) => format!("{free}, or "),
                None => String::new(),
            };
            format!("port {port} on {ip} is in use: try --port {free}0 for any free port")
        }
        BindError::InUse {
            at: ListenAddr::Path(path),
            ..
        } => format!("{} already exists: choose another path", path.display()),
        BindError::PermissionDenied { at, .. } if cfg!(target_os = "wasi") => {
            format!(
                "no permission to listen on {at}: allow it with wasmtime run -S inherit-network,tcp"
            )
        }
        BindError::PermissionDenied {
            at: ListenAddr::Ip(at),
            ..
        } => {
            let (ip, port) = (at.ip(), at.port());
            format!("no permission for port {port} on {ip}: choose a port above 1023")
        }
        BindError::NotLocal {
            at: ListenAddr::Ip(at),
            ..
        } => format!(
            "{} is not an address of this machine: give one of its addresses with --bind",
            at.ip()
        ),
        BindError::InvalidPath { at, source } => {
            return Failure::Usage(format!(
                "'--bind {at}' is not possible: {source}: choose another path"
            ));
        }
        BindError::Io {
            at: ListenAddr::Path(path),
            source,
        } => format!("cannot listen on {}: {source}", path.display()),
        error => in_full(error),
    })
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
