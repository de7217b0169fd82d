//! Tests the lingering close of a connection: the last reply arrives whole even if a slow client keeps sending.
#![cfg(target_os = "linux")]

mod certificate;
mod client;
mod slow_client;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use certificate::TestCertificate;
use client::TIMEOUT;
use rustls::ClientConnection;
use rustls::version::TLS13;
use sanserve_core::{Config, Files, Protocol, Timeouts};
use slow_client::{RUNTIMES, Recorder, Server, Setup, connect, read_slowly};
use tempfile::TempDir;

/// The length of the file that is requested first.
const LEN: usize = 100 * 1024;

/// The rate of the client in bytes per second, at which the file takes two and a half seconds.
const RATE: usize = 40_000;

/// Returns the requests that a client sends together, and the status of the last reply.
fn conversations() -> Vec<(Vec<u8>, &'static str)> {
    let get = "GET /file HTTP/1.1\r\nHost: h\r\n";
    let text = |text: String| text.into_bytes();
    vec![
        (text(format!("{get}Connection: close\r\n\r\n")), "200"),
        (b"GET /file HTTP/1.0\r\n\r\n".to_vec(), "200"),
        (text(format!("{get}\r\nGARBAGE\r\n\r\n")), "400"),
        (text(format!("{get}\r\nGET / HTTP/1.1\r\nHo")), "408"),
        (
            text(format!(
                "{get}\r\nGET / HTTP/1.1\r\nX: {}",
                "x".repeat(70_000)
            )),
            "431",
        ),
        (
            text(format!(
                "{get}\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\n"
            )),
            "405",
        ),
        (text(format!("{get}Content-Length: 999999\r\n\r\n")), "200"),
    ]
}

#[test]
fn the_last_reply_arrives_whole_while_the_client_keeps_sending() {
    let (site, certificate) = (TempDir::new().unwrap(), TestCertificate::new());
    fs::write(site.path().join("file"), vec![b'x'; LEN]).unwrap();
    let conversations = conversations();
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            for tls in [false, true] {
                for (request, status) in &conversations {
                    let (site, certificate) = (site.path(), &certificate);
                    scope.spawn(move || run(runtime, tls, request, status, site, certificate));
                }
            }
        }
    });
}

fn run(
    runtime: &'static str,
    tls: bool,
    request: &[u8],
    status: &str,
    site: &Path,
    certificate: &TestCertificate,
) {
    let setup = Setup {
        runtime,
        tls: tls.then(|| certificate.tls()),
        send_buffer: 0,
        connections: 1,
        config: Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(
                Timeouts::default()
                    .with_head(Duration::from_millis(300))
                    .with_linger(Duration::from_millis(100)),
            ),
        handler: Files::new,
    };
    let server = Server::start(setup, site);
    let socket = connect(server.address);
    let replies = if tls {
        let tls = certificate.client(&TLS13, &[]);
        send_and_read(&mut TlsClient { tls, socket }, request)
    } else {
        send_and_read(&mut &socket, request)
    };
    let text = String::from_utf8_lossy(&replies);
    let start: String = String::from_utf8_lossy(request).chars().take(60).collect();
    let name = format!("{runtime}, TLS {tls}, {start:?}");
    let last = text.rfind("HTTP/1.1 ").map(|at| &text[at + 9..at + 12]);
    let content = replies.iter().filter(|byte| **byte == b'x').count();
    let log = server.log();
    assert!(content >= LEN, "{name}: {content} bytes of the file; {log}");
    assert_eq!(last, Some(status), "{name}: {log}");
}

/// Sends a request, reads the replies slowly to their end, and keeps sending meanwhile.
fn send_and_read<S: Read + Write>(stream: &mut S, request: &[u8]) -> Vec<u8> {
    stream.write_all(request).unwrap();
    stream.flush().unwrap();
    let mut recorder = Recorder::new(stream);
    // Bytes that arrive before the first reply would be read before the connection is closed. Sending fails once the
    // connection has ended, which is expected.
    let keep_sending = |recorder: &mut Recorder<'_, S>| {
        if !recorder.read.is_empty() {
            let _ = recorder
                .stream
                .write_all(b"more")
                .and_then(|()| recorder.stream.flush());
        }
    };
    let _ = read_slowly(&mut recorder, RATE, TIMEOUT, keep_sending);
    recorder.read
}

/// A TLS client that can still read the bytes that have arrived after a failed write.
struct TlsClient {
    tls: ClientConnection,
    socket: TcpStream,
}

impl Read for TlsClient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if self.tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            self.tls.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Write for TlsClient {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.socket)?;
        }
        let n = self.tls.writer().write(from)?;
        self.flush()?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}
