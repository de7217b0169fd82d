//! [`Reader`]: the reading side of a client, which runs on a thread of its own.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use super::progress::Progress;
use crate::{HangUp, Pace};

/// A function that is called at most once.
pub(super) type Action = Box<dyn FnOnce() + Send>;

/// The reading side of a client.
pub(super) struct Reader {
    pub(super) from: Box<dyn Read + Send>,
    pub(super) pace: Pace,
    pub(super) progress: Arc<Progress>,
    /// Disconnected when the server has closed the connection. Only a client that stops reading waits for that.
    pub(super) closed: Receiver<()>,
    /// Stops the server.
    pub(super) stop: Option<Action>,
    /// Makes the connection end with a reset when it is closed.
    pub(super) reset: Option<Action>,
}

impl Reader {
    /// Reads at the pace of the case, to the end or until the client disconnects. Returns the received bytes.
    pub(super) fn read(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        thread::sleep(self.pace.first_read);
        let (run, pause) = self.pace.reads.unwrap_or((usize::MAX, Duration::ZERO));
        let mut left = run;
        let mut piece = vec![0; READ_MAX];
        loop {
            let received = bytes.len();
            self.progress.set_received(received);
            if self.pace.stop.is_some_and(|at| at <= received)
                && let Some(stop) = self.stop.take()
            {
                // It may wait until no connection is left.
                thread::spawn(stop);
            }
            if let Some((_, how)) = self.pace.hangs_up.filter(|(at, _)| *at <= received) {
                if let Some(reset) = self.reset.take().filter(|_| how == HangUp::Resets) {
                    reset();
                }
                return Ok(bytes);
            }
            let len = self.next_len(received).min(left).min(READ_MAX);
            match self.from.read(&mut piece[..len]) {
                Ok(0) => return Ok(bytes),
                Ok(n) => {
                    bytes.extend(&piece[..n]);
                    left -= n;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server discards what such a client has not read.
                Err(error)
                    if error.kind() == ErrorKind::ConnectionReset
                        && self.pace.stops_reading.is_some() =>
                {
                    return Ok(bytes);
                }
                Err(error) => return Err(error),
            }
            if left == 0 {
                thread::sleep(pause);
                left = run;
            }
        }
    }

    /// Returns how many bytes may be read now, after `received`. A client that stops reading waits here.
    fn next_len(&self, received: usize) -> usize {
        match self.pace.stops_reading {
            Some(at) if received < at => at - received,
            Some(_) => {
                // Returns at once when the server has closed the connection.
                let _ = self.closed.recv();
                usize::MAX
            }
            None => usize::MAX,
        }
    }
}

/// The most bytes of one read.
const READ_MAX: usize = 16 * 1024;
