//! The ceiling of connections: which one is closed when another client waits.

mod pair;
mod peer;
mod serving;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use pair::Pair;
use peer::{BIG, LONG, ask, connect, head, hello};
use sanserve_core::Timeouts;
use serving::{SERVERS, Serving, Setup};

/// Timeouts that plays no part.
fn timeouts() -> Timeouts {
    Timeouts {
        idle: 10 * LONG,
        head: 10 * LONG,
        grace: 10 * LONG,
        ..Timeouts::default()
    }
}

fn start(name: &str, connections: usize) -> Serving {
    let (timeouts, tls) = (timeouts(), None);
    Serving::start(
        name,
        Setup {
            connections,
            timeouts,
            tls,
        },
    )
}

/// A connection whose reply has come is idle for the server a moment later. So which one is closed for
/// the next client is tried some times.
const TRIES: usize = 20;

#[test]
fn the_connection_that_was_idle_longest_makes_room() {
    // Where there are several threads, each looks at its own connections.
    for name in SERVERS.iter().filter(|name| !name.contains("threads")) {
        let right = (0..TRIES).any(|_| {
            let server = start(name, 4);
            let inside: Vec<_> = (0..4).map(|_| connect(server.address)).collect();
            inside.iter().for_each(hello);
            // Now the second has been idle longest.
            hello(&inside[0]);
            let start = Instant::now();
            let late = connect(server.address);
            hello(&late);
            assert!(start.elapsed() < LONG / 2, "{name}: {:?}", start.elapsed());
            let closed: Vec<_> = (0..4).filter(|at| is_closed(&inside[*at])).collect();
            assert_eq!(closed.len(), 1, "{name}");
            closed == [1]
        });
        assert!(right, "{name}");
    }
}

#[test]
fn half_a_head_makes_room_after_the_idle_and_a_running_reply_never() {
    for name in SERVERS {
        let right = (0..TRIES).any(|_| {
            let server = start(name, 3);
            let open = || {
                let socket = connect(server.address);
                ask(&socket, "/big");
                assert!(head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
                socket
            };
            let busy = open();
            let half = connect(server.address);
            hello(&half);
            (&half).write_all(b"GET /a.txt HT").unwrap();
            let idle = connect(server.address);
            hello(&idle);
            let first = open();
            let right = is_closed(&idle) && !is_closed(&half);
            let second = open();
            assert!(is_closed(&half) && is_closed(&idle), "{name}");
            // Now all have a running reply. The next client waits until one of them is idle.
            let third = connect(server.address);
            ask(&third, "/a.txt");
            third.set_nonblocking(true).unwrap();
            let waits = (&third).read(&mut [0]).unwrap_err();
            assert_eq!(waits.kind(), ErrorKind::WouldBlock, "{name}");
            third.set_nonblocking(false).unwrap();
            take_big(&first);
            assert!(head(&third).starts_with("HTTP/1.1 200 OK\r\n"), "{name}");
            [&busy, &second].into_iter().for_each(take_big);
            right
        });
        assert!(right, "{name}");
    }
}

#[test]
fn two_hundred_idle_connections_delay_no_client() {
    for name in SERVERS {
        let server = start(name, 200);
        let idle: Vec<_> = (0..200).map(|_| connect(server.address)).collect();
        idle.iter().for_each(hello);
        let start = Instant::now();
        for _ in 0..100 {
            hello(&connect(server.address));
        }
        println!("{name}: 100 clients took {:?}", start.elapsed());
        assert!(start.elapsed() < LONG / 2, "{name}: {:?}", start.elapsed());
        // No more have gone than had to.
        let gone = idle.iter().filter(|socket| is_closed(socket)).count();
        assert!(gone <= 105, "{name}: {gone}");
    }
}

#[test]
fn handshakes_make_room_too() {
    let pair = Pair::new();
    for name in SERVERS {
        let setup = Setup {
            connections: 2,
            timeouts: timeouts(),
            tls: Some(pair.tls()),
        };
        let server = Serving::start(name, setup);
        // These have begun their handshakes: the first bytes of a record.
        let halves = [(); 2].map(|()| connect(server.address));
        for half in &halves {
            (&*half).write_all(&[22, 3, 1, 1, 0, 1]).unwrap();
        }
        let start = Instant::now();
        for _ in 0..4 {
            let mut stream = pair.connect(server.address);
            let request = b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n";
            stream.write_all(request).unwrap();
            stream.read_exact(&mut [0; 100]).unwrap();
        }
        assert!(start.elapsed() < LONG / 2, "{name}: {:?}", start.elapsed());
    }
}

/// Whether the server has closed this connection, perhaps with a last word.
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

/// Takes the rest of a reply that is `/big`.
fn take_big(mut socket: &TcpStream) {
    let mut left = BIG;
    let mut piece = vec![0; 1 << 20];
    while left > 0 {
        let most = left.min(piece.len());
        left -= socket.read(&mut piece[..most]).unwrap();
    }
}
