//! Runs the suite on the C example's loop over sockets, with its files. Every second connection has an asynchronous
//! handler.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{slice, thread};

use sanserve_c_conformance::sanserve_c::{init_with, sanserve_connection, sanserve_status};
use sanserve_c_conformance::{Server, serve};
use sanserve_conformance::{Case, Client, Log, Site, run_except, servers};

/// The server, followed by the state of its callbacks.
#[repr(C)]
struct Served {
    server: Server,
    case: Case,
    connections: AtomicUsize,
    log: Log,
}

unsafe extern "C" fn accepted(server: *const Server, connection: *mut sanserve_connection) {
    // SAFETY: the server is the first field of `Served`, which lives for as long as it runs.
    let served = unsafe { &*server.cast::<Served>() };
    let config = Arc::new(served.case.config());
    let number = served.connections.fetch_add(1, Ordering::Relaxed);
    let handler = served.case.alternating_handler(number);
    // SAFETY: the loop has allocated the connection.
    let status = unsafe { init_with(connection, config, "127.0.0.1", handler) };
    assert_eq!(status, sanserve_status::SANSERVE_OK);
}

unsafe extern "C" fn log(server: *const Server, lines: *const u8, len: usize) {
    // SAFETY: as above.
    let served = unsafe { &*server.cast::<Served>() };
    // SAFETY: the engine has written the lines.
    let lines = unsafe { slice::from_raw_parts(lines, len) };
    served
        .log
        .push(str::from_utf8(lines).expect("the log is UTF-8"));
}

#[test]
fn conforms() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let start = |case: &Case, lines: Log| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let root = File::open(site.root_for(case)?)?;
        let case = case.clone();
        thread::spawn(move || {
            let server = Server {
                root: root.as_raw_fd(),
                accepted,
                log,
            };
            let served = Served {
                server,
                case,
                connections: AtomicUsize::new(0),
                log: lines,
            };
            let (_stop, stopped) = UnixStream::pair().expect("a pair of sockets");
            // SAFETY: the descriptors are open, and the server lives until it returns.
            unsafe {
                serve(
                    &raw const served.server,
                    listener.as_raw_fd(),
                    stopped.as_raw_fd(),
                );
            }
        });
        Ok(address)
    };
    let excludes = |case: &Case| match case {
        _ if case.stores => Some("files that are stored"),
        _ if case.portable_names() => Some("names that Windows forbids"),
        _ if case.upgrades => Some("upgrades"),
        _ if case.stops() => Some("stopping the server"),
        _ if case.options.iter().any(|(key, _)| key == "archives") => Some("archives"),
        _ if case.options.iter().any(|(key, _)| key == "downloads") => Some("downloads"),
        _ if case.handler == "cgi" => Some("scripts"),
        _ => None,
    };
    run_except("C", excludes, servers(start, Client::connect));
}
