//! HTTPS: handshakes, replies, and clients that do not keep to it.

mod pair;
mod peer;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pair::{Pair, Stream};
use peer::{BIG, LONG, connect, hello, site};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, StreamOwned};
use sanserve_core::{Config, Files, Protocol, Timeouts, from_fn};
use sanserve_server::{Disk, HTTPSServer, NoFiles, Stopper, ThreadingHTTPSServer, Tls};
use sanserve_server::{HTTPServer, ThreadingHTTPServer};
use tempfile::TempDir;

/// A server on a thread of its own, which ends with this.
struct Running {
    address: SocketAddr,
    stopper: Stopper,
    log: Arc<Mutex<String>>,
    site: Arc<TempDir>,
}

impl Running {
    fn start(server: ThreadingHTTPServer, timeouts: Timeouts) -> Running {
        let log = Arc::new(Mutex::new(String::new()));
        let (sink, site) = (Arc::clone(&log), Arc::new(site()));
        let server = server.with_log(move |lines| sink.lock().unwrap().push_str(lines));
        let (address, stopper) = (server.server_address(), server.stopper());
        let config = Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(timeouts);
        let disk = Disk::open(site.path()).unwrap();
        thread::spawn(move || server.serve_forever(&disk, config, Files::new));
        Running {
            address,
            stopper,
            log,
            site,
        }
    }

    fn tls(tls: Tls) -> Running {
        let server = ThreadingHTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), tls).unwrap();
        Running::start(server.with_max_connections(500), Timeouts::default())
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
    }
}

/// Asks for `target` and reads to the end, which is an error if no close_notify comes.
fn get(stream: &mut Stream, target: &str) -> io::Result<Vec<u8>> {
    write!(stream, "GET {target} HTTP/1.0\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply)
}

/// Asks for `a.txt` and leaves the connection open.
fn hello_over(stream: &mut Stream) {
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
    let running = Running::tls(pair.tls());
    let large: Vec<u8> = (0..10 << 20_u32)
        .map(|at: u32| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    fs::write(running.site.path().join("large"), &large).unwrap();
    let versions = [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ];
    for (version, number) in versions {
        let stream = |alpn| StreamOwned::new(pair.client(version, alpn), connect(running.address));
        let mut kept = stream(&["h2", "http/1.1"]);
        (0..3).for_each(|_| hello_over(&mut kept));
        assert_eq!(kept.conn.protocol_version(), Some(number));
        assert_eq!(kept.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let reply = get(&mut stream(&[]), "/large").unwrap();
        let head = reply.len() - large.len();
        assert!(reply[..head].ends_with(b"\r\n\r\n") && reply[head..] == large);
        // The peer is told that the reply is whole, and told so also if it ended first.
        let mut first = stream(&[]);
        write!(first, "GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
        first.conn.send_close_notify();
        let mut reply = Vec::new();
        first.read_to_end(&mut reply).unwrap();
        assert!(reply.ends_with(b"\r\n\r\nhello\n"));
    }
}

#[test]
fn a_reply_that_is_cut_off_does_not_look_whole() {
    let pair = Pair::new();
    let running = Running::tls(pair.tls());
    let mut stream = pair.connect(running.address);
    write!(stream, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    running.stopper.shutdown(Duration::from_millis(10));
    let read = io::copy(&mut stream, &mut io::sink());
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn a_running_reply_outlives_the_server_and_an_idle_connection_does_not() {
    let pair = Pair::new();
    let running = Running::tls(pair.tls());
    let (mut idle, mut busy) = (pair.connect(running.address), pair.connect(running.address));
    hello_over(&mut idle);
    write!(busy, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    busy.read_exact(&mut [0; 100]).unwrap();
    let stopper = running.stopper.clone();
    let stopping = thread::spawn(move || stopper.shutdown(LONG));
    let start = Instant::now();
    assert!(!matches!(idle.read(&mut [0]), Ok(1..)));
    assert!(start.elapsed() < LONG / 2);
    let rest = io::copy(&mut busy, &mut io::sink()).unwrap();
    assert!(rest > BIG as u64);
    stopping.join().unwrap();
}

#[test]
fn a_protocol_has_to_be_one_of_ours_if_we_have_any() {
    let pair = Pair::new();
    let ours = Running::tls(pair.tls());
    let client = |alpn| StreamOwned::new(pair.client(&TLS13, alpn), connect(ours.address));
    let refused = get(&mut client(&["h2"]), "/a.txt").unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"));
    let any = Running::tls(pair.tls().with_alpn_protocols(&[]));
    let mut stream = StreamOwned::new(pair.client(&TLS13, &["h2"]), connect(any.address));
    get(&mut stream, "/a.txt").unwrap();
    assert_eq!(stream.conn.alpn_protocol(), None);
}

#[test]
fn one_connection_is_handled_in_turn() {
    let pair = Pair::new();
    let server = HTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), pair.tls()).unwrap();
    let server: HTTPServer = server.with_log(|_| ());
    let mut stream = pair.connect(server.server_address());
    let client = thread::spawn(move || get(&mut stream, "/"));
    server.handle_request(NoFiles, Config::default(), || {
        from_fn(|ex| ex.send_error(410, "Gone"))
    });
    let reply = client.join().unwrap().unwrap();
    assert!(reply.starts_with(b"HTTP/1.0 410 Gone\r\n"));
}

#[test]
fn what_is_neither_tls_nor_http_gets_an_alert_and_a_line_in_the_log() {
    let pair = Pair::new();
    let running = Running::tls(pair.tls());
    let mut plain = connect(running.address);
    plain.write_all(b"\x00 nothing at all\r\n\r\n").unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    // An alert, of two bytes, fatal.
    assert_eq!((alert[0], alert[4], alert[5], alert.len()), (21, 2, 2, 7));
    let log = running.log();
    assert!(log.starts_with("127.0.0.1 - - ["), "{log}");
    assert!(log.ends_with("] TLS: neither TLS nor HTTP\n"), "{log}");
    assert_eq!(log.lines().count(), 1);
    hello_over(&mut pair.connect(running.address));
}

/// All of it is there before the server looks, and most of it is never read.
#[test]
fn a_record_that_is_none_does_not_reset_the_connection() {
    let pair = Pair::new();
    // A handshake of the largest length, which holds no message that there is.
    let record = [&[22, 3, 1, 255, 255][..], &[255; 40_000]].concat();
    for first in [&record[..], &[&[0; 5], &record[..]].concat()] {
        let server = HTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), pair.tls()).unwrap();
        let server = server.with_log(|_| ());
        let mut client = connect(server.server_address());
        client.write_all(first).unwrap();
        server.handle_request(NoFiles, Config::default(), Files::new);
        let mut alert = Vec::new();
        client.read_to_end(&mut alert).unwrap();
        assert_eq!((alert[0], alert[5], alert.len()), (21, 2, 7));
    }
}

/// Each byte of a ClientHello is changed in turn, alone, and with a record behind it.
#[test]
fn no_handshake_makes_the_protocol_panic() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        hook(info);
    }));
    let pair = Pair::new();
    let running = Running::tls(pair.tls());
    let mut hello = Vec::new();
    pair.client(&TLS13, &["h2"]).write_tls(&mut hello).unwrap();
    let ends: [&[u8]; 3] = [b"", b"\x16\x03\x01\x00\x04oops", b"\x17\x03\x03\xff\xff"];
    for at in 0..hello.len() {
        for end in ends {
            let mut bytes = [&hello, end].concat();
            bytes[at] ^= 0xff;
            let mut socket = connect(running.address);
            let _ = socket.write_all(&bytes);
            let _ = socket.shutdown(Shutdown::Write);
            let _ = socket.read_to_end(&mut Vec::new());
        }
    }
    hello_over(&mut pair.connect(running.address));
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

