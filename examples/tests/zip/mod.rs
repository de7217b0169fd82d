//! Tests of the zip example: the same archive on every server and in memory.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use sanserve_conformance::{Entry as SiteEntry, FsCheck, Site, file_systems};
use sanserve_core::Connection;
use sanserve_server::memory::{PeerScript, run};
use sanserve_server::{event_loop, tokio_rt};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

/// Returns an archive with compressed and stored files, written by the crate `zip`.
fn archive() -> Zip {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, options, content) in [
        ("a.txt", SimpleFileOptions::default(), &b"hello, world"[..]),
        ("sub/large", SimpleFileOptions::default(), &[b'y'; 300_000]),
        ("sub/b.txt", stored, b"below"),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    Zip::new(writer.finish().unwrap().into_inner()).unwrap()
}

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.0\r\nRange: bytes=7-11\r\n\r\n")
}

fn get(address: SocketAddr, target: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket.write_all(request(target).as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

fn check(name: &str, get: impl Fn(&str) -> String) {
    for (target, expected) in [
        ("/a.txt", "\r\n\r\nworld"),
        ("/sub/large", "\r\nContent-Range: bytes 7-11/300000\r\n"),
        ("/sub/", "href=\"b.txt\""),
        ("/", "href=\"sub/\""),
        ("/sub", "\r\nLocation: ./sub/\r\n"),
        ("/sub/none", " 404 File not found\r\n"),
    ] {
        let reply = get(target);
        assert!(reply.contains(expected), "{name}: {target}: {reply}");
    }
    assert!(get("/sub/large").ends_with("\r\n\r\nyyyyy"), "{name}");
}

#[test]
fn an_archive_is_served_in_memory() {
    check("memory", |target| {
        let mut conn = Connection::new(Config::default(), "192.0.2.1", Files::new());
        let (request, half_close) = (request(target), true);
        let input = request.as_bytes();
        let transcript = run(
            &mut conn,
            &archive(),
            PeerScript { input, half_close },
            |n| n,
        );
        String::from_utf8(transcript.bytes).unwrap()
    });
}

#[test]
fn an_archive_is_served_on_threads() {
    let server = ThreadingHTTPServer::bind("127.0.0.1:0")
        .unwrap()
        .with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving = thread::spawn(|| server.serve_forever(archive(), Config::default(), Files::new));
    check("threads", |target| get(address, target));
    stopper.shutdown(Duration::ZERO);
    serving.join().unwrap().unwrap();
}

#[test]
fn an_archive_is_served_on_the_event_loop() {
    let server = event_loop::HTTPServer::bind("127.0.0.1:0")
        .unwrap()
        .with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving = thread::spawn(|| server.serve_forever(archive(), Config::default(), Files::new));
    check("event loop", |target| get(address, target));
    stopper.shutdown(Duration::ZERO);
    serving.join().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_is_served_on_tokio() {
    let server = tokio_rt::HTTPServer::bind("127.0.0.1:0")
        .unwrap()
        .with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving = server.serve_forever(archive(), Config::default(), Files::new);
    let serving = tokio::spawn(serving);
    let client = move || check("tokio", |target| get(address, target));
    tokio::task::spawn_blocking(client).await.unwrap();
    stopper.shutdown(Duration::ZERO).await;
    serving.await.unwrap().unwrap();
}

/// Returns an archive of a site.
fn archive_of(site: &Site) -> Zip {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in site.entries.iter() {
        let name = str::from_utf8(entry.path()).unwrap();
        match entry {
            SiteEntry::File { body, .. } => {
                let options = SimpleFileOptions::default();
                writer.start_file(name, options).unwrap();
                writer.write_all(body).unwrap();
            }
            _ => writer
                .add_directory(name, SimpleFileOptions::default())
                .unwrap(),
        }
    }
    Zip::new(writer.finish().unwrap().into_inner()).unwrap()
}

#[test]
fn it_passes_the_list_for_file_systems() {
    let excludes = |check: &FsCheck| match check {
        _ if check.stores => Some("files that are stored"),
        _ if check.links => Some("links"),
        _ if check.archives => Some("archives"),
        _ if check.portable_names => Some("names of Windows"),
        _ if check.name == "names/any bytes" => Some("names that are not UTF-8"),
        _ => None,
    };
    file_systems("zip", excludes, |check| archive_of(&check.site()));
}
