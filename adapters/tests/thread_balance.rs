//! Tests that connections are distributed evenly over the threads of the event loop.
#![cfg(unix)]

mod client;

use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::thread;

use client::{TIMEOUT, connect, get_hello, site};
use sanserve_core::{Config, Files, Protocol};
use sanserve_server::Disk;
use sanserve_server::event_loop::HTTPServer;

#[test]
fn connections_are_spread_over_the_threads() {
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(2).with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let site = site();
    let disk = Disk::open(site.path()).unwrap();
    let config = Config::default().with_protocol(Protocol::Http11);
    let (sender, receiver) = mpsc::channel();
    // The handler is made by the thread that accepted its connection.
    let handler = || {
        sender.send(thread::current().id()).unwrap();
        Files::new()
    };
    thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config, handler));
        let sockets: Vec<_> = (0..64).map(|_| connect(address)).collect();
        sockets.iter().for_each(get_hello);
        drop(sockets);
        stopper.shutdown(TIMEOUT);
    });
    let threads: Vec<_> = receiver.try_iter().collect();
    assert_eq!(threads.len(), 64);
    let first = threads.iter().filter(|&id| *id == threads[0]).count();
    assert!((16..=48).contains(&first), "{first} of 64");
}
