//! [`Layer`]: a protocol between a connection and its socket, such as TLS.

use std::io;
use std::net::{IpAddr, TcpStream};

/// A protocol between a connection and its socket `S`. Each operation makes at most one call on the socket, so that
/// deadlines hold: [`io::ErrorKind::Interrupted`] means that the operation is to be repeated,
/// [`io::ErrorKind::WouldBlock`] that the socket is not ready.
pub(crate) trait Layer<S = TcpStream>: Send {
    /// Reads from the socket, and returns the number of bytes decoded; 0 is the end.
    fn read(&mut self, socket: &S, into: &mut [u8]) -> io::Result<usize>;

    /// Writes some of these bytes. Until this succeeds, it is called with the same bytes.
    fn write(&mut self, socket: &S, from: &[u8]) -> io::Result<usize>;

    /// Prepares the message that tells the peer that nothing more will come.
    fn shutdown(&mut self);

    /// Returns whether the handshake is still in progress, so that no reply can be sent.
    fn is_handshaking(&self) -> bool;

    /// Returns whether the peer does not use the protocol of the layer, but sent plain HTTP.
    fn is_plain(&self) -> bool {
        false
    }

    /// Returns the client for which the peer speaks, once, when the layer has found out.
    fn take_client(&mut self) -> Option<IpAddr> {
        None
    }

    /// Returns whether the layer has its own data to [`flush`](Layer::flush).
    fn has_output(&self) -> bool;

    /// Writes the layer's own data.
    fn flush(&mut self, socket: &S) -> io::Result<()>;
}
