//! [`HangUp`]: what a peer has done to a connection from which nothing is read at the moment.
//!
//! While a script runs nothing is read from its client, and nothing is written as long as the script is
//! silent, so no operation would fail when the client goes.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sanserve_core::{Connection, Got, Handler};

/// How a peer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// It has closed its side, or all of the connection.
    Closed,
    /// The connection is gone.
    Reset,
}

impl HangUp {
    /// Looks at a socket, or another open file, without waiting.
    pub(crate) fn of(file: impl AsFd) -> Option<HangUp> {
        #[cfg(target_os = "linux")]
        let closed = PollFlags::RDHUP;
        #[cfg(not(target_os = "linux"))]
        let closed = PollFlags::IN;
        let mut found = [PollFd::new(&file, closed)];
        poll(&mut found, Some(&Timespec::default())).ok()?;
        let flags = found[0].revents();
        if flags.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
            return Some(HangUp::Reset);
        }
        let closed = flags.contains(closed) && (cfg!(target_os = "linux") || is_at_end(&file));
        closed.then_some(HangUp::Closed)
    }

    /// Tells a connection, and returns the answer that the next step is given in place of `got`.
    pub(crate) fn tell<F, H: Handler>(self, conn: &mut Connection<F, H>, got: Got<F>) -> Got<F> {
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

/// Whether nothing but the end is left to be read from a socket.
fn is_at_end(file: impl AsFd) -> bool {
    use rustix::net::{RecvFlags, recv};
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    recv(file, &mut [0; 1], flags).is_ok_and(|(n, _)| n == 0)
}
