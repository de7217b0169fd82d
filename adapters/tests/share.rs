//! Many connections on a few threads: each has its share.
#![cfg(unix)]

mod peer;

use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::thread;

use peer::{LONG, connect, hello, site};
use sanserve_core::{Config, Files, Protocol};
use sanserve_server::Disk;
use sanserve_server::event_loop::HTTPServer;

#[test]
fn connections_are_shared_by_the_threads() {
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(2).with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let site = site();
    let disk = Disk::open(site.path()).unwrap();
    let config = Config::default().with_protocol(Protocol::Http11);
    let (names, name) = mpsc::channel();
    // It is made by the thread that has let its connection in.
    let handler = || {
        names.send(thread::current().id()).unwrap();
        Files::new()
    };
    thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config, handler));
        let all: Vec<_> = (0..64).map(|_| connect(address)).collect();
        all.iter().for_each(hello);
        drop(all);
        stopper.shutdown(LONG);
    });
    let names: Vec<_> = name.try_iter().collect();
    assert_eq!(names.len(), 64);
    let first = names.iter().filter(|&name| *name == names[0]).count();
    assert!((16..=48).contains(&first), "{first} of 64");
}
