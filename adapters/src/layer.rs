//! [`Layer`]: a protocol between a connection and its socket, such as TLS.

use std::io;
use std::net::TcpStream;

/// What lies between a connection and its socket. Each operation does one thing with the socket at
/// most, so that deadlines hold: [`io::ErrorKind::Interrupted`] says that there is more to be done,
/// [`io::ErrorKind::WouldBlock`] that the socket can do no more now.
pub(crate) trait Layer: Send {
    /// Reads from the socket, and answers what that meant; 0 is the end.
    fn read(&mut self, socket: &TcpStream, into: &mut [u8]) -> io::Result<usize>;

    /// Writes some of these bytes. Until that has succeeded it is called with the same ones.
    fn write(&mut self, socket: &TcpStream, from: &[u8]) -> io::Result<usize>;

    /// Makes what tells the peer that nothing more will come.
    fn shutdown(&mut self);

    /// Whether it is not yet possible to say anything through it.
    fn is_handshaking(&self) -> bool;

    /// Whether the peer has begun to speak without the layer.
    fn is_plain(&self) -> bool {
        false
    }

    /// Whether there is something to [`flush`](Layer::flush).
    fn holds(&self) -> bool;

    /// Writes what it has made itself.
    fn flush(&mut self, socket: &TcpStream) -> io::Result<()>;
}
