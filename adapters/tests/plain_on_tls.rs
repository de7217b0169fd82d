//! Plain HTTP at a port for HTTPS, on every runtime that does TLS.
#![cfg(target_os = "linux")]

mod pair;
mod peer;
mod readers;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pair::Pair;
use peer::{LONG, connect};
use readers::{RUNTIMES, Server, Setup};
use sanserve_core::{Config, Files, Protocol, Timeouts};
use tempfile::TempDir;

fn start(runtime: &'static str, pair: &Pair, site: &TempDir) -> Server {
    let setup = Setup {
        runtime,
        tls: Some(pair.tls()),
        send_buffer: 0,
        connections: 100,
        config: Config {
            protocol: Protocol::Http11,
            timeouts: Timeouts {
                head: Duration::from_millis(300),
                ..Timeouts::default()
            },
            ..Config::default()
        },
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
fn a_plain_request_is_sent_to_https_however_it_is_cut() {
    let (site, pair) = (site(), Pair::new());
    for runtime in RUNTIMES {
        let server = start(runtime, &pair, &site);
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
        let line = "Plain HTTP on an HTTPS port: the client is sent to https\n";
        assert_eq!(log.matches(line).count(), 3, "{runtime}: {log}");
        assert!(!log.contains("TLS:"), "{runtime}: {log}");
        // Over TLS the file is there.
        let mut stream = pair.connect(server.address);
        write!(stream, "GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.ends_with("\r\n\r\nhello\n"), "{runtime}: {reply}");
    }
}

#[test]
fn plain_text_says_what_is_wrong_with_any_other_beginning_of_http() {
    let (site, pair) = (site(), Pair::new());
    for runtime in RUNTIMES {
        let server = start(runtime, &pair, &site);
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000));
        for (request, status) in [
            ("GET / HTTP/1.0\r\n\r\n", "400"),
            ("HELO mail.example\r\n", "400"),
            ("\r\nGET / HTTP/1.1\r\n\r\n", "400"),
            (&long, "414"),
            // Half a head has the time of any head.
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
            assert!(start.elapsed() < LONG / 2, "{runtime}, {short:?}");
        }
    }
}

#[test]
fn a_client_that_says_nothing_is_closed_as_in_a_handshake() {
    let (site, pair) = (site(), Pair::new());
    for runtime in RUNTIMES {
        let server = start(runtime, &pair, &site);
        let start = Instant::now();
        assert_eq!(read(&connect(server.address)), "", "{runtime}");
        assert!(start.elapsed() < LONG / 2, "{runtime}");
    }
}
