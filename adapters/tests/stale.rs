//! A socket that was closed but lives on elsewhere: in a child that is being started, which has copies
//! of all that is open. The system goes on telling of it, under a number that is another's by then.
#![cfg(target_os = "linux")]

mod peer;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use peer::{ask, connect, get, head, rest, site};
use rustix::net::getpeername;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use sanserve_core::{Config, Files};
use sanserve_server::{Disk, event_loop::HTTPServer};

#[test]
fn news_of_a_socket_that_is_gone_does_not_hide_those_of_the_next() {
    let site = site();
    let disk = Disk::open(site.path()).unwrap();
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(1).with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let mut config = Config::default();
    config.timeouts.linger = Duration::ZERO;
    let serving = thread::spawn(move || server.serve_forever(&disk, config, Files::new));

    let first = connect(address);
    let copy = copy_of_other_end(&first);
    ask(&first, "/a.txt");
    assert!(head(&first).starts_with("HTTP/1.0 200 OK\r\n"));
    rest(&first).unwrap();
    // The server has closed it. The next one gets its place, and is waited for.
    let mut second = connect(address);
    second.write_all(b"GET /a.txt HTTP/1.1\r\n").unwrap();
    assert!(get(address, "/a.txt").ends_with("hello\n"));
    // Now there is news of the first.
    drop(first);
    assert!(get(address, "/a.txt").ends_with("hello\n"));
    second.write_all(b"Host: x\r\n\r\n").unwrap();
    assert!(head(&second).starts_with("HTTP/1.0 200 OK\r\n"));

    drop(copy);
    stopper.shutdown(Duration::ZERO);
    serving.join().unwrap().unwrap();
}

/// What a child would have of the socket at the server's end, which is in this process.
fn copy_of_other_end(socket: &TcpStream) -> OwnedFd {
    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let address = socket.local_addr().unwrap();
    let copies = || {
        let open = fs::read_dir("/proc/self/fd").unwrap();
        let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers.filter_map(|number| pidfd_getfd(&this, number, PidfdGetfdFlags::empty()).ok())
    };
    let is_other_end = |copy: &OwnedFd| {
        let peer = getpeername(copy).ok().flatten();
        peer.is_some_and(|peer| SocketAddr::try_from(peer).is_ok_and(|peer| peer == address))
    };
    // It is there as soon as the server has let it in.
    loop {
        if let Some(copy) = copies().find(is_other_end) {
            return copy;
        }
        thread::yield_now();
    }
}
