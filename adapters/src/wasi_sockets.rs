//! The WASI adapter: many connections over `wasi:sockets`, on the only thread of a component, with one
//! `wasi:io/poll` for all.
//!
//! `driver` serves one connection, `server` is the loop around many, `transport` a socket, `listener` a
//! listening one. [`Disk`] is a directory to which the host grants access.

mod disk;
mod driver;
mod listener;
mod server;
mod transport;

pub use self::disk::{Disk, OpenFile};
pub use self::listener::Listener;
pub use self::server::HTTPServer;

use std::io::{self, Write};

/// Writes log lines to standard error. If that fails, they are lost.
pub fn stderr(lines: &str) {
    let _ = io::stderr().write_all(lines.as_bytes());
}
