//! Tests that plain HTTP on an HTTPS port is redirected or gets an explanation, and that a client that sends nothing is
//! disconnected at the deadline, on every runtime with TLS.
#![cfg(target_os = "linux")]

mod certificate;
mod client;
mod slow_client;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use certificate::TestCertificate;
use client::{TIMEOUT, connect};
use sanserve_core::{Config, Files, Protocol, Timeouts};
use slow_client::{RUNTIMES, Server, Setup};
use tempfile::TempDir;

fn start(
    runtime: &'static str,
    certificate: &TestCertificate,
    site: &TempDir,
    head: Duration,
) -> Server {
    let setup = Setup {
        runtime,
        tls: Some(certificate.tls()),
        send_buffer: 0,
        connections: 100,
        config: Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(Timeouts::default().with_head(head)),
        handler: Files::new,
    };
    Server::start(setup, site.path())
}

fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    fs::write(site.path().join("a.txt"), "hello\n").unwrap();
    site
}

fn read(mut socket: &TcpStream) -> String {
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn a_plain_request_is_redirected_to_https_however_it_is_split() {
    let (site, certificate) = (site(), TestCertificate::new());
    for runtime in RUNTIMES {
        let server = start(runtime, &certificate, &site, TIMEOUT);
        let host = server.address;
        let request = format!("GET /a.txt?b=c HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for piece in [1, 2, request.len()] {
            let mut socket = connect(server.address);
            socket.set_nodelay(true).unwrap();
            for bytes in request.as_bytes().chunks(piece) {
                socket.write_all(bytes).unwrap();
            }
            let reply = read(&socket);
            assert!(
                reply.starts_with("HTTP/1.1 308 Permanent Redirect\r\n"),
                "{runtime}: {reply}"
            );
            let location = format!("\r\nLocation: https://{host}/a.txt?b=c\r\n");
            assert!(reply.contains(&location), "{runtime}: {reply}");
        }
        let log = server.log();
        let line = "Plain HTTP on an HTTPS port: redirected to https\n";
        assert_eq!(log.matches(line).count(), 3, "{runtime}: {log}");
        assert!(!log.contains("TLS:"), "{runtime}: {log}");
        // Over TLS the file is served.
        let mut stream = certificate.connect(server.address);
        write!(stream, "GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.ends_with("\r\n\r\nhello\n"), "{runtime}: {reply}");
    }
}

#[test]
fn other_plain_http_gets_an_explanation_in_plain_text() {
    let (site, certificate) = (site(), TestCertificate::new());
    for runtime in RUNTIMES {
        let server = start(runtime, &certificate, &site, Duration::from_secs(1));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000));
        for (request, status) in [
            ("GET / HTTP/1.0\r\n\r\n", "400"),
            ("HELO mail.example\r\n", "400"),
            ("\r\nGET / HTTP/1.1\r\n\r\n", "400"),
            (&long, "414"),
            // A partial head has the same deadline as over TLS.
            ("GET / HT", "408"),
        ] {
            let start = Instant::now();
            let mut socket = connect(server.address);
            socket.write_all(request.as_bytes()).unwrap();
            let reply = read(&socket);
            let short: String = request.chars().take(20).collect();
            assert!(
                reply.contains("This port speaks HTTPS"),
                "{runtime}, {short:?}: {reply}"
            );
            assert!(reply.contains(status), "{runtime}, {short:?}: {reply}");
            assert!(start.elapsed() < TIMEOUT / 2, "{runtime}, {short:?}");
        }
    }
}

#[test]
fn a_silent_client_is_disconnected_at_the_deadline_of_a_handshake() {
    let (site, certificate) = (site(), TestCertificate::new());
    for runtime in RUNTIMES {
        let server = start(runtime, &certificate, &site, Duration::from_millis(300));
        let start = Instant::now();
        assert_eq!(read(&connect(server.address)), "", "{runtime}");
        assert!(start.elapsed() < TIMEOUT / 2, "{runtime}");
    }
}
