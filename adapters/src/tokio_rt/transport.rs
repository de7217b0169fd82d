//! [`Transport`]: the stream of a connection, as a user of this crate makes it.

use std::fmt;
#[cfg(feature = "tls")]
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::connection_stream::Stream;
#[cfg(feature = "tls")]
use super::tls::Session;
#[cfg(feature = "tls")]
use crate::Tls;

/// A stream to be served: a socket (made by [`From`]), or any other stream.
pub struct Transport(pub(super) Stream<TcpStream>);

impl From<TcpStream> for Transport {
    /// Wraps a socket, without TLS.
    fn from(socket: TcpStream) -> Transport {
        Transport(Stream::Socket(socket))
    }
}

impl Transport {
    /// Wraps any other stream, such as a pipe in memory, a TLS stream, or one of a simulated network. `peer` is
    /// the address of the peer as log lines show it.
    pub fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: impl fmt::Display,
    ) -> Transport {
        Transport(Stream::Other(Box::new(stream), peer.to_string()))
    }

    /// Wraps a socket with TLS on top. The handshake takes place while the connection is served.
    ///
    /// # Errors
    /// If the socket is not connected any more.
    #[cfg(feature = "tls")]
    pub fn tls(socket: TcpStream, tls: &Tls) -> io::Result<Transport> {
        socket.set_nodelay(true)?;
        let peer = socket.peer_addr()?.ip();
        let session = Box::new(Session::new(socket, tls));
        Ok(Transport(Stream::Tls(session, peer)))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = matches!(self.0, Stream::Socket(_));
        let mut out = out.debug_struct("Transport");
        out.field("bare", &bare).finish_non_exhaustive()
    }
}
