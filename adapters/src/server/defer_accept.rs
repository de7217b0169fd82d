//! Makes the system report a new connection only when its first bytes have arrived (`TCP_DEFER_ACCEPT`).
//!
//! In TLS as in HTTP the client speaks first. So the server is woken once for each connection, not twice, and a
//! silent connection does not reach it for the first second.

use std::os::fd::AsFd;

use nix::sys::socket::setsockopt;
// The first macro uses the second one by that name.
use nix::{setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// The number of seconds for which a connection may be silent.
    DeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    u32
);

/// Sets the option for a socket before it listens.
pub(super) fn defer_accept(socket: &impl AsFd) -> nix::Result<()> {
    setsockopt(socket, DeferAccept, &1)
}
