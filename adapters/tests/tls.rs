//! Tests HTTPS on `ThreadingHTTPSServer` and `HTTPSServer`: handshakes, replies, shutdown, and clients that are silent
//! or violate the protocol.

mod certificate;
mod client;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use certificate::{Stream, TestCertificate};
use client::{BIG_LEN, TIMEOUT, connect, get_hello, site};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, StreamOwned};
use sanserve_core::{Config, Files, Protocol, Timeouts, from_fn};
use sanserve_server::{Disk, HTTPSServer, NoFiles, Stopper, ThreadingHTTPSServer, Tls};
use sanserve_server::{HTTPServer, ThreadingHTTPServer};
use tempfile::TempDir;

/// A server that runs on a thread, and is stopped when this is dropped.
struct RunningServer {
    address: SocketAddr,
    stopper: Stopper,
    log: Arc<Mutex<String>>,
    site: Arc<TempDir>,
}

impl RunningServer {
    fn start(server: ThreadingHTTPServer, timeouts: Timeouts) -> RunningServer {
        let log = Arc::new(Mutex::new(String::new()));
        let (sink, site) = (Arc::clone(&log), Arc::new(site()));
        let server = server.with_log(move |lines| sink.lock().unwrap().push_str(lines));
        let (address, stopper) = (server.server_address(), server.stopper());
        let config = Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(timeouts);
        let disk = Disk::open(site.path()).unwrap();
        thread::spawn(move || server.serve_forever(&disk, config, Files::new));
        RunningServer {
            address,
            stopper,
            log,
            site,
        }
    }

    fn with_tls(tls: Tls) -> RunningServer {
        let server = ThreadingHTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), tls).unwrap();
        RunningServer::start(server.with_max_connections(500), Timeouts::default())
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
    }
}

