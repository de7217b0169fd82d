//! [`delivery`]: asks the system how much of the written data a peer has received. [`report`] passes that to the
//! connection.
//!
//! The system is asked only when a deadline has passed and at the end of a connection, so a busy connection
//! pays nothing.

use std::os::fd::AsFd;

use sanserve_core::{Connection, Delivery, Handler, Now};
use socket2::{Domain, SockRef};

/// Reports to a connection what its peer has acknowledged, if a deadline has passed.
pub(crate) fn report<F, H: Handler>(conn: &mut Connection<F, H>, now: Now, file: impl AsFd) {
    if conn.is_overdue(now)
        && let Some(delivery) = delivery(file)
    {
        conn.delivered(now, delivery);
    }
}

/// Returns whether the system knows that the peer has not acknowledged everything.
#[cfg(feature = "mio")]
pub(crate) fn is_outstanding(file: impl AsFd) -> bool {
    // Usually nothing is outstanding, and one call suffices. A Unix socket counts what its peer has not read.
    outstanding(&file).is_some_and(|bytes| bytes > 0) && is_tcp(&file)
}

/// Asks the system how much of the data that was written to a socket its peer has acknowledged, for
/// [`Connection::delivered`]. Returns `None` if the system does not know.
///
/// A loop of your own calls it if [`Connection::is_overdue`] returns true. A pipe or Unix socket has one buffer for both
/// sides, so its data has arrived when it is written.
pub fn delivery(file: impl AsFd) -> Option<Delivery> {
    if !is_tcp(&file) {
        return Some(Delivery {
            acknowledged: None,
            outstanding: 0,
        });
    }
    Some(Delivery {
        acknowledged: acknowledged(&file),
        outstanding: outstanding(&file)?,
    })
}

fn is_tcp(file: &impl AsFd) -> bool {
    let address = SockRef::from(file).local_addr();
    address.is_ok_and(|it| matches!(it.domain(), Domain::IPV4 | Domain::IPV6))
}

/// `tcpi_bytes_acked`, in Linux since 4.1. A system that does not count always reports 0.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no dependency exposes this field of tcp_info")]
fn acknowledged(socket: impl AsFd) -> Option<u64> {
    use std::os::fd::AsRawFd;
    let mut info = [0_u64; ACKNOWLEDGED + 1];
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the system writes at most `len` bytes, and says how many it wrote.
    let got = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let is_there = got == 0 && len as usize == size_of_val(&info);
    Some(info[ACKNOWLEDGED]).filter(|&bytes| is_there && bytes > 0)
}

/// The offset of that field in `struct tcp_info` of <linux/tcp.h>, in units of eight bytes.
#[cfg(target_os = "linux")]
const ACKNOWLEDGED: usize = 15;

#[cfg(not(target_os = "linux"))]
fn acknowledged(_: impl AsFd) -> Option<u64> {
    None
}

/// `SIOCOUTQ` of Linux, which is also called `TIOCOUTQ`, and `FIONWRITE` of FreeBSD.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
#[expect(
    unsafe_code,
    reason = "the type that an ioctl writes has to be declared"
)]
fn outstanding(socket: impl AsFd) -> Option<u64> {
    use rustix::ioctl::{Getter, ioctl};
    // SAFETY: the system writes an `int` for this.
    let left = unsafe { ioctl(socket, Getter::<SEND_QUEUE, i32>::new()) };
    u64::try_from(left.ok()?).ok()
}

#[cfg(target_os = "linux")]
const SEND_QUEUE: rustix::ioctl::Opcode = libc::TIOCOUTQ as rustix::ioctl::Opcode;
#[cfg(target_os = "freebsd")]
const SEND_QUEUE: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<i32>(b'f', 119);

/// `SO_NWRITE` of Apple's systems.
#[cfg(target_vendor = "apple")]
fn outstanding(socket: impl AsFd) -> Option<u64> {
    use nix::{getsockopt_impl, libc, sockopt_impl};
    sockopt_impl!(
        /// The number of bytes in the send buffer.
        SendQueue,
        GetOnly,
        libc::SOL_SOCKET,
        libc::SO_NWRITE,
        i32
    );
    let left = nix::sys::socket::getsockopt(&socket, SendQueue);
    u64::try_from(left.ok()?).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd", target_vendor = "apple")))]
fn outstanding(_: impl AsFd) -> Option<u64> {
    None
}
