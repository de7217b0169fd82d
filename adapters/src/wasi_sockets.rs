//! Many connections on the one thread that a WASI component has, over `wasi:sockets`: what can be
//! done at once is done, and for the rest one `wasi:io/poll` waits.
//!
//! What happens on one connection is in `peer`, the loop around many in `server`; `transport` is a socket,
//! `listener` one by which they come. [`Disk`] is a directory that the host has handed over.

mod disk;
mod listener;
mod peer;
mod server;
mod transport;

pub use self::disk::{Disk, Open};
pub use self::listener::Listener;
pub use self::server::HTTPServer;

use std::io::{self, Write};

/// Writes log lines to standard error, all at once. If nobody is there to read them, they are lost.
pub fn stderr(lines: &str) {
    let _ = io::stderr().write_all(lines.as_bytes());
}
