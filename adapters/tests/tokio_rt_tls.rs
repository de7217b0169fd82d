//! Tests HTTPS on the tokio server: handshakes, replies, shutdown, and clients that are silent or violate the protocol.

mod certificate;
mod client;
mod tokio_server;

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use certificate::{Stream, TestCertificate};
use client::{BIG_LEN, TIMEOUT, connect};
use rustls::StreamOwned;
use rustls::version::{TLS12, TLS13};
use sanserve_core::Timeouts;
use tokio_server::{TokioServer, config};

fn serve(certificate: &TestCertificate, timeouts: Timeouts) -> TokioServer {
    let tls = certificate.tls();
    let config = config().with_timeouts(timeouts);
    TokioServer::with(|server| server.with_tls(tls), config)
}

/// Requests `a.txt` and leaves the connection open.
fn get_hello_over_tls(stream: &mut Stream) {
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
fn files_are_served_completely_over_tls_1_2_and_1_3() {
    let certificate = TestCertificate::new();
    let server = serve(&certificate, Timeouts::default());
    for version in [&TLS12, &TLS13] {
        let stream = || StreamOwned::new(certificate.client(version, &[]), connect(server.address));
        let mut persistent = stream();
        (0..3).for_each(|_| get_hello_over_tls(&mut persistent));
        // Without a close_notify at the end, reading would fail.
        let mut whole = stream();
        write!(whole, "GET /big HTTP/1.0\r\n\r\n").unwrap();
        let len = io::copy(&mut whole, &mut io::sink()).unwrap();
        assert!(len > BIG_LEN as u64);
        // The server sends a close_notify even if the client has sent one before.
        let mut closes_first = stream();
        write!(closes_first, "GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
        closes_first.conn.send_close_notify();
        let mut reply = Vec::new();
        closes_first.read_to_end(&mut reply).unwrap();
        assert!(reply.ends_with(b"\r\n\r\nhello\n"));
    }
    server.stop(TIMEOUT);
}

#[test]
fn shutdown_closes_idle_connections_and_a_cut_off_reply_has_no_close_notify() {
    let certificate = TestCertificate::new();
    let server = serve(&certificate, Timeouts::default());
    let (mut idle, mut busy) = (
        certificate.connect(server.address),
        certificate.connect(server.address),
    );
    get_hello_over_tls(&mut idle);
    write!(busy, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    busy.read_exact(&mut [0; 100]).unwrap();
    drop(server.stopper.shutdown(3 * TIMEOUT));
    assert!(!matches!(idle.read(&mut [0]), Ok(1..)));
    server.stop(Duration::from_millis(10));
    let read = io::copy(&mut busy, &mut io::sink());
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn bytes_that_are_neither_tls_nor_http_get_an_alert_and_a_log_line() {
    let certificate = TestCertificate::new();
    let server = serve(&certificate, Timeouts::default());
    let mut plain = connect(server.address);
    plain.write_all(b"\x00 nothing at all\r\n\r\n").unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    // A fatal alert of two bytes.
    assert_eq!((alert[0], alert[4], alert[5], alert.len()), (21, 2, 2, 7));
    get_hello_over_tls(&mut certificate.connect(server.address));
    let log = server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("TLS:")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].starts_with("127.0.0.1 - - ["), "{log}");
    assert!(lines[0].ends_with("] TLS: neither TLS nor HTTP"));
}

#[test]
fn silent_clients_do_not_delay_others() {
    let certificate = TestCertificate::new();
    let server = serve(&certificate, Timeouts::default());
    let mut client_hello = Vec::new();
    certificate
        .client(&TLS13, &[])
        .write_tls(&mut client_hello)
        .unwrap();
    let silent: Vec<_> = (0..200)
        .map(|n| {
            let mut socket = connect(server.address);
            // Some become silent during the handshake.
            if n % 2 == 0 {
                socket.write_all(&client_hello).unwrap();
            }
            socket
        })
        .collect();
    get_hello_over_tls(&mut certificate.connect(server.address));
    // All silent connections are still open.
    for mut socket in &silent {
        socket.set_nonblocking(true).unwrap();
        match socket.read(&mut [0; 4096]) {
            Ok(n) => assert!(n > 0, "the connection was closed"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    server.stop(TIMEOUT);
}

#[test]
fn a_slow_handshake_has_a_deadline() {
    let certificate = TestCertificate::new();
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(500))
        .with_park(Duration::from_millis(100));
    let server = serve(&certificate, timeouts);
    let mut client_hello = Vec::new();
    certificate
        .client(&TLS13, &[])
        .write_tls(&mut client_hello)
        .unwrap();
    let mut socket = connect(server.address);
    let start = Instant::now();
    let pause = Duration::from_millis(20);
    socket.set_read_timeout(Some(pause)).unwrap();
    let ended = client_hello.iter().any(|byte| {
        let sent = socket.write_all(&[*byte]);
        let read = sent.and_then(|()| socket.read(&mut [0]));
        !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    });
    assert!(ended, "the handshake took as long as the client wanted");
    assert!(start.elapsed() >= Duration::from_millis(400));
    server.stop(TIMEOUT);
}
