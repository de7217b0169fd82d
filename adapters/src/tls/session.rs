//! [`Session`]: TLS as a layer between a connection and its socket.
//!
//! The handshake happens while the connection waits for its first bytes. It has the deadline of a
//! head from the moment when the connection is accepted, however it drips.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpStream};

use rustls::{Error, InvalidMessage, ServerConnection};

use crate::std::Layer;

/// One peer's TLS.
pub(super) struct Session {
    tls: ServerConnection,
    /// So many bytes have been taken to be written and are not all with the socket yet.
    taken: usize,
    /// Nothing more will be written.
    closed: bool,
}

impl Session {
    /// A session that has not begun.
    pub(super) fn new(tls: ServerConnection) -> Session {
        Session {
            tls,
            taken: 0,
            closed: false,
        }
    }

    /// What has come and is understood; [`ErrorKind::WouldBlock`] if nothing.
    fn plain(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.tls.reader().read(into) {
            // The peer is gone without a word. Whether something is missing shows in its request.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        }
    }
}

impl Layer for Session {
    fn read(&mut self, mut socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        match self.plain(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
        self.tls.read_tls(&mut socket)?;
        self.tls.process_new_packets().map_err(refusal)?;
        // More may be there to be read.
        self.plain(into).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::Interrupted.into(),
            _ => error,
        })
    }

    fn write(&mut self, socket: &TcpStream, from: &[u8]) -> io::Result<usize> {
        if self.taken == 0 {
            let record = from.len().min(RECORD);
            self.taken = self.tls.writer().write(&from[..record])?;
        }
        self.flush(socket)?;
        // What is written counts when all of it is with the socket, and not before: nobody would
        // wait for the rest.
        if self.holds() {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(mem::take(&mut self.taken))
    }

    fn shutdown(&mut self) {
        self.tls.send_close_notify();
        self.closed = true;
    }

    fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    fn holds(&self) -> bool {
        self.tls.wants_write()
    }

    fn flush(&mut self, mut socket: &TcpStream) -> io::Result<()> {
        self.tls.write_tls(&mut socket)?;
        if self.closed && !self.holds() {
            socket.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }
}

/// What the peer did wrong. The alert that tells it is held, and flushed when the link ends.
pub(crate) fn refusal(error: Error) -> io::Error {
    let message = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "this is no TLS, but perhaps plain HTTP".into()
        }
        error => error.to_string(),
    };
    io::Error::new(ErrorKind::InvalidData, message)
}

/// As much as fits in a record: what is written at once.
const RECORD: usize = 16 * 1024;