/// Requests `target` and reads to the end, which is an error if there is no close_notify.
fn get(stream: &mut Stream, target: &str) -> io::Result<Vec<u8>> {
    write!(stream, "GET {target} HTTP/1.0\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply)
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
    let server = RunningServer::with_tls(certificate.tls());
    let large: Vec<u8> = (0..10 << 20_u32)
        .map(|at: u32| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    fs::write(server.site.path().join("large"), &large).unwrap();
    let versions = [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ];
    for (version, number) in versions {
        let stream =
            |alpn| StreamOwned::new(certificate.client(version, alpn), connect(server.address));
        let mut kept = stream(&["h2", "http/1.1"]);
        (0..3).for_each(|_| get_hello_over_tls(&mut kept));
        assert_eq!(kept.conn.protocol_version(), Some(number));
        assert_eq!(kept.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let reply = get(&mut stream(&[]), "/large").unwrap();
        let head = reply.len() - large.len();
        assert!(reply[..head].ends_with(b"\r\n\r\n") && reply[head..] == large);
        // The end of the reply is announced by a close_notify, even if the client has sent one before.
        let mut first = stream(&[]);
        write!(first, "GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
        first.conn.send_close_notify();
        let mut reply = Vec::new();
        first.read_to_end(&mut reply).unwrap();
        assert!(reply.ends_with(b"\r\n\r\nhello\n"));
    }
}

#[test]
fn a_reply_that_is_cut_off_has_no_close_notify() {
    let certificate = TestCertificate::new();
    let server = RunningServer::with_tls(certificate.tls());
    let mut stream = certificate.connect(server.address);
    write!(stream, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    server.stopper.shutdown(Duration::from_millis(10));
    let read = io::copy(&mut stream, &mut io::sink());
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn shutdown_over_tls_closes_idle_connections_and_lets_a_running_reply_finish() {
    let certificate = TestCertificate::new();
    let server = RunningServer::with_tls(certificate.tls());
    let (mut idle, mut busy) = (
        certificate.connect(server.address),
        certificate.connect(server.address),
    );
    get_hello_over_tls(&mut idle);
    write!(busy, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    busy.read_exact(&mut [0; 100]).unwrap();
    let stopper = server.stopper.clone();
    let stopping = thread::spawn(move || stopper.shutdown(TIMEOUT));
    let start = Instant::now();
    assert!(!matches!(idle.read(&mut [0]), Ok(1..)));
    assert!(start.elapsed() < TIMEOUT / 2);
    let rest = io::copy(&mut busy, &mut io::sink()).unwrap();
    assert!(rest > BIG_LEN as u64);
    stopping.join().unwrap();
}

#[test]
fn alpn_must_match_unless_the_server_has_no_protocols() {
    let certificate = TestCertificate::new();
    let http1_only = RunningServer::with_tls(certificate.tls());
    let connect_to =
        |address| StreamOwned::new(certificate.client(&TLS13, &["h2"]), connect(address));
    let error = get(&mut connect_to(http1_only.address), "/a.txt").unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"));
    let without_alpn = RunningServer::with_tls(certificate.tls().with_alpn_protocols(&[]));
    let mut stream = connect_to(without_alpn.address);
    get(&mut stream, "/a.txt").unwrap();
    assert_eq!(stream.conn.alpn_protocol(), None);
}

#[test]
fn handle_request_serves_one_connection_over_tls() {
    let certificate = TestCertificate::new();
    let server = HTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), certificate.tls()).unwrap();
    let server: HTTPServer = server.with_log(|_| ());
    let mut stream = certificate.connect(server.server_address());
    let client = thread::spawn(move || get(&mut stream, "/"));
    server.handle_request(NoFiles, Config::default(), || {
        from_fn(|ex| ex.send_error(410, "Gone"))
    });
    let reply = client.join().unwrap().unwrap();
    assert!(reply.starts_with(b"HTTP/1.0 410 Gone\r\n"));
}

#[test]
fn bytes_that_are_neither_tls_nor_http_get_an_alert_and_a_log_line() {
    let certificate = TestCertificate::new();
    let server = RunningServer::with_tls(certificate.tls());
    let mut plain = connect(server.address);
    plain.write_all(b"\x00 nothing at all\r\n\r\n").unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    // A fatal alert of two bytes.
    assert_eq!((alert[0], alert[4], alert[5], alert.len()), (21, 2, 2, 7));
    // The client may see the end before the line is logged.
    let start = Instant::now();
    while server.log().is_empty() {
        assert!(start.elapsed() < TIMEOUT, "nothing is logged");
        thread::yield_now();
    }
    let log = server.log();
    assert!(log.starts_with("127.0.0.1 - - ["), "{log}");
    assert!(log.ends_with("] TLS: neither TLS nor HTTP\n"), "{log}");
    assert_eq!(log.lines().count(), 1);
    get_hello_over_tls(&mut certificate.connect(server.address));
}

/// The whole record arrives before the server reads, and most of it is never read.
#[test]
fn an_invalid_record_does_not_reset_the_connection() {
    let certificate = TestCertificate::new();
    // A handshake record of the maximum length, whose content is not a message.
    let record = [&[22, 3, 1, 255, 255][..], &[255; 40_000]].concat();
    for first in [&record[..], &[&[0; 5], &record[..]].concat()] {
        let server = HTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), certificate.tls()).unwrap();
        let server = server.with_log(|_| ());
        let mut client = connect(server.server_address());
        client.write_all(first).unwrap();
        server.handle_request(NoFiles, Config::default(), Files::new);
        let mut alert = Vec::new();
        client.read_to_end(&mut alert).unwrap();
        assert_eq!((alert[0], alert[5], alert.len()), (21, 2, 7));
    }
}

/// Changes each byte of a ClientHello in turn, alone and followed by another record.
#[test]
fn no_malformed_handshake_causes_a_panic() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        hook(info);
    }));
    let certificate = TestCertificate::new();
    let server = RunningServer::with_tls(certificate.tls());
    let mut client_hello = Vec::new();
    let mut client = certificate.client(&TLS13, &["h2"]);
    client.write_tls(&mut client_hello).unwrap();
    let suffixes: [&[u8]; 3] = [b"", b"\x16\x03\x01\x00\x04oops", b"\x17\x03\x03\xff\xff"];
    for at in 0..client_hello.len() {
        for suffix in suffixes {
            let mut bytes = [&client_hello, suffix].concat();
            bytes[at] ^= 0xff;
            let mut socket = connect(server.address);
            let _ = socket.write_all(&bytes);
            let _ = socket.shutdown(Shutdown::Write);
            let _ = socket.read_to_end(&mut Vec::new());
        }
    }
    get_hello_over_tls(&mut certificate.connect(server.address));
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_that_rejects_the_certificate_is_logged() {
    let (certificate, other) = (TestCertificate::new(), TestCertificate::new());
    let server = RunningServer::with_tls(certificate.tls());
    let mut stream = other.connect(server.address);
    assert!(get(&mut stream, "/").is_err());
    let start = Instant::now();
    while !server.log().contains("TLS: received fatal alert") {
        assert!(start.elapsed() < TIMEOUT, "{}", server.log());
        thread::yield_now();
    }
}

#[test]
fn silent_clients_do_not_delay_others() {
    let certificate = TestCertificate::new();
    let https = RunningServer::with_tls(certificate.tls());
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let http = RunningServer::start(server.with_max_connections(500), Timeouts::default());
    let mut client_hello = Vec::new();
    certificate
        .client(&TLS13, &[])
        .write_tls(&mut client_hello)
        .unwrap();
    let silent: Vec<_> = (0..400)
        .map(|n| {
            let mut socket = connect([https.address, http.address][n % 2]);
            // Some become silent during the handshake.
            if n % 4 == 0 {
                socket.write_all(&client_hello).unwrap();
            }
            socket
        })
        .collect();
    get_hello_over_tls(&mut certificate.connect(https.address));
    get_hello(&connect(http.address));
    // All silent connections are still open.
    for mut socket in &silent {
        socket.set_nonblocking(true).unwrap();
        match socket.read(&mut [0; 4096]) {
            Ok(n) => assert!(n > 0, "the connection was closed"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

#[test]
fn a_slow_handshake_has_a_deadline() {
    let certificate = TestCertificate::new();
    let https = ThreadingHTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), certificate.tls()).unwrap();
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(500))
        .with_park(Duration::from_millis(100));
    let server = RunningServer::start(https.with_max_connections(1), timeouts);
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
    get_hello_over_tls(&mut certificate.connect(server.address));
}