#[test]
fn who_does_not_trust_the_certificate_is_in_the_log() {
    let (pair, other) = (Pair::new(), Pair::new());
    let running = Running::tls(pair.tls());
    let mut stream = other.connect(running.address);
    assert!(get(&mut stream, "/").is_err());
    let start = Instant::now();
    while !running.log().contains("TLS: received fatal alert") {
        assert!(start.elapsed() < LONG, "{}", running.log());
        thread::yield_now();
    }
}

#[test]
fn silent_clients_keep_nobody_waiting() {
    let pair = Pair::new();
    let over = Running::tls(pair.tls());
    let plain = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let plain = Running::start(plain.with_max_connections(500), Timeouts::default());
    let mut first = Vec::new();
    pair.client(&TLS13, &[]).write_tls(&mut first).unwrap();
    let silent: Vec<_> = (0..400)
        .map(|n| {
            let mut socket = connect([over.address, plain.address][n % 2]);
            // Some fall silent in the handshake.
            if n % 4 == 0 {
                socket.write_all(&first).unwrap();
            }
            socket
        })
        .collect();
    hello_over(&mut pair.connect(over.address));
    hello(&connect(plain.address));
    // They are all still there, and silent.
    for mut socket in &silent {
        socket.set_nonblocking(true).unwrap();
        let mut answer = [0; 4096];
        match socket.read(&mut answer) {
            Ok(n) => assert!(n > 0, "it was sent away"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

#[test]
fn a_handshake_that_drips_has_a_deadline() {
    let pair = Pair::new();
    let server = ThreadingHTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), pair.tls()).unwrap();
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(500))
        .with_park(Duration::from_millis(100));
    let running = Running::start(server.with_max_connections(1), timeouts);
    let mut hello = Vec::new();
    pair.client(&TLS13, &[]).write_tls(&mut hello).unwrap();
    let mut socket = connect(running.address);
    let start = Instant::now();
    let pause = Duration::from_millis(20);
    socket.set_read_timeout(Some(pause)).unwrap();
    let ended = hello.iter().any(|byte| {
        let sent = socket.write_all(&[*byte]);
        let read = sent.and_then(|()| socket.read(&mut [0]));
        !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    });
    let (least, most) = (Duration::from_millis(400), pause * hello.len() as u32 / 2);
    let took = start.elapsed();
    assert!(ended && (least..most).contains(&took), "it took {took:?}");
    hello_over(&mut pair.connect(running.address));
}
