//! [`ListenAddr`]: the address that a server listens on: an IP address with a port, or the path of a Unix
//! domain socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The address that a server listens on: an IP address with a port, or the path of a Unix domain socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a program that shows the address has to handle every kind"
)]
pub enum ListenAddr {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// The path of a Unix domain socket; empty if the system knows none.
    Path(PathBuf),
}

impl fmt::Display for ListenAddr {
    /// Writes `127.0.0.1:8000` or `unix:/run/http.sock`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Ip(address) => address.fmt(out),
            ListenAddr::Path(path) => write!(out, "unix:{}", path.display()),
        }
    }
}
