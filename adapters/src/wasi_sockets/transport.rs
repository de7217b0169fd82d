//! [`Transport`]: reads from and writes to a socket of `wasi:sockets`, by its two streams, without blocking.

use sanserve_core::Got;
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};

/// A socket with its streams, and what becomes ready when they can be read or written. Each field is dropped
/// before the resource it was made from.
pub(super) struct Transport {
    readable: Pollable,
    writable: Pollable,
    input: InputStream,
    output: OutputStream,
    socket: TcpSocket,
}

impl Transport {
    pub(super) fn new(socket: TcpSocket, input: InputStream, output: OutputStream) -> Transport {
        Transport {
            readable: input.subscribe(),
            writable: output.subscribe(),
            input,
            output,
            socket,
        }
    }

    pub(super) fn read<F>(&self, into: &mut [u8]) -> Got<F> {
        match self.input.read(into.len() as u64) {
            Ok(bytes) if bytes.is_empty() => Got::Nothing,
            Ok(bytes) => {
                into[..bytes.len()].copy_from_slice(&bytes);
                Got::Bytes(bytes.len())
            }
            Err(StreamError::Closed) => Got::Bytes(0),
            Err(_) => Got::Failed,
        }
    }

    /// Writes what the host accepts; the host sends it when the peer is ready.
    pub(super) fn write<F>(&self, from: &[u8]) -> Got<F> {
        let room = match self.output.check_write() {
            Ok(0) => return Got::Nothing,
            Ok(room) => room,
            Err(_) => return Got::Failed,
        };
        let n = from.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let written = self.output.write(&from[..n]);
        written.map_or(Got::Failed, |()| Got::Bytes(n))
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shutdown(&self) {
        let _ = self.socket.shutdown(ShutdownType::Send);
    }

    /// Returns whether the socket can be dropped without blocking: as long as the host has data for the peer,
    /// dropping it would wait for the peer.
    pub(super) fn is_done(&self) -> bool {
        !matches!(self.output.check_write(), Ok(0))
    }

    pub(super) fn readable(&self) -> &Pollable {
        &self.readable
    }

    pub(super) fn writable(&self) -> &Pollable {
        &self.writable
    }
}
