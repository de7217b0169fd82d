//! [`Listener`]: listens on an IP address with a socket of `wasi:sockets`, and accepts connections.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use wasip2::io::poll::Pollable;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

use super::transport::Transport;
use crate::{BindError, ListenAddr};

/// A listening socket on an IP address.
#[derive(Debug)]
pub struct Listener {
    /// Becomes ready when a connection waits. Dropped before the socket.
    pollable: Pollable,
    socket: TcpSocket,
    address: SocketAddr,
}

impl Listener {
    /// Listens on an address; with port 0 the system chooses one. `::` is for IPv6 only, as always with WASI.
    ///
    /// # Errors
    /// If the address does not belong to this machine or is in use, or if the host does not permit listening on it.
    pub fn bind(address: SocketAddr) -> Result<Listener, BindError> {
        let listen = || {
            let socket = create_tcp_socket(match address {
                SocketAddr::V4(_) => IpAddressFamily::Ipv4,
                SocketAddr::V6(_) => IpAddressFamily::Ipv6,
            })?;
            socket.start_bind(&instance_network(), to_wasi(address))?;
            finish(&socket, TcpSocket::finish_bind)?;
            // Optional: hosts may not support these, or have their own limits.
            let _ = socket.set_listen_backlog_size(LISTEN_BACKLOG);
            let _ = socket.set_keep_alive_enabled(true);
            socket.start_listen()?;
            finish(&socket, TcpSocket::finish_listen)?;
            let address = from_wasi(socket.local_address()?);
            Ok(Listener {
                pollable: socket.subscribe(),
                socket,
                address,
            })
        };
        listen().map_err(|error: ErrorCode| {
            let kind = match error {
                ErrorCode::AddressInUse => ErrorKind::AddrInUse,
                ErrorCode::AddressNotBindable | ErrorCode::InvalidArgument => {
                    ErrorKind::AddrNotAvailable
                }
                ErrorCode::AccessDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::Other,
            };
            BindError::new(ListenAddr::Ip(address), io::Error::new(kind, error))
        })
    }

    /// Returns the address, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts a connection, with the address of its peer; `None` if none is waiting.
    pub(super) fn accept(&self) -> Result<Option<(Transport, String)>, ErrorCode> {
        let (socket, input, output) = match self.socket.accept() {
            Err(ErrorCode::WouldBlock) => return Ok(None),
            accepted => accepted?,
        };
        let peer = socket.remote_address().map(from_wasi);
        let peer = peer.map_or_else(|_| "-".into(), |peer| peer.ip().to_string());
        Ok(Some((Transport::new(socket, input, output), peer)))
    }

    /// Returns what becomes ready when a connection waits.
    pub(super) fn pollable(&self) -> &Pollable {
        &self.pollable
    }
}

/// Waits for an operation that was started.
fn finish(
    socket: &TcpSocket,
    finish: impl Fn(&TcpSocket) -> Result<(), ErrorCode>,
) -> Result<(), ErrorCode> {
    loop {
        match finish(socket) {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            done => return done,
        }
    }
}

fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress {
            port: address.port(),
            address: address.ip().octets().into(),
        }),
        SocketAddr::V6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
            port: address.port(),
            flow_info: address.flowinfo(),
            address: address.ip().segments().into(),
            scope_id: address.scope_id(),
        }),
    }
}

fn from_wasi(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(address) => {
            let (a, b, c, d) = address.address;
            (Ipv4Addr::new(a, b, c, d), address.port).into()
        }
        IpSocketAddress::Ipv6(address) => {
            let (a, b, c, d, e, f, g, h) = address.address;
            let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
            SocketAddrV6::new(ip, address.port, address.flow_info, address.scope_id).into()
        }
    }
}

/// Same as in the other adapters.
const LISTEN_BACKLOG: u64 = 1024;
