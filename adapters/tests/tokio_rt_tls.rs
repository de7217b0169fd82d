//! HTTPS by tasks: handshakes that keep nobody waiting, and clients that do not keep to it.

mod pair;
mod peer;
mod task;

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use pair::{Pair, Stream};
use peer::{BIG, LONG, connect};
use rustls::StreamOwned;
use rustls::version::{TLS12, TLS13};
use sanserve_core::Timeouts;
use task::{Running, config};

fn serve(pair: &Pair, timeouts: Timeouts) -> Running {
    let tls = pair.tls();
    let config = config().with_timeouts(timeouts);
    Running::with(|server| server.with_tls(tls), config)
}

/// Asks for `a.txt` and leaves the connection open.
fn hello(stream: &mut Stream) {
    write!(stream, "GET /a.txt HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\nhello\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        reply.extend(byte);
    }
    assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn files_are_served_over_both_versions_to_the_last_byte() {
    let pair = Pair::new();
    let running = serve(&pair, Timeouts::default());
    for version in [&TLS12, &TLS13] {
        let stream = || StreamOwned::new(pair.client(version, &[]), connect(running.address));
        let mut kept = stream();
        (0..3).for_each(|_| hello(&mut kept));
        // Without a close_notify at the end, this would be an error.
        let mut whole = stream();
        write!(whole, "GET /big HTTP/1.0\r\n\r\n").unwrap();
        let len = io::copy(&mut whole, &mut io::sink()).unwrap();
        assert!(len > BIG as u64);
        // So is it for who says first that he has nothing more to say.
        let mut first = stream();
        write!(first, "GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
        first.conn.send_close_notify();
        let mut reply = Vec::new();
        first.read_to_end(&mut reply).unwrap();
        assert!(reply.ends_with(b"\r\n\r\nhello\n"));
    }
    running.stop(LONG);
}

#[test]
fn stopping_lets_the_idle_go_and_what_is_cut_off_does_not_look_whole() {
    let pair = Pair::new();
    let running = serve(&pair, Timeouts::default());
    let (mut idle, mut busy) = (pair.connect(running.address), pair.connect(running.address));
    hello(&mut idle);
    write!(busy, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    busy.read_exact(&mut [0; 100]).unwrap();
    drop(running.stopper.shutdown(3 * LONG));
    assert!(!matches!(idle.read(&mut [0]), Ok(1..)));
    running.stop(Duration::from_millis(10));
    let read = io::copy(&mut busy, &mut io::sink());
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn what_is_neither_tls_nor_http_gets_an_alert_and_a_line_in_the_log() {
    let pair = Pair::new();
    let running = serve(&pair, Timeouts::default());
    let mut plain = connect(running.address);
    plain.write_all(b"\x00 nothing at all\r\n\r\n").unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    // An alert, of two bytes, fatal.
    assert_eq!((alert[0], alert[4], alert[5], alert.len()), (21, 2, 2, 7));
    hello(&mut pair.connect(running.address));
    let log = running.log();
    let complaints: Vec<_> = log.lines().filter(|line| line.contains("TLS:")).collect();
    assert_eq!(complaints.len(), 1, "{log}");
    assert!(complaints[0].starts_with("127.0.0.1 - - ["), "{log}");
    assert!(complaints[0].ends_with("] TLS: neither TLS nor HTTP"));
}

#[test]
fn silent_clients_keep_nobody_waiting() {
    let pair = Pair::new();
    let running = serve(&pair, Timeouts::default());
    let mut first = Vec::new();
    pair.client(&TLS13, &[]).write_tls(&mut first).unwrap();
    let silent: Vec<_> = (0..200)
        .map(|n| {
            let mut socket = connect(running.address);
            // Some fall silent in the handshake.
            if n % 2 == 0 {
                socket.write_all(&first).unwrap();
            }
            socket
        })
        .collect();
    hello(&mut pair.connect(running.address));
    // They are all still there, and silent.
    for mut socket in &silent {
        socket.set_nonblocking(true).unwrap();
        match socket.read(&mut [0; 4096]) {
            Ok(n) => assert!(n > 0, "it was sent away"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    running.stop(LONG);
}

#[test]
fn a_handshake_that_drips_has_a_deadline() {
    let pair = Pair::new();
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(500))
        .with_park(Duration::from_millis(100));
    let running = serve(&pair, timeouts);
    let mut first = Vec::new();
    pair.client(&TLS13, &[]).write_tls(&mut first).unwrap();
    let mut socket = connect(running.address);
    let start = Instant::now();
    let pause = Duration::from_millis(20);
    socket.set_read_timeout(Some(pause)).unwrap();
    let ended = first.iter().any(|byte| {
        let sent = socket.write_all(&[*byte]);
        let read = sent.and_then(|()| socket.read(&mut [0]));
        !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    });
    let (least, most) = (Duration::from_millis(400), pause * first.len() as u32 / 2);
    let took = start.elapsed();
    assert!(ended && (least..most).contains(&took), "it took {took:?}");
    running.stop(LONG);
}
