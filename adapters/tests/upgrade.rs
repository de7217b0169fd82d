//! Tests upgrades to another protocol: connections that a handler takes over, on every server, plain and over TLS.

mod certificate;
mod client;
mod servers;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use certificate::TestCertificate;
use client::{TIMEOUT, connect, get, get_hello};
use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, Protocol};
use sanserve_server::{HTTPServer, NoFiles, UpgradedStream};
use servers::{Callbacks, SERVERS, Setup, TestServer, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Serves files, and upgrades connections to the protocol `shout`.
#[derive(Default)]
struct Shout {
    files: Files,
    /// The path of the request, which the protocol sends as a greeting.
    name: String,
    /// Notified when the handler is dropped.
    ended: Option<mpsc::Sender<()>>,
}

impl Handler for Shout {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        match (ex.command(), ex.header("Upgrade")) {
            ("CONNECT", _) => ex.send_response(200),
            (_, Some("shout")) => {
                ex.send_response(101);
                ex.send_header("Connection", "Upgrade");
                ex.send_header("Upgrade", "shout");
            }
            _ => return self.files.begin(ex),
        }
        self.name = ex.path().into();
        ex.end_headers();
        Next::Upgrade
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.files.resume(ex, event)
    }
}

/// Sends a greeting, and then returns everything in upper case.
fn shout(handler: Shout, mut stream: UpgradedStream) {
    let mut buffer = [0; 1000];
    let mut reply = format!("hello {}\n", handler.name).into_bytes();
    while stream.write_all(&reply).is_ok() {
        match stream.read(&mut buffer) {
            Ok(n @ 1..) => reply = buffer[..n].to_ascii_uppercase(),
            _ => break,
        }
    }
    let _ = stream.shutdown_write();
}

async fn shout_in_task(handler: Shout, mut stream: sanserve_server::tokio_rt::UpgradedStream) {
    let mut buffer = [0; 1000];
    let mut reply = format!("hello {}\n", handler.name).into_bytes();
    while stream.write_all(&reply).await.is_ok() && stream.flush().await.is_ok() {
        match stream.read(&mut buffer).await {
            Ok(n @ 1..) => reply = buffer[..n].to_ascii_uppercase(),
            _ => break,
        }
    }
    let _ = stream.shutdown().await;
}

fn start(name: &str, setup: Setup) -> (TestServer, mpsc::Receiver<()>) {
    let (ended, has_ended) = mpsc::channel();
    let handler = move || {
        let mut handler = Shout::default();
        handler.ended = Some(ended.clone());
        handler
    };
    let callbacks = Callbacks {
        handler: Arc::new(handler),
        upgrade: Some(Upgrade {
            on_thread: shout,
            in_task: |handler, stream| Box::pin(shout_in_task(handler, stream)),
        }),
    };
    (
        TestServer::with_callbacks(name, setup, callbacks),
        has_ended,
    )
}

impl Drop for Shout {
    fn drop(&mut self) {
        let _ = self.ended.take().map(|ended| ended.send(()));
    }
}

const UPGRADE: &str =
    "GET /a HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n";
const CONNECT: &str = "CONNECT test:1 HTTP/1.1\r\nHost: test:1\r\n\r\n";

/// Reads a line, or the rest of the stream.
fn read_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => line.extend(byte),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    String::from_utf8(line).unwrap()
}

/// Upgrades a connection. Checks that the new protocol answers the bytes sent together with the request, and later
/// ones.
fn check_upgrade_by(stream: &mut (impl Read + Write), request: &str, status: &str, greeting: &str) {
    let request = format!("{request}early\n");
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(read_line(stream), format!("HTTP/1.1 {status}\r\n"));
    while read_line(stream) != "\r\n" {}
    assert_eq!(read_line(stream), greeting);
    assert_eq!(read_line(stream), "EARLY\n");
    for _ in 0..3 {
        stream.write_all(b"and later\n").unwrap();
        assert_eq!(read_line(stream), "AND LATER\n");
    }
}

fn check_upgrade(stream: &mut (impl Read + Write)) {
    check_upgrade_by(stream, UPGRADE, "101 Switching Protocols", "hello /a\n");
}

#[test]
fn every_server_upgrades_connections_and_still_serves_files() {
    for name in SERVERS {
        let (server, ended) = start(name, Setup::default());
        let mut socket = connect(server.address);
        get_hello(&socket);
        check_upgrade(&mut socket);
        assert!(get(server.address, "/a.txt").ends_with("hello\n"));
        socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_line(&mut socket), "");
        // Both handlers are dropped: that of the file, and that of the upgraded connection.
        (0..2).for_each(|_| ended.recv_timeout(TIMEOUT).unwrap());
        let mut tunnel = connect(server.address);
        check_upgrade_by(&mut tunnel, CONNECT, "200 OK", "hello test:1\n");
    }
}

