//! The end of a connection: the last reply arrives whole, also at a slow reader that goes on sending.
#![cfg(target_os = "linux")]

mod pair;
mod peer;
mod readers;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use pair::Pair;
use peer::LONG;
use readers::{Keeping, RUNTIMES, Server, Setup, connect, read_slowly};
use rustls::ClientConnection;
use rustls::version::TLS13;
use sanserve_core::{Config, Files, Protocol, Timeouts};
use tempfile::TempDir;

/// The length of the file that is asked for first.
const LEN: usize = 100 * 1024;

/// As the reader takes it: the file takes two and a half seconds.
const RATE: usize = 40_000;

/// What a client sends at once, and the status of the last reply.
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
fn the_last_reply_arrives_whole_though_the_client_goes_on_sending() {
    let (site, pair) = (TempDir::new().unwrap(), Pair::new());
    fs::write(site.path().join("file"), vec![b'x'; LEN]).unwrap();
    let conversations = conversations();
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            for tls in [false, true] {
                for (request, status) in &conversations {
                    let (site, pair) = (site.path(), &pair);
                    scope.spawn(move || run(runtime, tls, request, status, site, pair));
                }
            }
        }
    });
}

fn run(runtime: &'static str, tls: bool, request: &[u8], status: &str, site: &Path, pair: &Pair) {
    let setup = Setup {
        runtime,
        tls: tls.then(|| pair.tls()),
        send_buffer: 0,
        connections: 1,
        config: Config {
            protocol: Protocol::Http11,
            timeouts: Timeouts {
                head: Duration::from_millis(300),
                linger: Duration::from_millis(100),
                ..Timeouts::default()
            },
            ..Config::default()
        },
        handler: Files::new,
    };
    let server = Server::start(setup, site);
    let socket = connect(server.address);
    let replies = if tls {
        let tls = pair.client(&TLS13, &[]);
        converse(&mut Client { tls, socket }, request)
    } else {
        converse(&mut &socket, request)
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

/// Sends a request and goes on sending while the replies are read slowly, to their end.
fn converse<S: Read + Write>(stream: &mut S, request: &[u8]) -> Vec<u8> {
    stream.write_all(request).unwrap();
    stream.flush().unwrap();
    let mut kept = Keeping::new(stream);
    // What comes while the request is served would be read before the connection is closed. When it has ended nothing
    // can be sent, and that is no fault.
    let goes_on = |kept: &mut Keeping<'_, S>| {
        if !kept.read.is_empty() {
            let _ = kept
                .stream
                .write_all(b"more")
                .and_then(|()| kept.stream.flush());
        }
    };
    let _ = read_slowly(&mut kept, RATE, LONG, goes_on);
    kept.read
}

/// A client over TLS that reads what has come also after it could send nothing more.
struct Client {
    tls: ClientConnection,
    socket: TcpStream,
}

impl Read for Client {
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

impl Write for Client {
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
