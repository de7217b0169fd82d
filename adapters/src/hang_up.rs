//! Whether a peer has gone, found out without reading from it or writing to it.
//!
//! A peer that has closed its socket and one that has only ended its side look alike until something
//! is sent to them: then the system of the first one answers with a reset.

#[cfg(unix)]
use std::os::fd::AsFd;

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether nothing that is written can reach the peer any more.
#[cfg(all(unix, feature = "mio"))]
pub(crate) fn has_hung_up(output: impl AsFd) -> bool {
    // Both of these are reported without being asked for.
    reports(&output, PollFlags::HUP | PollFlags::ERR)
}

/// Whether the peer has gone, or has at least ended its side. While it waits for long work that is
/// taken for the same thing, as most proxies do.
#[cfg(unix)]
pub(crate) fn has_left(output: impl AsFd) -> bool {
    reports(&output, PollFlags::HUP | PollFlags::ERR | ENDED)
}

/// Whether the peer has gone, as far as the system says so.
#[cfg(windows)]
pub(crate) fn has_left(socket: impl std::os::windows::io::AsSocket) -> bool {
    let socket = socket2::SockRef::from(&socket);
    socket.take_error().is_ok_and(|error| error.is_some())
}

#[cfg(unix)]
fn reports(output: &impl AsFd, events: PollFlags) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut asked = [PollFd::new(output, events)];
    let found = poll(&mut asked, Some(&now));
    found.is_ok_and(|n| n > 0) && asked[0].revents().intersects(events)
}

/// That the peer has ended its side. Other systems do not report it.
#[cfg(target_os = "linux")]
const ENDED: PollFlags = PollFlags::RDHUP;
#[cfg(all(unix, not(target_os = "linux")))]
const ENDED: PollFlags = PollFlags::empty();
