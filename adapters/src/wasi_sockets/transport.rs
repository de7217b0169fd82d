//! [`Transport`]: a socket that never waits.

use sanserve_core::Got;
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};

/// A socket, and what says that it can be read from or written to. A part goes before the one that it
/// was made of.
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

    /// The host takes what it says that it will take, and sends it when the peer lets it.
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

    /// Whether it can be dropped at once. As long as the host holds something for the peer, that
    /// would wait for him.
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
