//! [`Session`]: performs the handshake, encrypts and decrypts: TLS as a layer between a connection and its
//! socket.
//!
//! rustls implements the protocol, but this file holds the buffers: rustls never frees its own read buffer,
//! which would be half of the memory of an idle connection.
//!
//! The handshake takes place while the connection waits for its first bytes. It has the deadline of a request
//! head, counted from when the connection was accepted.

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

/// The TLS session of one peer.
pub(super) struct Session {
    tls: UnbufferedServerConnection,
    /// Received bytes of an incomplete record.
    incoming: Vec<u8>,
    /// Decrypted bytes that were not read yet.
    plain: Queue,
    /// Bytes to be written to the socket.
    outgoing: Queue,
    /// The number of bytes of the current `write` that were encrypted and are not all written to the socket.
    unsent: usize,
    /// Whether the peer has closed its side.
    ended: bool,
    /// Whether this side is closed.
    closed: bool,
    /// The error that ended the protocol. After it, rustls is not called again.
    failure: Option<Box<Error>>,
}

impl Session {
    /// Creates a session before its handshake.
    pub(super) fn new(tls: UnbufferedServerConnection) -> Session {
        Session {
            tls,
            incoming: Vec::new(),
            plain: Queue::default(),
            outgoing: Queue::default(),
            unsent: 0,
            ended: false,
            closed: false,
            failure: None,
        }
    }

    /// Processes the received bytes as far as possible.
    fn process(&mut self) -> Result<(), Error> {
        self.outcome()?;
        loop {
            // After an error there is an alert to encode, and perhaps other data before it. Rustls must not
            // process the remaining bytes again: it remembers its position in them, and that it has sent an
            // alert.
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
                    // The data is in the queue, which is written before anything else.
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

    /// Returns the error that ended the protocol, if there was one.
    fn outcome(&self) -> Result<(), Error> {
        self.failure.as_deref().cloned().map_or(Ok(()), Err)
    }

    /// Encrypts a message into the outgoing queue.
    fn encrypt(&mut self, message: Message<'_>) -> io::Result<()> {
        self.process().map_err(protocol_error)?;
        let UnbufferedStatus { discard, state, .. } =
            self.tls.process_tls_records(&mut self.incoming);
        let encrypted = match state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => match message {
                Message::Data(plain) => {
                    self.outgoing.append(plain.len() + RECORD_OVERHEAD, |room| {
                        traffic.encrypt(plain, room)
                    })
                }
                Message::CloseNotify => self
                    .outgoing
                    .append(RECORD_OVERHEAD, |room| traffic.queue_close_notify(room)),
            },
            Ok(_) => return Err(io::Error::other("TLS is not ready for data")),
            Err(error) => return Err(protocol_error(error)),
        };
        self.incoming.drain(..discard);
        encrypted.map_err(io::Error::other)
    }

    /// Returns decrypted bytes, or the end. [`ErrorKind::WouldBlock`] if there are none.
    fn plain(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.plain.take(into) {
            0 if !self.ended => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }

    /// Frees empty buffers.
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
            return Err(protocol_error(Error::General("message buffer full".into())));
        }
        // An idle connection may wait here for long, without buffers.
        self.release();
        let mut chunk = [0; READ_SIZE];
        let n = socket.read(&mut chunk)?;
        // The peer may have closed without `close_notify`. An incomplete request will show it.
        self.ended |= n == 0;
        self.incoming.extend_from_slice(&chunk[..n]);
        self.process().map_err(protocol_error)?;
        // The socket may have more to read.
        self.plain(into).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::Interrupted.into(),
            _ => error,
        })
    }

    fn write(&mut self, socket: &TcpStream, from: &[u8]) -> io::Result<usize> {
        if self.unsent == 0 {
            let record = &from[..from.len().min(RECORD_MAX)];
            self.encrypt(Message::Data(record))?;
            self.unsent = record.len();
        }
        self.flush(socket)?;
        // The bytes count as written only when all of the record is in the socket; otherwise nothing would wait
        // for the rest.
        if self.has_output() {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(mem::take(&mut self.unsent))
    }

    fn shutdown(&mut self) {
        // During the handshake there is nothing to send.
        let _ = self.encrypt(Message::CloseNotify);
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

/// Ends a connection whose peer was sent an alert. Its unread data is discarded, because closing a socket with
/// unread data resets the connection, and the alert may be lost.
pub(crate) fn drain(socket: SockRef<'_>) {
    let mut chunk = [const { MaybeUninit::uninit() }; READ_SIZE];
    let ended = socket
        .set_nonblocking(true)
        .and_then(|()| socket.shutdown(Shutdown::Write));
    // Only a limited amount, because the peer may send forever.
    for _ in 0..DRAIN_MAX / READ_SIZE {
        if ended.is_err() || !matches!(socket.recv(&mut chunk), Ok(1..)) {
            return;
        }
    }
}

/// A message to encrypt.
enum Message<'a> {
    Data(&'a [u8]),
    CloseNotify,
}

/// A byte queue that is consumed from the front.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// The number of bytes that were consumed.
    consumed: usize,
}

impl Queue {
    fn filled(&self) -> &[u8] {
        &self.bytes[self.consumed..]
    }

    fn is_empty(&self) -> bool {
        self.filled().is_empty()
    }

    fn consume(&mut self, n: usize) {
        self.consumed += n;
        if self.is_empty() {
            self.bytes.clear();
            self.consumed = 0;
        }
    }

    fn take(&mut self, into: &mut [u8]) -> usize {
        let n = into.len().min(self.filled().len());
        into[..n].copy_from_slice(&self.filled()[..n]);
        self.consume(n);
        n
    }

    /// Appends what `write` writes into a buffer of length `room`, or of the length that it asks for.
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

/// An error that may contain the required length of the buffer.
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

/// Converts an error of the peer. The alert that reports it is queued, and flushed when the transport ends.
pub(crate) fn protocol_error(error: Error) -> io::Error {
    let message = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "neither TLS nor HTTP".into(),
        error => error.to_string(),
    };
    io::Error::new(ErrorKind::InvalidData, message)
}

/// The maximum content of a TLS record.
const RECORD_MAX: usize = 16 * 1024;

/// More than a record adds to its content.
const RECORD_OVERHEAD: usize = 64;

/// The most bytes discarded after an alert.
const DRAIN_MAX: usize = 256 * 1024;

/// The number of bytes read from the socket at a time.
const READ_SIZE: usize = 4096;

/// A handshake message may be spread over many records, but is not longer than this.
const INCOMING_MAX: usize = 64 * 1024;
