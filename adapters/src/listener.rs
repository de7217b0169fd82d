//! [`Listener`]: a socket that connections come by, however it came about.

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

/// A socket that listens: at an address, at a path, or one that was handed over by whoever started
/// this process.
///
/// ```
/// use sanserve_server::{Listener, event_loop::HTTPServer};
///
/// # fn main() -> std::io::Result<()> {
/// let mut doors = Listener::inherited()?; // from systemd, if that has started it
/// doors.push(Listener::bind("127.0.0.1:0")?);
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("http");
/// doors.push(Listener::unix(path)?);
/// let server = HTTPServer::new(doors);
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
    /// Listens at `address` as [`crate::HTTPServer::bind`] does.
    ///
    /// # Errors
    /// Those of [`crate::HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<Listener, BindError> {
        let (socket, address) = listen(address)?;
        Listener::tcp(socket).map_err(|error| BindError::new(ListenAddr::Ip(address), error))
    }

    /// Listens at a path, for clients on this machine: a reverse proxy, as a rule. Who may write to
    /// the socket that appears there may connect. If one lies there that nobody listens at any more,
    /// it takes its place. When the server ends, it stays.
    ///
    /// # Errors
    /// If the path is empty or too long, if another program listens there, if something else exists there, or if the socket
    /// cannot be made.
    pub fn unix(path: impl AsRef<Path>) -> Result<Listener, BindError> {
        let path = path.as_ref();
        listen_at_path(path).map_err(|error| BindError::new(ListenAddr::Path(path.into()), error))
    }

    /// The sockets that were handed over in the way of systemd (`LISTEN_FDS`), in their order; none
    /// if that is not how this process was started.
    ///
    /// # Errors
    /// If one of them is not a socket that listens for streams.
    pub fn inherited() -> Result<Vec<Listener>, BindError> {
        take_inherited().map_err(BindError::Inherited)
    }

    fn tcp(socket: TcpListener) -> io::Result<Listener> {
        // Replies leave in as few pieces as can be; to hold the last one back helps nobody. Linux
        // passes this on to whoever is let in.
        SockRef::from(&socket).set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Listener {
            at: ListenAddr::Ip(socket.local_addr()?),
            socket: socket.into(),
        })
    }

    fn local(socket: UnixListener) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let path = address.as_pathname().unwrap_or(Path::new(""));
        Ok(Listener {
            at: ListenAddr::Path(path.to_owned()),
            socket: socket.into(),
        })
    }

    /// Where it listens, with the port that was chosen.
    #[must_use]
    pub fn listen_addr(&self) -> &ListenAddr {
        &self.at
    }

    /// The same socket once more, for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Listener> {
        Ok(Listener {
            socket: self.socket.try_clone()?,
            at: self.at.clone(),
        })
    }

    /// Lets one in, whose socket does not block. A socket is a socket, of whatever family: std has
    /// the calls for it at [`TcpStream`]. The address is that of the peer, if it has any.
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

/// Listens at a path. A socket there that no program listens at any more is replaced.
fn listen_at_path(path: &Path) -> io::Result<Listener> {
    // Linux would make a socket without a name.
    if path.as_os_str().is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the path is empty"));
    }
    let lies_there = fs::symlink_metadata(path);
    if lies_there.is_ok_and(|meta| meta.file_type().is_socket())
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    {
        fs::remove_file(path)?;
    }
    Listener::local(UnixListener::bind(path)?)
}

/// Takes the sockets of `LISTEN_FDS`.
fn take_inherited() -> io::Result<Vec<Listener>> {
    let mut all = ListenFd::from_env();
    (0..all.len())
        .map(|at| {
            let listener = match all.take_unix_listener(at) {
                Ok(Some(socket)) => Listener::local(socket)?,
                _ => match all.take_tcp_listener(at)? {
                    Some(socket) => Listener::tcp(socket)?,
                    None => return Err(io::Error::other("a socket was passed twice")),
                },
            };
            // What is connected already would be waited at for ever.
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
