//! Whose password is being verified keeps nobody else waiting.
#![cfg(unix)]

mod peer;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use peer::{LONG, connect, site};
use sanserve_core::{
    Config, Credentials, Entries, FileSystem, Files, FsError, Guard, Handler, Opened, Path,
};
use sanserve_server::{Disk, Open, event_loop, tokio_rt};

/// Files, and a password that is verified when the test says so.
struct Slow(Disk, Mutex<Receiver<()>>);

impl FileSystem for Slow {
    type File = Open;

    fn open(&self, path: &Path) -> Result<Opened<Open>, FsError> {
        self.0.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.0.list(path)
    }

    fn read(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.0.read(file, at, into)
    }

    fn verify(&self, _: &Credentials) -> Result<(), FsError> {
        let told = self.1.lock().unwrap().recv_timeout(LONG);
        told.map_err(|_| FsError::Forbidden)
    }
}

/// `fast` is known, of all others the file system is asked.
fn guard() -> impl Handler + Send {
    Guard::new(Files::new(), |given| {
        (given.user() == "fast").then_some(true)
    })
}

fn ask(address: SocketAddr, credentials: &str) -> TcpStream {
    let mut socket = connect(address);
    let request = format!("GET /a.txt HTTP/1.0\r\nAuthorization: Basic {credentials}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn reply(mut socket: TcpStream) -> String {
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

/// Tries a server that has one thread for all connections.
fn others_are_served(serve: impl FnOnce(Slow) -> SocketAddr) {
    let (site, (tell, told)) = (site(), channel());
    let address = serve(Slow(Disk::open(site.path()).unwrap(), Mutex::new(told)));
    let slow = ask(address, "c2xvdzo=");
    let fast = reply(ask(address, "ZmFzdDo="));
    assert!(fast.ends_with("\r\n\r\nhello\n"), "{fast}");
    tell.send(()).unwrap();
    let slow = reply(slow);
    assert!(slow.ends_with("\r\n\r\nhello\n"), "{slow}");
}

#[test]
fn on_mio() {
    others_are_served(|files| {
        let server = event_loop::HTTPServer::bind("127.0.0.1:0").unwrap();
        let server = server.with_threads(1).with_log(|_| ());
        let address = server.server_address();
        thread::spawn(move || server.serve_forever(&files, Config::default(), guard));
        address
    });
}

#[test]
fn on_tokio() {
    let runtime = ::tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
    others_are_served(|files| {
        let _inside = runtime.enter();
        let server = tokio_rt::HTTPServer::bind("127.0.0.1:0").unwrap();
        let address = server.server_address();
        let server = server.with_log(|_| ());
        runtime.spawn(server.serve_forever(Arc::new(files), Config::default(), guard));
        address
    });
    runtime.shutdown_background();
}
