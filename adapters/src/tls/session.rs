//! [`Session`]: TLS as a layer between a connection and its socket.
//!
//! rustls does the protocol, and the buffers are here: its own read buffer is never given back, which
//! would be half of what an idle connection takes.
//!
//! The handshake happens while the connection waits for its first bytes. It has the deadline of a
//! head from the moment when the connection is accepted, however it drips.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::{self, MaybeUninit};
use std::net::{Shutdown, TcpStream};

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{Error, InvalidMessage};
use socket2::SockRef;

use crate::layer::Layer;

/// One peer's TLS.
pub(super) struct Session {
    tls: UnbufferedServerConnection,
    /// What has come of a record that is not complete.
    incoming: Vec<u8>,
    /// What was understood and not read yet.
    plain: Queue,
    /// What has still to be written to the socket.
    outgoing: Queue,
    /// How many bytes have been taken to be written and are not all with the socket yet.
    taken: usize,
    /// Nothing more will come.
    ended: bool,
    /// Nothing more will be written.
    closed: bool,
    /// What ended the protocol. After it rustls is not asked again.
    failure: Option<Box<Error>>,
}

impl Session {
    /// A session that has not begun.
    pub(super) fn new(tls: UnbufferedServerConnection) -> Session {
        Session {
            tls,
            incoming: Vec::new(),
            plain: Queue::default(),
            outgoing: Queue::default(),
            taken: 0,
            ended: false,
            closed: false,
            failure: None,
        }
    }

    /// Does with what has come whatever can be done with it.
    fn advance(&mut self) -> Result<(), Error> {
        self.outcome()?;
        loop {
            // After an error there is an alert to encode, and perhaps what was to be sent before it. If bytes are left, rustls must
            // not look at them again: it remembers where it is in them, and that it has sent an alert.
            let is_last = self.failure.is_some() && !self.incoming.is_empty();
            let UnbufferedStatus {
                mut discard, state, ..
            } = self.tls.process_tls_records(&mut self.incoming);
            let goes_on = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = match record {
                            Ok(record) => record,
                            Err(error) => {
                                self.failure = Some(Box::new(error));
                                return self.outcome();
                            }
                        };
                        discard += record.discard;
                        self.plain.bytes.extend_from_slice(record.payload);
                    }
                    true
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let encoded = self.outgoing.append(0, |room| data.encode(room));
                    encoded.map_err(|error| Error::General(error.to_string()))?;
                    true
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    // It is in the queue, which is written before anything else.
                    data.done();
                    true
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.ended = true;
                    true
                }
                Ok(_) => false,
                Err(error) => {
                    let is_first = self.failure.is_none();
                    self.failure.get_or_insert_with(|| Box::new(error));
                    is_first
                }
            };
            self.incoming.drain(..discard);
            if is_last || !goes_on {
                return self.outcome();
            }
        }
    }

    /// What the protocol came to so far.
    fn outcome(&self) -> Result<(), Error> {
        self.failure.as_deref().cloned().map_or(Ok(()), Err)
    }

    /// Adds to what has to be written what this makes, given the protocol in a state to write.
    fn encrypt(&mut self, what: What<'_>) -> io::Result<()> {
        self.advance().map_err(refusal)?;
        let UnbufferedStatus { discard, state, .. } =
            self.tls.process_tls_records(&mut self.incoming);
        let encrypted = match state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => match what {
                What::Record(plain) => self
                    .outgoing
                    .append(plain.len() + OVERHEAD, |room| traffic.encrypt(plain, room)),
                What::Close => self
                    .outgoing
                    .append(OVERHEAD, |room| traffic.queue_close_notify(room)),
            },
            Ok(_) => return Err(io::Error::other("TLS is not ready for data")),
            Err(error) => return Err(refusal(error)),
        };
        self.incoming.drain(..discard);
        encrypted.map_err(io::Error::other)
    }

    /// What was understood, or the end. [`ErrorKind::WouldBlock`] if nothing is there.
    fn plain(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.plain.take(into) {
            0 if !self.ended => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }

    /// Gives buffers back that are empty.
    fn release(&mut self) {
        if self.incoming.is_empty() {
            self.incoming = Vec::new();
        }
        self.plain.release();
        self.outgoing.release();
    }
}

