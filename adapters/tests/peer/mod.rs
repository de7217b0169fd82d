//! The other side: a client that never waits for ever, and files for it to ask for.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tempfile::TempDir;

/// Longer than anything takes, shorter than anybody waits.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// The length of `big`: more than any socket buffers.
pub(crate) const BIG: usize = 64 * 1024 * 1024;

/// A directory with `a.txt`, which says hello, and `big`, which says nothing at length.
pub(crate) fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    fs::write(site.path().join("a.txt"), "hello\n").unwrap();
    let big = File::create(site.path().join("big")).unwrap();
    big.set_len(BIG as u64).unwrap();
    site
}

/// Bytes that cannot be compressed, and no part of which occurs twice.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// What makes wget follow every link, and end in any case.
pub(crate) const WGET: [&str; 10] = [
    "-q",
    "-r",
    "-l",
    "9",
    "-T",
    "20",
    "-t",
    "1",
    "-e",
    "robots=off",
];

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.set_write_timeout(Some(LONG)).unwrap();
    socket
}

/// Sends a request and does not wait for the reply.
pub(crate) fn ask(mut socket: &TcpStream, target: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
}

/// Reads the head of a reply, and nothing behind it.
pub(crate) fn head(mut socket: &TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// Asks for `a.txt`, takes all of the reply and leaves the connection open.
pub(crate) fn hello(mut socket: &TcpStream) {
    ask(socket, "/a.txt");
    assert!(head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    let mut content = [0; 6];
    socket.read_exact(&mut content).unwrap();
    assert_eq!(&content, b"hello\n");
}

/// How many bytes still come.
pub(crate) fn rest(mut socket: &TcpStream) -> io::Result<usize> {
    Ok(io::copy(&mut socket, &mut io::sink())? as usize)
}

/// The whole reply to a request on a connection of its own.
pub(crate) fn get(address: SocketAddr, target: &str) -> String {
    let mut socket = connect(address);
    let request = format!("GET {target} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}
