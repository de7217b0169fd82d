//! Opens the listening sockets that the options ask for, or takes inherited ones, and says what to do if that fails.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

#[cfg(unix)]
use sanserve_server::Listener;
#[cfg(target_os = "wasi")]
use sanserve_server::wasi_sockets::Listener;
use sanserve_server::{BindError, ListenAddr};

use super::failure::{Failure, with_causes};
use super::options::Options;
#[cfg(not(target_os = "wasi"))]
use super::options::Runtime;
use super::positional;
#[cfg(not(target_os = "wasi"))]
use super::server::Server;

/// Listens on the addresses of the options, and on inherited sockets.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn listen(options: &Options) -> Result<Server, Failure> {
    #[cfg(unix)]
    if options.runtime() == Runtime::Mio {
        return Ok(Server::mio(listeners(options)?));
    }
    #[cfg(unix)]
    if !inherited()?.is_empty() {
        let line = "only --runtime mio can serve the sockets of LISTEN_FDS: add it";
        return Err(Failure::Usage(line.into()));
    }
    let addresses = listen_addrs(options, false)?
        .into_iter()
        .map(|address| match address {
            ListenAddr::Ip(address) => Ok(address),
            ListenAddr::Path(_) => Err(Failure::Usage(ONLY_MIO.into())),
        });
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    if options.runtime() == Runtime::Tokio && addresses.len() > 1 {
        let line = "--runtime tokio can listen on one address only: leave --runtime out";
        return Err(Failure::Usage(line.into()));
    }
    Server::bind(options.runtime(), &addresses)
}

/// Returns the listening sockets.
#[cfg(unix)]
fn listeners(options: &Options) -> Result<Vec<Listener>, Failure> {
    let mut listeners = inherited()?;
    for address in listen_addrs(options, !listeners.is_empty())? {
        let listener = match &address {
            ListenAddr::Ip(address) => Listener::bind(address),
            ListenAddr::Path(path) => Listener::unix(path),
        };
        listeners.push(listener.map_err(|error| bind_failure(&error))?);
    }
    Ok(listeners)
}

/// Takes the sockets that the service manager passes.
#[cfg(unix)]
fn inherited() -> Result<Vec<Listener>, Failure> {
    Listener::inherited().map_err(|error| Failure::Usage(with_causes(&error)))
}

/// Returns the listening sockets.
#[cfg(target_os = "wasi")]
pub(crate) fn listeners(options: &Options) -> Result<Vec<Listener>, Failure> {
    let listeners = listen_addrs(options, false)?
        .into_iter()
        .map(|address| match address {
            ListenAddr::Ip(address) => {
                Listener::bind(address).map_err(|error| bind_failure(&error))
            }
            ListenAddr::Path(_) => {
                let line = "WASI has no Unix sockets: give an address with --bind";
                Err(Failure::Usage(line.into()))
            }
        });
    listeners.collect()
}

/// Returns the addresses to listen on. All are checked before any is bound.
fn listen_addrs(options: &Options, has_inherited: bool) -> Result<Vec<ListenAddr>, Failure> {
    let default = [options.host.clone()];
    let hosts = match &options.bind[..] {
        [] if !has_inherited => &default[..],
        hosts => hosts,
    };
    let addresses = hosts
        .iter()
        .map(|host| match host.strip_prefix(UNIX_PREFIX) {
            Some("") => {
                let line = "'--bind unix:' has no path: give one, such as unix:/run/sanserve.sock";
                Err(Failure::Usage(line.into()))
            }
            Some(path) => Ok(ListenAddr::Path(path.into())),
            None => resolve(host, options.port).map(ListenAddr::Ip),
        });
    addresses.collect()
}

/// Resolves a host to its first address.
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

/// Whether this is an IP address, or a name that could be resolved. Digits and dots are either an address or invalid.
fn could_be_host(text: &str) -> bool {
    let zone = text.split_once('%').map_or(text, |(address, _)| address);
    if zone.parse::<IpAddr>().is_ok() {
        return true;
    }
    let is_name = |char: char| char.is_alphanumeric() || "-._".contains(char);
    let is_number = |char: char| char.is_ascii_digit() || char == '.';
    !text.is_empty() && text.chars().all(is_name) && !text.chars().all(is_number)
}

/// Returns the message for a failure to listen.
pub(crate) fn bind_failure(error: &BindError) -> Failure {
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
        error => with_causes(error),
    })
}

/// Returns a higher port that is free now.
fn next_free(ip: IpAddr, port: u16) -> Option<u16> {
    let mut higher = (1..=20).filter_map(|offset| port.checked_add(offset));
    higher.find(|port| TcpListener::bind((ip, *port)).is_ok())
}

/// The prefix of a path to a Unix socket.
const UNIX_PREFIX: &str = "unix:";

#[cfg(unix)]
const ONLY_MIO: &str = "only --runtime mio can listen on a path: add it";
#[cfg(windows)]
const ONLY_MIO: &str = "there are no Unix sockets on this system: give an address with --bind";

const USE_BIND: &str =
    "give an address of this machine with --bind, such as 127.0.0.1, or 0.0.0.0 for all";
