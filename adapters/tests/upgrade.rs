//! Handlers that take their connections over: what they are given, on every server, plain and over TLS.

mod pair;
mod peer;
mod serving;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pair::Pair;
use peer::{LONG, connect, get, hello};
use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, Protocol};
use sanserve_server::{HTTPServer, NoFiles, UpgradedStream};
use serving::{SERVERS, Service, Serving, Setup, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Serves files, and takes over connections that ask for the protocol `shout`.
#[derive(Default)]
struct Shout {
    files: Files,
    /// The name that the request gave.
    name: String,
    /// Told when the protocol has ended.
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

/// Greets, and then sends everything back in capitals.
fn shout(handler: Shout, mut stream: UpgradedStream) {
    let mut piece = [0; 1000];
    let mut reply = format!("hello {}\n", handler.name).into_bytes();
    while stream.write_all(&reply).is_ok() {
        match stream.read(&mut piece) {
            Ok(n @ 1..) => reply = piece[..n].to_ascii_uppercase(),
            _ => break,
        }
    }
    let _ = stream.shutdown_write();
}

async fn shout_in_task(handler: Shout, mut stream: sanserve_server::tokio_rt::UpgradedStream) {
    let mut piece = [0; 1000];
    let mut reply = format!("hello {}\n", handler.name).into_bytes();
    while stream.write_all(&reply).await.is_ok() && stream.flush().await.is_ok() {
        match stream.read(&mut piece).await {
            Ok(n @ 1..) => reply = piece[..n].to_ascii_uppercase(),
            _ => break,
        }
    }
    let _ = stream.shutdown().await;
}

fn start(name: &str, setup: Setup) -> (Serving, mpsc::Receiver<()>) {
    let (ended, has_ended) = mpsc::channel();
    let handler = move || {
        let mut handler = Shout::default();
        handler.ended = Some(ended.clone());
        handler
    };
    let service = Service {
        handler: Arc::new(handler),
        upgrade: Some(Upgrade {
            on_thread: shout,
            in_task: |handler, stream| Box::pin(shout_in_task(handler, stream)),
        }),
    };
    (Serving::with_service(name, setup, service), has_ended)
}

impl Drop for Shout {
    fn drop(&mut self) {
        let _ = self.ended.take().map(|ended| ended.send(()));
    }
}

const UPGRADE: &str =
    "GET /a HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n";
const CONNECT: &str = "CONNECT test:1 HTTP/1.1\r\nHost: test:1\r\n\r\n";

/// Reads one line, or less at the end.
fn line(stream: &mut impl Read) -> String {
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

/// Upgrades a connection; what comes with the request and what comes later are answered by the new protocol.
fn talk(stream: &mut (impl Read + Write), request: &str, status: &str, greeting: &str) {
    let request = format!("{request}early\n");
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(line(stream), format!("HTTP/1.1 {status}\r\n"));
    while line(stream) != "\r\n" {}
    assert_eq!(line(stream), greeting);
    assert_eq!(line(stream), "EARLY\n");
    for _ in 0..3 {
        stream.write_all(b"and later\n").unwrap();
        assert_eq!(line(stream), "AND LATER\n");
    }
}

fn talk_upgraded(stream: &mut (impl Read + Write)) {
    talk(stream, UPGRADE, "101 Switching Protocols", "hello /a\n");
}

#[test]
fn every_server_hands_connections_over_and_serves_files_beside_them() {
    for name in SERVERS {
        let (server, ended) = start(name, Setup::default());
        let mut socket = connect(server.address);
        hello(&socket);
        talk_upgraded(&mut socket);
        assert!(get(server.address, "/a.txt").ends_with("hello\n"));
        socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(line(&mut socket), "");
        // The handler of the file, and that of the upgraded connection.
        (0..2).for_each(|_| ended.recv_timeout(LONG).unwrap());
        let mut tunnel = connect(server.address);
        talk(&mut tunnel, CONNECT, "200 OK", "hello test:1\n");
    }
}

#[test]
fn connections_over_tls_are_handed_over_too() {
    let pair = Pair::new();
    for name in SERVERS {
        let tls = Some(pair.tls());
        let (server, ended) = start(
            name,
            Setup {
                tls,
                ..Setup::default()
            },
        );
        let mut stream = pair.connect(server.address);
        talk_upgraded(&mut stream);
        // More than a record.
        let long = "x".repeat(100_000) + "\n";
        let mut sent = 0;
        for part in long.as_bytes().chunks(20_000) {
            stream.write_all(part).unwrap();
            let mut back = vec![0; part.len()];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, part.to_ascii_uppercase());
            sent += part.len();
        }
        assert_eq!(sent, long.len());
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        // An error would say that the end was not announced.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "{name}");
        ended.recv_timeout(LONG).unwrap();
    }
}

#[test]
fn without_something_to_take_connections_over_there_is_501() {
    for name in SERVERS {
        let server = Serving::with_handler(name, Setup::default(), Shout::default);
        let mut socket = connect(server.address);
        socket.write_all(UPGRADE.as_bytes()).unwrap();
        assert!(line(&mut socket).starts_with("HTTP/1.1 501 "), "{name}");
    }
}

#[test]
fn an_upgraded_connection_keeps_its_place() {
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
        talk_upgraded(&mut upgraded);
        let (tell, told) = mpsc::channel();
        let address = server.address;
        let other = thread::spawn(move || {
            let reply = get(address, "/a.txt");
            tell.send(()).unwrap();
            reply
        });
        // The other one waits for a place, and this one is not closed for it.
        for _ in 0..100 {
            upgraded.write_all(b"still here\n").unwrap();
            assert_eq!(line(&mut upgraded), "STILL HERE\n", "{name}");
        }
        assert!(told.try_recv().is_err(), "{name}");
        drop(upgraded);
        told.recv_timeout(LONG).unwrap();
        assert!(other.join().unwrap().ends_with("hello\n"));
    }
}

#[test]
fn an_upgraded_connection_goes_on_until_the_grace_is_over() {
    for name in SERVERS {
        let (server, ended) = start(name, Setup::default());
        let mut idle = connect(server.address);
        hello(&idle);
        let mut upgraded = connect(server.address);
        talk_upgraded(&mut upgraded);
        let stopping = thread::spawn(move || server.shutdown(LONG * 1000));
        // An idle connection is closed, so the server is about to end.
        assert_eq!(line(&mut idle), "");
        upgraded.write_all(b"still here\n").unwrap();
        assert_eq!(line(&mut upgraded), "STILL HERE\n", "{name}");
        drop(upgraded);
        stopping.join().unwrap();
        assert_eq!(ended.try_iter().count(), 2, "{name}");

        let (server, ended) = start(name, Setup::default());
        let mut upgraded = connect(server.address);
        talk_upgraded(&mut upgraded);
        server.shutdown(Duration::ZERO);
        assert_eq!(line(&mut upgraded), "", "{name}");
        assert_eq!(ended.try_iter().count(), 1, "{name}");
    }
}

#[test]
fn a_server_of_one_connection_and_a_single_connection_can_be_upgraded() {
    let config = || Config::default().with_protocol(Protocol::Http11);
    let server = HTTPServer::bind("127.0.0.1:0").unwrap().with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving =
        thread::spawn(move || server.serve_with_upgrades(NoFiles, config(), Shout::default, shout));
    talk_upgraded(&mut connect(address));
    stopper.shutdown(LONG);
    serving.join().unwrap().unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = connect(listener.local_addr().unwrap());
    let (socket, _) = listener.accept().unwrap();
    let serving = thread::spawn(move || serve_one(&socket, config()));
    talk_upgraded(&mut client);
    client.shutdown(Shutdown::Write).unwrap();
    serving.join().unwrap();
}

fn serve_one(socket: &TcpStream, config: Config) {
    let (handler, stop) = (Shout::default(), AtomicBool::new(false));
    let serve = sanserve_server::blocking::serve_with_upgrade;
    serve(socket, &NoFiles, config, handler, &|_| (), &stop, shout).unwrap();
}
