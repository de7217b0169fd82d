//! Connections are let in when their first bytes are there (`TCP_DEFER_ACCEPT`).
//!
//! Who connects speaks first, in TLS as in HTTP. So one is woken once for each, not twice, and a
//! connection that says nothing is not served: the system keeps it for a second, and hands it over then.

use std::os::fd::AsFd;

use nix::sys::socket::setsockopt;
// The one makes use of the other, by that name.
use nix::{setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// So many seconds it may say nothing.
    DeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    u32
);

/// Has a socket, which is going to listen, hold back those who have said nothing.
pub(super) fn defer_accept(socket: &impl AsFd) -> nix::Result<()> {
    setsockopt(socket, DeferAccept, &1)
}
