//! [`FirstByte`]: a layer that uses TLS unless the first byte from the peer is plain HTTP.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::session::Session;
use crate::layer::Layer;

/// TLS, or nothing if the peer begins with plain HTTP.
pub(super) enum FirstByte {
    /// No byte has arrived yet.
    Awaited(Session),
    Tls(Session),
    Plain(Plain),
}

/// No layer at all.
#[derive(Default)]
pub(super) struct Plain {
    /// Whether the peer still has to be told that nothing more will come.
    ending: bool,
}

/// Returns whether this byte begins a request, or the empty line before one, and not a TLS record.
pub(crate) fn begins_http(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'\r'
}

impl FirstByte {
    fn session(&self) -> Option<&Session> {
        match self {
            FirstByte::Awaited(session) | FirstByte::Tls(session) => Some(session),
            FirstByte::Plain(_) => None,
        }
    }

    /// Peeks at the first byte.
    fn decide(&mut self, socket: &TcpStream) -> io::Result<()> {
        let mut byte = [0];
        let n = socket.peek(&mut byte)?;
        let plain = FirstByte::Plain(Plain::default());
        *self = match std::mem::replace(self, plain) {
            FirstByte::Awaited(_) if n > 0 && begins_http(byte[0]) => return Ok(()),
            FirstByte::Awaited(session) => FirstByte::Tls(session),
            decided => decided,
        };
        Ok(())
    }
}

impl Layer for FirstByte {
    fn read(&mut self, mut socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        match self {
            FirstByte::Awaited(_) => {
                self.decide(socket)?;
                Err(ErrorKind::Interrupted.into())
            }
            FirstByte::Tls(session) => session.read(socket, into),
            FirstByte::Plain(_) => socket.read(into),
        }
    }

    fn write(&mut self, mut socket: &TcpStream, from: &[u8]) -> io::Result<usize> {
        match self {
            FirstByte::Awaited(session) | FirstByte::Tls(session) => session.write(socket, from),
            FirstByte::Plain(_) => socket.write(from),
        }
    }

    fn shutdown(&mut self) {
        match self {
            FirstByte::Awaited(session) | FirstByte::Tls(session) => session.shutdown(),
            FirstByte::Plain(plain) => plain.ending = true,
        }
    }

    fn is_handshaking(&self) -> bool {
        self.session().is_some_and(Layer::is_handshaking)
    }

    fn is_plain(&self) -> bool {
        matches!(self, FirstByte::Plain(_))
    }

    fn has_output(&self) -> bool {
        match self {
            FirstByte::Awaited(session) | FirstByte::Tls(session) => session.has_output(),
            FirstByte::Plain(plain) => plain.ending,
        }
    }

    fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        match self {
            FirstByte::Awaited(session) | FirstByte::Tls(session) => session.flush(socket),
            FirstByte::Plain(plain) => {
                plain.ending = false;
                socket.shutdown(Shutdown::Write)
            }
        }
    }
}
