//! Tests of the object store example, with a store in memory and one in a folder.

use std::time::Duration;

use object_store::memory::InMemory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

const LARGE: usize = 1_000_000;

/// Serves a store with three objects, and requests them, their directories and names that do not exist.
async fn check(store: impl ObjectStore) {
    for (name, content) in [
        ("a.txt", &b"hello, world"[..]),
        ("sub/b.txt", b"below"),
        ("sub/large", &[b'y'; LARGE]),
    ] {
        let content = content.to_vec().into();
        store.put(&Key::from(name), content).await.unwrap();
    }
    let server = HTTPServer::bind("127.0.0.1:0").unwrap().with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving = server.serve_forever_async(Store(store), Config::default(), Files::new);
    let serving = tokio::spawn(serving);
    for (target, expected) in [
        ("/a.txt", "\r\n\r\nworld"),
        ("/sub/b.txt", " 416 "),
        ("/sub/large", "\r\nContent-Range: bytes 7-11/1000000\r\n"),
        ("/", "href=\"sub/\""),
        ("/sub/", "href=\"b.txt\""),
        ("/sub", "\r\nLocation: ./sub/\r\n"),
        ("/none", " 404 File not found\r\n"),
        ("/none/", " 404 File not found\r\n"),
    ] {
        let request = format!("GET {target} HTTP/1.0\r\nRange: bytes=7-11\r\n\r\n");
        let reply = send(address, &request).await;
        assert!(reply.contains(expected), "{target}: {reply}");
    }
    let whole = send(address, "GET /sub/large HTTP/1.0\r\n\r\n").await;
    let content = whole.split_once("\r\n\r\n").unwrap().1;
    assert!(content.len() == LARGE && content.bytes().all(|it| it == b'y'));
    stopper.shutdown(Duration::ZERO).await;
    serving.await.unwrap().unwrap();
}

async fn send(address: std::net::SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    let read = socket.read_to_string(&mut reply);
    timeout(Duration::from_secs(20), read)
        .await
        .unwrap()
        .unwrap();
    reply
}

#[tokio::test]
async fn a_store_in_memory_is_served() {
    check(InMemory::new()).await;
}

#[tokio::test]
async fn a_store_in_a_folder_is_served() {
    let folder = tempfile::tempdir().unwrap();
    check(LocalFileSystem::new_with_prefix(folder.path()).unwrap()).await;
}
