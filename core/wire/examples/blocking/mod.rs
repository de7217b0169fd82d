//! [`Peer`]: a blocking connection, from which the example reads heads and forwards content.

use std::error::Error;
use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sanserve_wire::{Body, Fields, ParseError, Piece, encode_chunk, encode_last_chunk};

pub(crate) type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A connection, with the input that was not used yet.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) input: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Peer {
        let input = Vec::new();
        Peer { stream, input }
    }

    /// Waits for more input. Returns false if the connection ended.
    pub(crate) fn read(&mut self) -> Result<bool> {
        let mut piece = [0; 8192];
        let n = self.stream.read(&mut piece)?;
        self.input.extend_from_slice(&piece[..n]);
        Ok(n > 0)
    }

    /// Waits one second for input. Returns whether there is some, or the end of the connection. The time is limited
    /// because a server need not send 100 (RFC 9110 §10.1.1).
    pub(crate) fn is_soon_readable(&mut self) -> Result<bool> {
        self.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(None)?;
        match peeked {
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => {
                Ok(!self.input.is_empty())
            }
            peeked => Ok(peeked.is_ok()),
        }
    }

    /// Reads a head. Returns false if the connection ended before it.
    pub(crate) fn head<P>(&mut self, mut parse: P) -> Result<bool>
    where
        P: FnMut(&[u8]) -> Result<Option<usize>, ParseError>,
    {
        loop {
            if let Some(n) = parse(&self.input)? {
                self.input.drain(..n);
                return Ok(true);
            }
            if !self.read()? {
                return Ok(false);
            }
        }
    }

    /// Forwards content to another connection, as it is or in chunks.
    pub(crate) fn content(&mut self, to: &mut Peer, body: &mut Body, chunked: bool) -> Result<()> {
        let (mut out, mut trailers) = (Vec::new(), Fields::new());
        while body.remaining() != Some(0) {
            let piece = body.next(&self.input)?;
            match piece {
                Piece::Data(n) if chunked => encode_chunk(&mut out, &self.input[..n]),
                Piece::Data(n) => out.extend_from_slice(&self.input[..n]),
                Piece::Trailers(n) => trailers.parse_trailers(&self.input[..n])?,
                Piece::More if !self.read()? => break,
                Piece::More | Piece::Skip(_) | Piece::End => {}
            }
            self.input.drain(..piece.len());
            to.stream.write_all(&out)?;
            out.clear();
        }
        body.end_of_input()?;
        if chunked {
            encode_last_chunk(&mut out, trailers.iter_bytes())?;
        }
        Ok(to.stream.write_all(&out)?)
    }
}
