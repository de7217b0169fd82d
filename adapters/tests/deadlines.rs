//! Deadlines that depend on the adapter: how long a socket or TLS really waits, on every server.

mod pair;
mod peer;
mod serving;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use pair::Pair;
use peer::{LONG, ask, connect, hello, site};
use rustls::version::TLS13;
use sanserve_core::{Config, Files, Timeouts};
use sanserve_server::Disk;
use serving::{SERVERS, Serving, Setup};
use socket2::{Domain, Socket, Type};

#[test]
fn a_handshake_has_the_time_of_a_head_however_it_drips() {
    let pair = Pair::new();
    let mut first = Vec::new();
    pair.client(&TLS13, &[]).write_tls(&mut first).unwrap();
    for name in SERVERS {
        let head = Duration::from_millis(500);
        let timeouts = Timeouts {
            idle: 10 * LONG,
            head,
            ..Timeouts::default()
        };
        let server = Serving::start(
            name,
            Setup {
                connections: 8,
                timeouts,
                tls: Some(pair.tls()),
            },
        );
        // Half of it comes at once, and nothing more.
        let start = Instant::now();
        let silent = connect(server.address);
        (&silent).write_all(&first[..first.len() / 2]).unwrap();
        assert!(!matches!((&silent).read(&mut [0]), Ok(1..)), "{name}");
        within(start, head, name);
        // A byte at a time, more slowly than there is time for.
        let start = Instant::now();
        let drips = connect(server.address);
        let pause = 2 * LONG / first.len() as u32;
        drips.set_read_timeout(Some(pause)).unwrap();
        assert!(first.iter().any(|byte| !takes(&drips, *byte)), "{name}");
        within(start, head, name);
    }
}

#[test]
fn a_client_that_reads_nothing_gives_up_its_place_at_the_deadline() {
    for name in SERVERS {
        let grace = Duration::from_secs(2);
        let timeouts = Timeouts {
            grace,
            rate: u32::MAX,
            ..Timeouts::default()
        };
        let server = Serving::start(
            name,
            Setup {
                connections: 1,
                timeouts,
                tls: None,
            },
        );
        let start = Instant::now();
        let deaf = with_small_buffer(server.address);
        ask(&deaf, "/big");
        // This one is in when the other one is out.
        hello(&connect(server.address));
        within(start, grace, name);
        drop(deaf);
    }
}

#[test]
#[cfg(unix)]
fn so_does_one_on_standard_output() {
    let site = site();
    let disk = Disk::open(site.path()).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let deaf = with_small_buffer(listener.local_addr().unwrap());
    let (socket, _) = listener.accept().unwrap();
    ask(&deaf, "/big");
    let grace = Duration::from_secs(2);
    let timeouts = Timeouts {
        grace,
        rate: u32::MAX,
        ..Timeouts::default()
    };
    let config = Config {
        timeouts,
        ..Config::default()
    };
    let start = Instant::now();
    let (input, output) = (socket.try_clone().unwrap().into(), socket.into());
    let _ = sanserve_server::stdio::serve(input, output, &disk, config, Files::new(), &|_| ());
    within(start, grace, "stdio");
    drop(deaf);
}

/// A connection that takes little before it is full.
fn with_small_buffer(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// Whether the server still takes a byte, and has not closed the connection.
fn takes(mut socket: &TcpStream, byte: u8) -> bool {
    let read = socket
        .write_all(&[byte])
        .and_then(|()| socket.read(&mut [0]));
    matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Asserts that this took so long and not much longer. The machine may be busy.
fn within(start: Instant, time: Duration, name: &str) {
    let took = start.elapsed();
    println!("{name}: {took:?} of {time:?}");
    let slack = Duration::from_millis(1500);
    assert!((time..time + slack).contains(&took), "{name}: {took:?}");
}
