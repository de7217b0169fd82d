//! Functions of a plain HTTP client with timeouts, and data for it to request: a directory of files, and random bytes.
#![allow(dead_code, reason = "each test uses only some of these")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tempfile::TempDir;

/// How long tests wait for anything: longer than any step takes, and short enough to wait for.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The length of `big` in bytes: more than any socket buffers.
pub(crate) const BIG_LEN: usize = 64 * 1024 * 1024;

/// Makes a directory with `a.txt`, which contains `hello`, and `big`, which contains [`BIG_LEN`] zeros.
pub(crate) fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    fs::write(site.path().join("a.txt"), "hello\n").unwrap();
    let big = File::create(site.path().join("big")).unwrap();
    big.set_len(BIG_LEN as u64).unwrap();
    site
}

/// Returns pseudorandom bytes, which cannot be compressed.
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

/// The arguments with which wget follows every link, with timeouts.
pub(crate) const WGET_ARGS: [&str; 10] = [
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

/// Connects, with timeouts for reads and writes.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.set_write_timeout(Some(TIMEOUT)).unwrap();
    socket
}

/// Sends a GET request and does not wait for the reply.
pub(crate) fn send_get(mut socket: &TcpStream, target: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
}

/// Reads the head of a reply, and nothing after it.
pub(crate) fn read_head(mut socket: &TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// Requests `a.txt`, reads the whole reply and leaves the connection open.
pub(crate) fn get_hello(mut socket: &TcpStream) {
    send_get(socket, "/a.txt");
    assert!(read_head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    let mut content = [0; 6];
    socket.read_exact(&mut content).unwrap();
    assert_eq!(&content, b"hello\n");
}

/// Reads to the end of the connection, and returns the number of bytes.
pub(crate) fn drain(mut socket: &TcpStream) -> io::Result<usize> {
    Ok(io::copy(&mut socket, &mut io::sink())? as usize)
}

/// Sends a GET request on a new connection, and returns the whole reply.
pub(crate) fn get(address: SocketAddr, target: &str) -> String {
    let mut socket = connect(address);
    let request = format!("GET {target} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}
