//! [`Socket`] for the sockets of the operating system.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use sanserve_core::{Connection, FileSystem, Handler, Now};

use super::system::Socket;
use crate::UpgradedStream;
use crate::delivery;
use crate::hang_up::HangUp;
use crate::layer::Layer;
use crate::send_file::send_file;
use crate::system_file;

/// [`TcpStream`] serves for all families, because its calls work on any socket.
impl Socket for TcpStream {
    type Stream = UpgradedStream;

    fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut socket = self;
        Read::read(&mut socket, into)
    }

    /// Writes, and has the system wait if more follows immediately, so that head and content of a file leave in
    /// as few packets as possible.
    #[cfg(target_os = "linux")]
    fn write(&self, from: &[u8], more: bool) -> io::Result<usize> {
        use rustix::net::SendFlags;
        let mut flags = SendFlags::NOSIGNAL;
        flags.set(SendFlags::MORE, more);
        Ok(rustix::net::send(self, from, flags)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn write(&self, from: &[u8], _: bool) -> io::Result<usize> {
        let mut socket = self;
        io::Write::write(&mut socket, from)
    }

    fn can_send<FS: FileSystem>(files: &FS, file: &mut FS::File) -> bool {
        system_file::is_sendable(files, file)
    }

    fn send_file<FS: FileSystem>(
        &self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>> {
        send_file(self, files, file, at, len)
    }

    fn cork(&self, corked: bool) {
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_cork(self, corked);
        #[cfg(not(target_os = "linux"))]
        let _ = corked;
    }

    fn shutdown(&self) {
        let _ = TcpStream::shutdown(self, Shutdown::Write);
    }

    fn abort(&self) {
        let _ = TcpStream::shutdown(self, Shutdown::Both);
    }

    fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(self).is_ok_and(|n| n > 0)
    }

    fn has_unacknowledged(&self) -> bool {
        delivery::is_outstanding(self)
    }

    fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        delivery::report(conn, now, self);
    }

    fn hang_up(&self) -> Option<HangUp> {
        HangUp::of(self)
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        TcpStream::peer_addr(self).ok()
    }

    fn into_stream(
        this: Arc<Self>,
        layer: Option<Box<dyn Layer>>,
        received: Vec<u8>,
    ) -> io::Result<UpgradedStream> {
        UpgradedStream::new(this, layer, received)
    }
}