impl Layer for Session {
    fn read(&mut self, mut socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        match self.plain(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
        if self.incoming.len() > INCOMING_MAX {
            return Err(refusal(Error::General("message buffer full".into())));
        }
        // While nothing comes, which may be for long, nothing is held.
        self.release();
        let mut piece = [0; PIECE];
        let n = socket.read(&mut piece)?;
        // The peer may be gone without a word. Whether something is missing shows in its request.
        self.ended |= n == 0;
        self.incoming.extend_from_slice(&piece[..n]);
        self.advance().map_err(refusal)?;
        // More may be there to be read.
        self.plain(into).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::Interrupted.into(),
            _ => error,
        })
    }

    fn write(&mut self, socket: &TcpStream, from: &[u8]) -> io::Result<usize> {
        if self.taken == 0 {
            let record = &from[..from.len().min(RECORD)];
            self.encrypt(What::Record(record))?;
            self.taken = record.len();
        }
        self.flush(socket)?;
        // What is written counts when all of it is with the socket, and not before: nobody would
        // wait for the rest.
        if self.has_output() {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(mem::take(&mut self.taken))
    }

    fn shutdown(&mut self) {
        // Within a handshake there is nothing to be told.
        let _ = self.encrypt(What::Close);
        self.closed = true;
    }

    fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    fn has_output(&self) -> bool {
        !self.outgoing.is_empty()
    }

    fn flush(&mut self, mut socket: &TcpStream) -> io::Result<()> {
        if self.has_output() {
            let written = socket.write(self.outgoing.filled())?;
            self.outgoing.consume(written);
        }
        if self.closed && !self.has_output() {
            socket.shutdown(Shutdown::Write)?;
        }
        if self.failure.is_some() && !self.has_output() {
            drain(SockRef::from(socket));
        }
        Ok(())
    }
}

/// Ends a connection whose peer was sent an alert. What it has sent is thrown away: a socket that is closed with unread bytes
/// resets the connection, and the peer may lose the alert with it.
pub(crate) fn drain(socket: SockRef<'_>) {
    let mut piece = [const { MaybeUninit::uninit() }; PIECE];
    let ended = socket
        .set_nonblocking(true)
        .and_then(|()| socket.shutdown(Shutdown::Write));
    // Not all that a peer could send, which may be without an end.
    for _ in 0..DRAIN_MAX / PIECE {
        if ended.is_err() || !matches!(socket.recv(&mut piece), Ok(1..)) {
            return;
        }
    }
}

/// What is to be encrypted.
enum What<'a> {
    Record(&'a [u8]),
    Close,
}

/// Bytes that are taken from the front, in pieces.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// How many of them were taken.
    taken: usize,
}

impl Queue {
    fn filled(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn is_empty(&self) -> bool {
        self.filled().is_empty()
    }

    fn consume(&mut self, n: usize) {
        self.taken += n;
        if self.is_empty() {
            self.bytes.clear();
            self.taken = 0;
        }
    }

    fn take(&mut self, into: &mut [u8]) -> usize {
        let n = into.len().min(self.filled().len());
        into[..n].copy_from_slice(&self.filled()[..n]);
        self.consume(n);
        n
    }

    /// Adds what this writes into the room that it is given: that much, or as much as it asks for.
    fn append<E: NeedsRoom>(
        &mut self,
        room: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let end = self.bytes.len();
        self.bytes.resize(end + room, 0);
        let mut written = write(&mut self.bytes[end..]);
        if let Some(room) = written.as_ref().err().and_then(NeedsRoom::needed) {
            self.bytes.resize(end + room, 0);
            written = write(&mut self.bytes[end..]);
        }
        self.bytes
            .truncate(end + written.as_ref().copied().unwrap_or(0));
        written.map(drop)
    }

    fn release(&mut self) {
        if self.is_empty() {
            *self = Queue::default();
        }
    }
}

/// An error that may say how much room is needed.
trait NeedsRoom {
    fn needed(&self) -> Option<usize>;
}

impl NeedsRoom for EncodeError {
    fn needed(&self) -> Option<usize> {
        match self {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Some(*required_size)
            }
            EncodeError::AlreadyEncoded => None,
        }
    }
}

impl NeedsRoom for EncryptError {
    fn needed(&self) -> Option<usize> {
        match self {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Some(*required_size)
            }
            EncryptError::EncryptExhausted => None,
        }
    }
}

/// What the peer did wrong. The alert that tells it is held, and flushed when the transport ends.
pub(crate) fn refusal(error: Error) -> io::Error {
    let message = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "neither TLS nor HTTP".into(),
        error => error.to_string(),
    };
    io::Error::new(ErrorKind::InvalidData, message)
}

/// As much as fits in a record: what is written at once.
const RECORD: usize = 16 * 1024;

/// More than a record takes besides its content.
const OVERHEAD: usize = 64;

/// Thrown away after an alert.
const DRAIN_MAX: usize = 256 * 1024;

/// Read from the socket at once.
const PIECE: usize = 4096;

/// A message of a handshake may be in many records, and is not longer than this.
const INCOMING_MAX: usize = 64 * 1024;
