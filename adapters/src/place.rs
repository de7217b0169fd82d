//! [`Place`]: where a server listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an address.
    Address(SocketAddr),
    /// At a path; without one if the system knows none.
    Path(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(address) => address.fmt(out),
            Place::Path(path) => write!(out, "unix:{}", path.display()),
        }
    }
}
