//! [`Sender`]: the sending side of a client. It sends a request at the pace of its case, and then finds out when the
//! server closes the connection, if the case says so.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::progress::Progress;
use crate::{Fragmentation, Pace, Pause};

/// The sending side of a client.
pub(super) struct Sender<'a> {
    pub(super) to: &'a mut dyn Write,
    pub(super) pace: &'a Pace,
    pub(super) progress: Arc<Progress>,
    /// When the conversation has to end.
    pub(super) until: Instant,
    /// The time in which a closed connection becomes known after a byte was sent. If `None`, sending it fails.
    pub(super) reset_delay: Option<Duration>,
}

impl Sender<'_> {
    /// Sends all bytes, unless the server closes the connection first.
    pub(super) fn send(&mut self, bytes: &[u8], fragmentation: Fragmentation) -> io::Result<()> {
        let (mut sent, mut sizes) = (0, fragmentation.sizes());
        while sent < bytes.len() && !self.progress.is_ended() {
            let next_pause = self.pace.next_pause(sent);
            let most = next_pause.map_or(bytes.len() - sent, |(len, _)| len);
            let piece = &bytes[sent..][..sizes.next_size(most)];
            // Not an error here: what was read shows whether the server was right to close.
            if !self.is_open_after(piece)? {
                break;
            }
            sent += piece.len();
            match next_pause.filter(|(len, _)| *len == piece.len()) {
                Some((_, Pause::Time(time))) => thread::sleep(time),
                Some((_, Pause::Received(bytes))) => {
                    let within = self.until.saturating_duration_since(Instant::now());
                    if !self.progress.wait_for(bytes, within) {
                        return Err(late("the reply does not arrive in time"));
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Waits until the server has closed the connection, if the pace says so.
    pub(super) fn wait_for_close(&mut self) -> io::Result<()> {
        if self.pace.continues_to_send || self.pace.stops_reading.is_some() {
            while self.is_open_after(b"x")? {
                if self.until < Instant::now() {
                    return Err(late(NOT_CLOSED));
                }
                thread::sleep(SEND_INTERVAL);
            }
        }
        if let Some(silence) = self.pace.closed_after {
            thread::sleep(silence);
            if self.is_open_after(b"x")? {
                let Some(delay) = self.reset_delay else {
                    return Err(late(NOT_CLOSED));
                };
                // The answer to the first byte is that the connection is closed, so that the second cannot be sent.
                thread::sleep(delay);
                if self.is_open_after(b"x")? {
                    return Err(late(NOT_CLOSED));
                }
            }
        }
        Ok(())
    }

    /// Sends these bytes, and returns whether the connection is still open.
    fn is_open_after(&mut self, bytes: &[u8]) -> io::Result<bool> {
        match self.to.write_all(bytes).and_then(|()| self.to.flush()) {
            Ok(()) => Ok(true),
            Err(error) if is_closed(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn late(message: &'static str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, message)
}

const NOT_CLOSED: &str = "the server does not close the connection in time";

/// The time between two bytes of a client that continues to send.
const SEND_INTERVAL: Duration = Duration::from_millis(20);
