//! Declares the C example's server, so that a test in Rust can run it.
#![cfg(target_os = "linux")]

use std::ffi::c_int;

pub use sanserve_c;
use sanserve_c::sanserve_connection;

/// `struct server` of `examples/c/server.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// The directory that is served.
    pub root: c_int,
    /// Initializes the connection of a client.
    pub accepted: unsafe extern "C" fn(server: *const Server, connection: *mut sanserve_connection),
    /// Prints log lines.
    pub log: unsafe extern "C" fn(server: *const Server, lines: *const u8, len: usize),
}

unsafe extern "C" {
    /// Serves the clients of a listening socket until `stop` becomes readable.
    pub fn serve(server: *const Server, listener: c_int, stop: c_int);
}
