//! [`sanserve_server`]: the ready server, which serves a directory.

use std::ffi::{CString, OsStr, c_char};
use std::net::SocketAddr;
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::sanserve_server::{Disk, Stopper, ThreadingHTTPServer};
use sanserve_core::{Config, Files};

use crate::bytes::{c_bytes, c_text, give, readable};
use crate::config::sanserve_config;
use crate::status::*;

/// A server of files, with a thread for each connection.
#[allow(
    missing_debug_implementations,
    reason = "C code has only pointers to it"
)]
pub struct sanserve_server {
    /// Taken by `sanserve_server_run`.
    listening: Mutex<Option<(ThreadingHTTPServer, Disk)>>,
    address: SocketAddr,
    stopper: Stopper,
    config: std::sync::Arc<Config>,
}

/// Listens on `address`, such as `127.0.0.1:8000`, to serve `directory` and nothing outside of it. `config` may be NULL
/// for the defaults. If it fails, the reason is written to `reason`, which has `capacity` bytes, with a NUL after it; it
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_server_new(
    directory: *const c_char,
    address: *const c_char,
    config: *const sanserve_config,
    server: *mut *mut sanserve_server,
    reason: *mut c_char,
    capacity: usize,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        give(server, ptr::null_mut())?;
        let (directory, address) = (c_bytes(directory)?, c_text(address)?);
        let config =
            readable(config).map_or_else(|_| Config::default().into(), |config| config.0.clone());
        match listen(directory, address, config) {
            Ok(listening) => give(server, Box::into_raw(Box::new(listening))),
            Err(error) => {
                write_reason(&error, reason, capacity);
                Err(SANSERVE_SYSTEM)
            }
        }
    })
}

fn listen(
    directory: &[u8],
    address: &str,
    config: std::sync::Arc<Config>,
) -> Result<sanserve_server, String> {
    let directory = path(directory)?;
    let disk = Disk::open(directory).map_err(|error| error.to_string())?;
    let server = ThreadingHTTPServer::bind(address).map_err(|error| error.to_string())?;
    Ok(sanserve_server {
        address: server.server_address(),
        stopper: server.stopper(),
        listening: Mutex::new(Some((server, disk))),
        config,
    })
}

/// Turns bytes into a path of the system.
#[cfg(unix)]
fn path(bytes: &[u8]) -> Result<&OsStr, String> {
    Ok(std::os::unix::ffi::OsStrExt::from_bytes(bytes))
}

/// Turns bytes into a path of the system.
#[cfg(not(unix))]
fn path(bytes: &[u8]) -> Result<&OsStr, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the directory is not UTF-8".to_owned())?;
    Ok(OsStr::new(text))
}

/// Writes a text with a NUL after it, cut to the buffer.
unsafe fn write_reason(error: &str, reason: *mut c_char, capacity: usize) {
    let text = CString::new(error.replace('\0', "?")).unwrap_or_default();
    let bytes = text.as_bytes();
    if !reason.is_null() && capacity > 0 {
        let n = bytes.len().min(capacity - 1);
        // SAFETY: the caller's pointer, see the header.
        unsafe {
            reason
                .cast::<u8>()
                .copy_from_nonoverlapping(bytes.as_ptr(), n);
            reason.add(n).write(0);
        }
    }
}

/// Returns the port that the server listens on; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_server_port(server: *const sanserve_server) -> u16 {
    // SAFETY: the caller's pointer, see the header.
    unsafe { readable(server) }.map_or(0, |server| server.address.port())
}

/// Serves until sanserve_server_stop is called, and prints its log to standard error. A server runs once:
/// SANSERVE_CLOSED if it did.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_server_run(server: *const sanserve_server) -> sanserve_status {
    guard(|| {
        // SAFETY: the caller's pointer, see the header.
        let server = unsafe { readable(server) }?;
        let mut listening = server
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (listener, disk) = listening.take().ok_or(SANSERVE_CLOSED)?;
        drop(listening);
        let served = listener.serve_forever(&disk, server.config.clone(), Files::new);
        served.map_err(|_| SANSERVE_SYSTEM)
    })
}

/// Stops the server from another thread: replies in progress have `grace_ms` milliseconds to end. Returns when all
/// connections are closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_server_stop(
    server: *const sanserve_server,
    grace_ms: u64,
) -> sanserve_status {
    guard(|| {
        // SAFETY: the caller's pointer, see the header.
        let server = unsafe { readable(server) }?;
        server.stopper.shutdown(Duration::from_millis(grace_ms));
        Ok(())
    })
}

/// Releases a server that does not run. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_server_free(server: *mut sanserve_server) {
    if !server.is_null() {
        // SAFETY: it is from `sanserve_server_new`, and the caller gives it back.
        drop(unsafe { Box::from_raw(server) });
    }
}
