//! Tests that events of a socket that the server has closed are ignored. While a child process that is being started
//! has a copy of the socket, the system still reports events for it, with an identifier that by then belongs to another
//! connection.
#![cfg(target_os = "linux")]

mod client;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use client::{connect, drain, get, read_head, send_get, site};
use rustix::net::getpeername;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use sanserve_core::{Config, Files};
use sanserve_server::{Disk, event_loop::HTTPServer};

#[test]
fn an_event_of_a_closed_socket_does_not_hide_events_of_the_next_one() {
    let site = site();
    let disk = Disk::open(site.path()).unwrap();
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(1).with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let mut config = Config::default();
    config.timeouts.linger = Duration::ZERO;
    let serving = thread::spawn(move || server.serve_forever(&disk, config, Files::new));

    let first = connect(address);
    let copy = duplicate_peer(&first);
    send_get(&first, "/a.txt");
    assert!(read_head(&first).starts_with("HTTP/1.0 200 OK\r\n"));
    drain(&first).unwrap();
    // The server has closed this connection. The next one gets its identifier, and the server waits for it.
    let mut second = connect(address);
    second.write_all(b"GET /a.txt HTTP/1.1\r\n").unwrap();
    assert!(get(address, "/a.txt").ends_with("hello\n"));
    // Now the system reports an event for the first.
    drop(first);
    assert!(get(address, "/a.txt").ends_with("hello\n"));
    second.write_all(b"Host: x\r\n\r\n").unwrap();
    assert!(read_head(&second).starts_with("HTTP/1.0 200 OK\r\n"));

    drop(copy);
    stopper.shutdown(Duration::ZERO);
    serving.join().unwrap().unwrap();
}

/// Duplicates the server's end of a connection, which is in this process, as starting a child would.
fn duplicate_peer(socket: &TcpStream) -> OwnedFd {
    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let address = socket.local_addr().unwrap();
    let copies = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap();
        let numbers =
            descriptors.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers.filter_map(|number| pidfd_getfd(&this, number, PidfdGetfdFlags::empty()).ok())
    };
    let is_peer = |copy: &OwnedFd| {
        let remote = getpeername(copy).ok().flatten();
        remote.is_some_and(|remote| SocketAddr::try_from(remote).is_ok_and(|it| it == address))
    };
    // It exists as soon as the server has accepted the connection.
    loop {
        if let Some(copy) = copies().find(is_peer) {
            return copy;
        }
        thread::yield_now();
    }
}
