//! Tests the limit of connections on every server: which connection is closed when it is reached and another client
//! waits.

mod certificate;
mod client;
mod servers;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use certificate::TestCertificate;
use client::{BIG_LEN, TIMEOUT, connect, get_hello, read_head, send_get};
use sanserve_core::Timeouts;
use servers::{SERVERS, Setup, TestServer};

/// Timeouts that do not end within the test.
fn timeouts() -> Timeouts {
    Timeouts::default()
        .with_idle(10 * TIMEOUT)
        .with_head(10 * TIMEOUT)
        .with_grace(10 * TIMEOUT)
}

fn start(name: &str, connections: usize) -> TestServer {
    let (timeouts, tls) = (timeouts(), None);
    TestServer::start(
        name,
        Setup {
            connections,
            timeouts,
            tls,
            ..Setup::default()
        },
    )
}

/// A connection becomes idle for the server only a moment after its reply has arrived. So checks of the order are
/// repeated until one succeeds.
const TRIES: usize = 20;

#[test]
fn the_longest_idle_connection_is_closed_for_a_new_client() {
    // With several threads, each considers only its own connections.
    for name in SERVERS.iter().filter(|name| !name.contains("threads")) {
        let is_right = (0..TRIES).any(|_| {
            let server = start(name, 4);
            let sockets: Vec<_> = (0..4).map(|_| connect(server.address)).collect();
            sockets.iter().for_each(get_hello);
            // Now the second has been idle longest.
            get_hello(&sockets[0]);
            let start = Instant::now();
            let late = connect(server.address);
            get_hello(&late);
            assert!(
                start.elapsed() < TIMEOUT / 2,
                "{name}: {:?}",
                start.elapsed()
            );
            let closed: Vec<_> = (0..4).filter(|at| is_closed(&sockets[*at])).collect();
            assert_eq!(closed.len(), 1, "{name}");
            closed == [1]
        });
        assert!(is_right, "{name}");
    }
}

#[test]
fn idle_connections_are_closed_before_partial_heads_and_running_replies_never() {
    for name in SERVERS {
        let is_right = (0..TRIES).any(|_| {
            let server = start(name, 3);
            let begin_reply = || {
                let socket = connect(server.address);
                send_get(&socket, "/big");
                assert!(read_head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
                socket
            };
            let busy = begin_reply();
            let partial = connect(server.address);
            get_hello(&partial);
            (&partial).write_all(b"GET /a.txt HT").unwrap();
            let idle = connect(server.address);
            get_hello(&idle);
            let first = begin_reply();
            let in_order = is_closed(&idle) && !is_closed(&partial);
            let second = begin_reply();
            assert!(is_closed(&partial) && is_closed(&idle), "{name}");
            // Now all have a running reply. The next client waits until one of them is idle.
            let third = connect(server.address);
            send_get(&third, "/a.txt");
            third.set_nonblocking(true).unwrap();
            let error = (&third).read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{name}");
            third.set_nonblocking(false).unwrap();
            read_big(&first);
            assert!(
                read_head(&third).starts_with("HTTP/1.1 200 OK\r\n"),
                "{name}"
            );
            [&busy, &second].into_iter().for_each(read_big);
            in_order
        });
        assert!(is_right, "{name}");
    }
}

#[test]
fn two_hundred_idle_connections_do_not_delay_new_clients() {
    for name in SERVERS {
        let server = start(name, 200);
        let idle: Vec<_> = (0..200).map(|_| connect(server.address)).collect();
        idle.iter().for_each(get_hello);
        let start = Instant::now();
        for _ in 0..100 {
            get_hello(&connect(server.address));
        }
        println!("{name}: 100 clients took {:?}", start.elapsed());
        assert!(
            start.elapsed() < TIMEOUT / 2,
            "{name}: {:?}",
            start.elapsed()
        );
        // No more were closed than necessary.
        let closed = idle.iter().filter(|socket| is_closed(socket)).count();
        assert!(closed <= 105, "{name}: {closed}");
    }
}

#[test]
fn unfinished_handshakes_are_closed_for_a_new_client() {
    let certificate = TestCertificate::new();
    for name in SERVERS {
        let setup = Setup {
            connections: 2,
            timeouts: timeouts(),
            tls: Some(certificate.tls()),
            ..Setup::default()
        };
        let server = TestServer::start(name, setup);
        // These have begun their handshakes, with the first bytes of a record.
        let handshakes = [(); 2].map(|()| connect(server.address));
        for socket in &handshakes {
            (&*socket).write_all(&[22, 3, 1, 1, 0, 1]).unwrap();
        }
        let start = Instant::now();
        for _ in 0..4 {
            let mut stream = certificate.connect(server.address);
            let request = b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n";
            stream.write_all(request).unwrap();
            stream.read_exact(&mut [0; 100]).unwrap();
        }
        assert!(
            start.elapsed() < TIMEOUT / 2,
            "{name}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn unfinished_headers_of_proxies_are_closed_for_a_new_client() {
    for name in SERVERS {
        let setup = Setup {
            connections: 2,
            timeouts: timeouts(),
            has_proxies: true,
            ..Setup::default()
        };
        let server = TestServer::start(name, setup);
        let unfinished = [(); 2].map(|()| connect(server.address));
        for mut socket in &unfinished {
            socket.write_all(b"PROXY TCP4 ").unwrap();
        }
        let start = Instant::now();
        for _ in 0..4 {
            let mut socket = connect(server.address);
            socket.write_all(b"PROXY UNKNOWN\r\n").unwrap();
            get_hello(&socket);
        }
        assert!(
            start.elapsed() < TIMEOUT / 2,
            "{name}: {:?}",
            start.elapsed()
        );
    }
}

/// Returns whether the server has closed this connection, perhaps after a last reply.
fn is_closed(mut socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let end = loop {
        match socket.read(&mut [0; 512]) {
            Ok(1..) => {}
            Ok(0) => break true,
            Err(error) => break error.kind() != ErrorKind::WouldBlock,
        }
    };
    socket.set_nonblocking(false).unwrap();
    end
}

/// Reads the content of `/big`.
fn read_big(mut socket: &TcpStream) {
    let mut remaining = BIG_LEN;
    let mut buffer = vec![0; 1 << 20];
    while remaining > 0 {
        let len = remaining.min(buffer.len());
        remaining -= socket.read(&mut buffer[..len]).unwrap();
    }
}
