//! [`Listener`]: a listening socket, for an IP address, for a path, or inherited from systemd. Accepts
//! connections.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use listenfd::ListenFd;
use socket2::SockRef;

use crate::server::listen;
use crate::{BindError, ListenAddr};

/// A listening socket: on an IP address, on a path, or inherited from the process that started this one.
///
/// ```
/// use sanserve_server::{Listener, event_loop::HTTPServer};
///
/// # fn main() -> std::io::Result<()> {
/// let mut listeners = Listener::inherited()?; // from systemd, if that has started it
/// listeners.push(Listener::bind("127.0.0.1:0")?);
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("http");
/// listeners.push(Listener::unix(path)?);
/// let server = HTTPServer::new(listeners);
/// assert_eq!(server.listen_addrs().count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    at: ListenAddr,
}

impl Listener {
    /// Listens on `address` as [`crate::HTTPServer::bind`] does.
    ///
    /// # Errors
    /// The errors of [`crate::HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<Listener, BindError> {
        let (socket, address) = listen(address)?;
        Listener::from_tcp(socket).map_err(|error| BindError::new(ListenAddr::Ip(address), error))
    }

    /// Listens on a path, for clients on this machine, usually a reverse proxy. A process that may write to the
    /// new socket may connect. A stale socket at the path, on which no process listens, is replaced. The socket
    /// remains when the server ends.
    ///
    /// # Errors
    /// If the path is empty or too long, if another process listens on it, if it exists and is not a socket, or
    /// if the socket cannot be created.
    pub fn unix(path: impl AsRef<Path>) -> Result<Listener, BindError> {
        let path = path.as_ref();
        listen_at_path(path).map_err(|error| BindError::new(ListenAddr::Path(path.into()), error))
    }

    /// Returns the sockets passed by systemd's protocol (`LISTEN_FDS`), in order; none if the process was not
    /// started that way.
    ///
    /// # Errors
    /// If one of them is not a listening stream socket.
    pub fn inherited() -> Result<Vec<Listener>, BindError> {
        take_inherited().map_err(BindError::Inherited)
    }

    fn from_tcp(socket: TcpListener) -> io::Result<Listener> {
        // Replies are sent in as few packets as possible; delaying the last one would not help. On Linux,
        // accepted sockets inherit this option.
        SockRef::from(&socket).set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Listener {
            at: ListenAddr::Ip(socket.local_addr()?),
            socket: socket.into(),
        })
    }

    fn from_unix(socket: UnixListener) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let path = address.as_pathname().unwrap_or(Path::new(""));
        Ok(Listener {
            at: ListenAddr::Path(path.to_owned()),
            socket: socket.into(),
        })
    }

    /// Returns the address, with the port that was chosen.
    #[must_use]
    pub fn listen_addr(&self) -> &ListenAddr {
        &self.at
    }

    /// Duplicates the socket for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Listener> {
        Ok(Listener {
            socket: self.socket.try_clone()?,
            at: self.at.clone(),
        })
    }

    /// Accepts a connection; its socket does not block. [`TcpStream`] serves for all families, because its
    /// calls work on any socket. The address is that of the peer, if it has one.
    pub(crate) fn accept(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        #[cfg(target_os = "linux")]
        let (socket, address) = {
            use rustix::net::{SocketFlags, acceptfrom_with};
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let (socket, address) = acceptfrom_with(&self.socket, flags)?;
            let address = address.and_then(|address| std::net::SocketAddr::try_from(address).ok());
            (TcpStream::from(socket), address)
        };
        #[cfg(not(target_os = "linux"))]
        let (socket, address) = {
            let (socket, address) = SockRef::from(&self.socket).accept()?;
            socket.set_nonblocking(true)?;
            let _ = socket.set_tcp_nodelay(true);
            (TcpStream::from(socket), address.as_socket())
        };
        Ok((socket, address.map(|address| address.ip())))
    }
}

/// Listens on a path. Replaces a socket on which no process listens.
fn listen_at_path(path: &Path) -> io::Result<Listener> {
    // For an empty path Linux would create a socket without a name.
    if path.as_os_str().is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the path is empty"));
    }
    let meta = fs::symlink_metadata(path);
    if meta.is_ok_and(|meta| meta.file_type().is_socket())
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    {
        fs::remove_file(path)?;
    }
    Listener::from_unix(UnixListener::bind(path)?)
}

/// Takes the sockets of `LISTEN_FDS`.
fn take_inherited() -> io::Result<Vec<Listener>> {
    let mut all = ListenFd::from_env();
    (0..all.len())
        .map(|at| {
            let listener = match all.take_unix_listener(at) {
                Ok(Some(socket)) => Listener::from_unix(socket)?,
                _ => match all.take_tcp_listener(at)? {
                    Some(socket) => Listener::from_tcp(socket)?,
                    None => return Err(io::Error::other("a socket was passed twice")),
                },
            };
            // A connected socket would never accept a connection.
            #[cfg(target_os = "linux")]
            if !rustix::net::sockopt::socket_acceptconn(&listener)? {
                return Err(io::Error::other(
                    "a passed socket does not listen (Accept=yes?)",
                ));
            }
            Ok(listener)
        })
        .collect()
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
