//! [`HangUp`]: detects that a peer has disconnected while nothing is read from it, and notifies the connection.
//!
//! While a CGI script runs, nothing is read from its client, and nothing is written until the script writes, so
//! no operation would fail when the client disconnects.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sanserve_core::{Connection, Got, Handler};

use crate::recording::Call;

/// How a peer has disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// The peer has closed its side, or the whole connection.
    Closed,
    /// The connection was reset.
    Reset,
}

impl HangUp {
    /// Checks a socket, or another descriptor, without waiting.
    pub(crate) fn of(file: impl AsFd) -> Option<HangUp> {
        #[cfg(target_os = "linux")]
        let closed = PollFlags::RDHUP;
        #[cfg(not(target_os = "linux"))]
        let closed = PollFlags::IN;
        let mut polled = [PollFd::new(&file, closed)];
        poll(&mut polled, Some(&Timespec::default())).ok()?;
        let flags = polled[0].revents();
        if flags.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
            return Some(HangUp::Reset);
        }
        let closed = flags.contains(closed) && (cfg!(target_os = "linux") || is_at_end(&file));
        closed.then_some(HangUp::Closed)
    }

    /// Returns the call that notifies a connection.
    pub(crate) fn call(self) -> Call {
        match self {
            HangUp::Closed => Call::PeerClosed,
            HangUp::Reset => Call::PeerReset,
        }
    }

    /// Notifies a connection, and returns the answer for its next step, in place of `got`.
    pub(crate) fn notify<F, H: Handler>(self, conn: &mut Connection<F, H>, got: Got<F>) -> Got<F> {
        match self {
            HangUp::Closed => {
                conn.peer_closed();
                got
            }
            HangUp::Reset => {
                conn.peer_reset();
                Got::Nothing
            }
        }
    }
}

/// Returns whether a socket has reached its end, with no data left to read.
fn is_at_end(file: impl AsFd) -> bool {
    use rustix::net::{RecvFlags, recv};
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    recv(file, &mut [0; 1], flags).is_ok_and(|(n, _)| n == 0)
}
