//! Tests that the checksums of an archive, which may take long, stop when the client disconnects, and are completed for
//! a client that waits.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use client::{TIMEOUT, connect, get, read_head};
use process::{Program, RUNTIMES};
use sanserve_core::archive::Download;
use sanserve_core::{Config, Files, Protocol};
use sanserve_server::{Disk, stdio};
use tempfile::TempDir;

/// The length of a sparse file whose checksum takes minutes.
const HUGE: u64 = 1 << 40;
/// The limit of concurrent archives.
const ARCHIVES: usize = 16;

/// Returns a directory with one sparse file of this length.
fn holding(len: u64) -> TempDir {
    let site = TempDir::new().unwrap();
    let file = File::create(site.path().join("file")).unwrap();
    file.set_len(len).unwrap();
    site
}

fn serve(site: &TempDir, runtime: &str) -> Program {
    let options = ["-q", "-b", "127.0.0.1", "-p", "HTTP/1.1", "--archive"];
    let options = [&options[..], &["--runtime", runtime]].concat();
    Program::serve(site.path(), &options)
}

/// A request for the end of a zip, which needs the checksums of all files.
const END_OF_ZIP: &[u8] = b"GET /?zip HTTP/1.1\r\nHost: test\r\nRange: bytes=-200\r\n\r\n";

fn ask_for_end(address: SocketAddr) -> TcpStream {
    let mut socket = connect(address);
    socket.write_all(END_OF_ZIP).unwrap();
    socket
}

/// Requests the end of a zip until there is room for another archive.
fn begin_when_there_is_room(address: SocketAddr, what: &str) -> TcpStream {
    let start = Instant::now();
    loop {
        let socket = ask_for_end(address);
        let head = read_head(&socket);
        if head.starts_with("HTTP/1.1 206 ") {
            return socket;
        }
        assert!(head.starts_with("HTTP/1.1 503 "), "{what}: {head}");
        assert!(start.elapsed() < TIMEOUT, "{what}: all archives are taken");
    }
}

#[test]
fn checksums_for_an_archive_stop_when_the_client_disconnects() {
    for runtime in RUNTIMES {
        let site = holding(HUGE);
        let program = serve(&site, runtime);
        let address = program.address();
        for _ in 0..ARCHIVES {
            drop(ask_for_end(address));
        }
        let begin = || begin_when_there_is_room(address, runtime);
        let sockets: Vec<_> = (0..ARCHIVES).map(|_| begin()).collect();
        assert!(
            get(address, "/?tar").starts_with("HTTP/1.1 503 "),
            "{runtime}: there are more archives at a time than {ARCHIVES}"
        );
        // These clients have read everything, so only the end of their stream shows that they have disconnected.
        drop(sockets);
        begin();
    }
}

#[test]
fn a_client_that_waits_gets_the_end_of_a_long_zip() {
    for runtime in RUNTIMES {
        let site = holding(100 << 20);
        let program = serve(&site, runtime);
        let socket = ask_for_end(program.address());
        let head = read_head(&socket);
        assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
        let mut content = [0; 200];
        { &socket }.read_exact(&mut content).unwrap();
        assert!(content[178..].starts_with(b"PK\x05\x06"), "{runtime}");
    }
}

#[test]
fn checksums_stop_when_the_reader_of_standard_output_closes() {
    let site = holding(HUGE);
    let disk = Disk::open(site.path()).unwrap();
    let (mut client, server) = UnixStream::pair().unwrap();
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    let (over, ended) = mpsc::channel();
    thread::spawn(move || {
        let config = Config::default().with_protocol(Protocol::Http11);
        let mut files = Files::new();
        files.settings_mut().archive = Arc::new(Download::parse);
        let (input, output) = (server.try_clone().unwrap().into(), server.into());
        let served = stdio::serve(input, output, &disk, config, files, &|_| ());
        let _ = over.send(served);
    });
    client.write_all(END_OF_ZIP).unwrap();
    let mut begin = [0; 12];
    client.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 206");
    drop(client);
    let _ = ended.recv_timeout(TIMEOUT).expect("the work stops");
}
