//! Tests the deadlines that depend on the adapter: how long a socket or a TLS handshake really waits, on every server
//! and on stdio.

mod certificate;
mod client;
mod servers;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use certificate::TestCertificate;
use client::{TIMEOUT, connect, get_hello, send_get, site};
use rustls::version::TLS13;
use sanserve_core::{Config, Files, Timeouts};
use sanserve_server::Disk;
use servers::{SERVERS, Setup, TestServer};
use socket2::{Domain, Socket, Type};

#[test]
fn a_handshake_must_end_within_the_deadline_of_a_head() {
    let certificate = TestCertificate::new();
    let mut client_hello = Vec::new();
    certificate
        .client(&TLS13, &[])
        .write_tls(&mut client_hello)
        .unwrap();
    let setup = Setup {
        tls: Some(certificate.tls()),
        ..Setup::default()
    };
    for name in SERVERS {
        assert_has_the_deadline_of_a_head(&client_hello, name, &setup);
    }
}

#[test]
fn the_header_of_a_proxy_must_end_within_the_deadline_of_a_head() {
    let certificate = TestCertificate::new();
    let header = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n";
    for tls in [None, Some(certificate.tls())] {
        let setup = Setup {
            tls,
            has_proxies: true,
            ..Setup::default()
        };
        for name in SERVERS {
            assert_has_the_deadline_of_a_head(header, name, &setup);
        }
    }
}

/// Asserts that what begins a connection must be complete within the deadline of a head.
fn assert_has_the_deadline_of_a_head(begin: &[u8], name: &str, setup: &Setup) {
    let deadline = Duration::from_millis(500);
    let timeouts = Timeouts::default()
        .with_idle(10 * TIMEOUT)
        .with_head(deadline);
    let setup = Setup {
        timeouts,
        ..setup.clone()
    };
    let server = TestServer::start(name, setup);
    // The first half, and nothing more.
    let start = Instant::now();
    let silent = connect(server.address);
    (&silent).write_all(&begin[..begin.len() / 2]).unwrap();
    assert!(!matches!((&silent).read(&mut [0]), Ok(1..)), "{name}");
    assert_took(start, deadline, name);
    // A byte at a time, too slowly for the deadline.
    let start = Instant::now();
    let slow = connect(server.address);
    let pause = 2 * TIMEOUT / begin.len() as u32;
    slow.set_read_timeout(Some(pause)).unwrap();
    assert!(begin.iter().any(|byte| !accepts(&slow, *byte)), "{name}");
    assert_took(start, deadline, name);
}

#[test]
fn a_client_that_reads_nothing_is_disconnected_at_the_deadline() {
    for name in SERVERS {
        let grace = Duration::from_secs(2);
        let timeouts = Timeouts::default().with_grace(grace).with_rate(u32::MAX);
        let server = TestServer::start(
            name,
            Setup {
                connections: 1,
                timeouts,
                ..Setup::default()
            },
        );
        let start = Instant::now();
        let reads_nothing = connect_with_small_buffer(server.address);
        send_get(&reads_nothing, "/big");
        // The one connection is this client's. Another thread could admit a later client first.
        reads_nothing.peek(&mut [0]).unwrap();
        // This client is served when the other one has been disconnected.
        get_hello(&connect(server.address));
        assert_took(start, grace, name);
        drop(reads_nothing);
    }
}

#[test]
#[cfg(unix)]
fn on_stdio_a_client_that_reads_nothing_is_disconnected_at_the_deadline() {
    let site = site();
    let disk = Disk::open(site.path()).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let reads_nothing = connect_with_small_buffer(listener.local_addr().unwrap());
    let (socket, _) = listener.accept().unwrap();
    send_get(&reads_nothing, "/big");
    let grace = Duration::from_secs(2);
    let timeouts = Timeouts::default().with_grace(grace).with_rate(u32::MAX);
    let config = Config::default().with_timeouts(timeouts);
    let start = Instant::now();
    let (input, output) = (socket.try_clone().unwrap().into(), socket.into());
    let _ = sanserve_server::stdio::serve(input, output, &disk, config, Files::new(), &|_| ());
    assert_took(start, grace, "stdio");
    drop(reads_nothing);
}

/// Connects with a small receive buffer.
fn connect_with_small_buffer(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// Sends a byte, and returns whether the connection is still open.
fn accepts(mut socket: &TcpStream, byte: u8) -> bool {
    let read = socket
        .write_all(&[byte])
        .and_then(|()| socket.read(&mut [0]));
    matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Asserts that this took the expected time, with some tolerance for a busy machine.
fn assert_took(start: Instant, expected: Duration, name: &str) {
    let took = start.elapsed();
    println!("{name}: {took:?} of {expected:?}");
    let tolerance = TIMEOUT / 2;
    assert!(
        (expected..expected + tolerance).contains(&took),
        "{name}: {took:?}"
    );
}