#[test]
fn tls_connections_can_be_upgraded() {
    let certificate = TestCertificate::new();
    for name in SERVERS {
        let tls = Some(certificate.tls());
        let (server, ended) = start(
            name,
            Setup {
                tls,
                ..Setup::default()
            },
        );
        let mut stream = certificate.connect(server.address);
        check_upgrade(&mut stream);
        // More than one record.
        let long = "x".repeat(100_000) + "\n";
        let mut sent = 0;
        for piece in long.as_bytes().chunks(20_000) {
            stream.write_all(piece).unwrap();
            let mut reply = vec![0; piece.len()];
            stream.read_exact(&mut reply).unwrap();
            assert_eq!(reply, piece.to_ascii_uppercase());
            sent += piece.len();
        }
        assert_eq!(sent, long.len());
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        // Without a close_notify this would be an error.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "{name}");
        ended.recv_timeout(TIMEOUT).unwrap();
    }
}

#[test]
fn an_upgrade_without_an_upgrade_function_gets_501() {
    for name in SERVERS {
        let server = TestServer::with_handler(name, Setup::default(), Shout::default);
        let mut socket = connect(server.address);
        socket.write_all(UPGRADE.as_bytes()).unwrap();
        assert!(
            read_line(&mut socket).starts_with("HTTP/1.1 501 "),
            "{name}"
        );
    }
}

#[test]
fn an_upgraded_connection_counts_toward_the_limit() {
    for name in SERVERS {
        let connections = 1;
        let (server, _) = start(
            name,
            Setup {
                connections,
                ..Setup::default()
            },
        );
        let mut upgraded = connect(server.address);
        check_upgrade(&mut upgraded);
        let (done, is_done) = mpsc::channel();
        let address = server.address;
        let other = thread::spawn(move || {
            let reply = get(address, "/a.txt");
            done.send(()).unwrap();
            reply
        });
        // The other client waits, and the upgraded connection is not closed for it.
        for _ in 0..100 {
            upgraded.write_all(b"still here\n").unwrap();
            assert_eq!(read_line(&mut upgraded), "STILL HERE\n", "{name}");
        }
        assert!(is_done.try_recv().is_err(), "{name}");
        drop(upgraded);
        is_done.recv_timeout(TIMEOUT).unwrap();
        assert!(other.join().unwrap().ends_with("hello\n"));
    }
}

#[test]
fn an_upgraded_connection_lasts_until_the_grace_period_ends() {
    for name in SERVERS {
        let (server, ended) = start(name, Setup::default());
        let mut idle = connect(server.address);
        get_hello(&idle);
        let mut upgraded = connect(server.address);
        check_upgrade(&mut upgraded);
        let stopping = thread::spawn(move || server.shutdown(TIMEOUT * 1000));
        // Once the idle connection is closed, the shutdown has begun.
        assert_eq!(read_line(&mut idle), "");
        upgraded.write_all(b"still here\n").unwrap();
        assert_eq!(read_line(&mut upgraded), "STILL HERE\n", "{name}");
        drop(upgraded);
        stopping.join().unwrap();
        assert_eq!(ended.try_iter().count(), 2, "{name}");

        let (server, ended) = start(name, Setup::default());
        let mut upgraded = connect(server.address);
        check_upgrade(&mut upgraded);
        server.shutdown(Duration::ZERO);
        assert_eq!(read_line(&mut upgraded), "", "{name}");
        assert_eq!(ended.try_iter().count(), 1, "{name}");
    }
}

#[test]
fn http_server_and_single_connections_can_be_upgraded() {
    let config = || Config::default().with_protocol(Protocol::Http11);
    let server = HTTPServer::bind("127.0.0.1:0").unwrap().with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving =
        thread::spawn(move || server.serve_with_upgrades(NoFiles, config(), Shout::default, shout));
    check_upgrade(&mut connect(address));
    stopper.shutdown(TIMEOUT);
    serving.join().unwrap().unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = connect(listener.local_addr().unwrap());
    let (socket, _) = listener.accept().unwrap();
    let serving = thread::spawn(move || serve_one(&socket, config()));
    check_upgrade(&mut client);
    client.shutdown(Shutdown::Write).unwrap();
    serving.join().unwrap();
}

fn serve_one(socket: &TcpStream, config: Config) {
    let (handler, stop) = (Shout::default(), AtomicBool::new(false));
    let serve = sanserve_server::blocking::serve_with_upgrade;
    serve(socket, &NoFiles, config, handler, &|_| (), &stop, shout).unwrap();
}
