//! Tests that the slow verification of a password does not delay other connections.
#![cfg(unix)]

mod client;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use client::{TIMEOUT, connect, site};
use sanserve_core::{
    Config, Credentials, Entries, FileSystem, Files, FsError, Guard, Handler, Opened, Path,
};
use sanserve_server::{Disk, OpenFile, event_loop, tokio_rt};

/// A disk that verifies passwords once the test allows it.
struct SlowVerifier(Disk, Mutex<Receiver<()>>);

impl FileSystem for SlowVerifier {
    type File = OpenFile;

    fn open(&self, path: &Path) -> Result<Opened<OpenFile>, FsError> {
        self.0.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.0.list(path)
    }

    fn read(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.0.read(file, at, into)
    }

    fn verify(&self, _: &Credentials) -> Result<(), FsError> {
        let released = self.1.lock().unwrap().recv_timeout(TIMEOUT);
        released.map_err(|_| FsError::Forbidden)
    }
}

/// Returns a handler that admits the user `fast` immediately, and lets the file system verify all others.
fn guard() -> impl Handler + Send {
    Guard::new(Files::new(), |credentials| {
        (credentials.user() == "fast").then_some(true)
    })
}

fn send(address: SocketAddr, credentials: &str) -> TcpStream {
    let mut socket = connect(address);
    let request = format!("GET /a.txt HTTP/1.0\r\nAuthorization: Basic {credentials}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn read_reply(mut socket: TcpStream) -> String {
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

/// Checks that a server with one thread serves another client during the verification.
fn check_others_are_served(serve: impl FnOnce(SlowVerifier) -> SocketAddr) {
    let (site, (release, released)) = (site(), channel());
    let address = serve(SlowVerifier(
        Disk::open(site.path()).unwrap(),
        Mutex::new(released),
    ));
    let waiting = send(address, "c2xvdzo=");
    let fast = read_reply(send(address, "ZmFzdDo="));
    assert!(fast.ends_with("\r\n\r\nhello\n"), "{fast}");
    release.send(()).unwrap();
    let slow = read_reply(waiting);
    assert!(slow.ends_with("\r\n\r\nhello\n"), "{slow}");
}

#[test]
fn the_event_loop_serves_others_during_a_verification() {
    check_others_are_served(|files| {
        let server = event_loop::HTTPServer::bind("127.0.0.1:0").unwrap();
        let server = server.with_threads(1).with_log(|_| ());
        let address = server.server_address();
        thread::spawn(move || server.serve_forever(&files, Config::default(), guard));
        address
    });
}

#[test]
fn tokio_serves_others_during_a_verification() {
    let runtime = ::tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
    check_others_are_served(|files| {
        let _guard = runtime.enter();
        let server = tokio_rt::HTTPServer::bind("127.0.0.1:0").unwrap();
        let address = server.server_address();
        let server = server.with_log(|_| ());
        runtime.spawn(server.serve_forever(Arc::new(files), Config::default(), guard));
        address
    });
    runtime.shutdown_background();
}
