//! [`BindError`]: why a server cannot listen. Also resolves the addresses to listen on.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

use crate::ListenAddr;

/// Why a server cannot listen; the error of `HTTPServer::bind` and similar functions.
///
/// The error of the system is the [`source`](Error::source) and is not part of the text.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// The name has no address.
    Unresolved(io::Error),
    /// Another process listens on the address. For a path: something exists there already.
    InUse {
        /// The address or path.
        at: ListenAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The IP address does not belong to this machine.
    NotLocal {
        /// The address or path.
        at: ListenAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// This user may not listen there.
    PermissionDenied {
        /// The address or path.
        at: ListenAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The path cannot name a socket: it is empty, too long or contains a NUL byte.
    InvalidPath {
        /// The address or path.
        at: ListenAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// An inherited socket is not a listening stream socket.
    Inherited(io::Error),
    /// The system gave another reason.
    Io {
        /// The address or path.
        at: ListenAddr,
        /// The error of the system.
        source: io::Error,
    },
}

impl BindError {
    /// Converts the error of a system call that should have made the server listen at `at`.
    pub(crate) fn new(at: ListenAddr, source: io::Error) -> BindError {
        match (source.kind(), &at) {
            (ErrorKind::AddrInUse, _) => BindError::InUse { at, source },
            (ErrorKind::AddrNotAvailable, ListenAddr::Ip(_)) => BindError::NotLocal { at, source },
            (ErrorKind::PermissionDenied, _) => BindError::PermissionDenied { at, source },
            (ErrorKind::InvalidInput, ListenAddr::Path(_)) => BindError::InvalidPath { at, source },
            _ => BindError::Io { at, source },
        }
    }

    fn io(&self) -> &io::Error {
        match self {
            BindError::Unresolved(source) | BindError::Inherited(source) => source,
            BindError::InUse { source, .. }
            | BindError::NotLocal { source, .. }
            | BindError::PermissionDenied { source, .. }
            | BindError::InvalidPath { source, .. }
            | BindError::Io { source, .. } => source,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Unresolved(_) => out.write_str(
                "cannot resolve the address: give an IP address and a port, such as 127.0.0.1:8000",
            ),
            BindError::InUse {
                at: at @ ListenAddr::Ip(_),
                ..
            } => {
                write!(
                    out,
                    "{at} is in use: choose another port, or 0 for any free port"
                )
            }
            BindError::InUse { at, .. } => {
                write!(out, "{at} exists already: choose another path")
            }
            BindError::NotLocal { at, .. } => write!(
                out,
                "{at} is not an address of this machine: choose one that is, or 0.0.0.0 for all"
            ),
            BindError::PermissionDenied {
                at: at @ ListenAddr::Ip(_),
                ..
            } => {
                write!(
                    out,
                    "no permission to listen on {at}: choose a port above 1023"
                )
            }
            BindError::PermissionDenied { at, .. } => write!(
                out,
                "no permission to listen on {at}: choose a path in a directory that this user may change"
            ),
            BindError::InvalidPath { at, .. } => {
                write!(out, "{at} cannot be a socket: choose another path")
            }
            BindError::Inherited(_) => out.write_str(
                "a socket passed in LISTEN_FDS cannot be used: pass listening stream sockets",
            ),
            BindError::Io { at, .. } => write!(out, "cannot listen on {at}"),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.io())
    }
}

/// For functions that return several kinds of errors. The [`kind`](io::Error::kind) is that of the system's error.
impl From<BindError> for io::Error {
    fn from(error: BindError) -> io::Error {
        io::Error::new(error.io().kind(), error)
    }
}

/// Resolves an address to one or more socket addresses.
pub(crate) fn resolve(
    address: impl ToSocketAddrs,
) -> Result<impl Iterator<Item = SocketAddr>, BindError> {
    let mut found = address
        .to_socket_addrs()
        .map_err(BindError::Unresolved)?
        .peekable();
    match found.peek() {
        Some(_) => Ok(found),
        None => Err(BindError::Unresolved(io::Error::new(
            ErrorKind::NotFound,
            "the name has no address",
        ))),
    }
}
