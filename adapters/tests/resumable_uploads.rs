//! Tests uploads that can be resumed on a disk: what arrived before a connection ended is kept, another connection takes
//! the upload over, nothing of it is visible or left behind, and the number of unfinished uploads is limited.
#![cfg(unix)]

mod client;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path as StdPath;
use std::thread;
use std::time::Duration;

use client::{connect, noise, read_head};
use sanserve_core::{
    Config, Create, FileSystem, FsError, Opened, Path, Protocol, ResumableUploads,
    UnfinishedUpload, Upload, UploadRequest, UploadState, UploadToken,
};
use sanserve_server::{Disk, ThreadingHTTPServer, event_loop};
use tempfile::TempDir;

/// Serves a directory with the event loop, with and without temporary names for pending files, and with threads.
fn with_servers(test: impl Fn(SocketAddr, &StdPath)) {
    for (threads, named) in [(false, false), (false, true), (true, false)] {
        let root = TempDir::new().unwrap();
        let disk = Disk::open(root.path()).unwrap();
        let disk = disk.with_named_temporary_files(named);
        let handler = || {
            let mut upload = Upload::new();
            upload.resumable = Some(ResumableUploads::new());
            upload.files.settings_mut().hidden = true;
            upload
        };
        let config = Config::default().with_protocol(Protocol::Http11);
        if threads {
            let server = ThreadingHTTPServer::bind("127.0.0.1:0").unwrap();
            let server = server.with_log(|_| ());
            let (address, stopper) = (server.server_address(), server.stopper());
            let served = thread::spawn(move || server.serve_forever(&disk, config, handler));
            test(address, root.path());
            stopper.shutdown(Duration::ZERO);
            drop(served.join());
        } else {
            let server = event_loop::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let server = server.with_log(|_| ());
            let (address, stopper) = (server.server_address(), server.stopper());
            let served = thread::spawn(move || server.serve_forever(&disk, config, handler));
            test(address, root.path());
            stopper.shutdown(Duration::ZERO);
            drop(served.join());
        }
    }
}

/// Sends a request with these bytes of its content, of which it announces `len`.
fn send(mut socket: &TcpStream, line: &str, fields: &str, len: usize, content: &[u8]) {
    let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n{fields}\r\n");
    socket
        .write_all(&[head.as_bytes(), content].concat())
        .unwrap();
}

/// Sends a whole request on a connection of its own, and returns the head of the reply.
fn ask(address: SocketAddr, line: &str, fields: &str, content: &[u8]) -> String {
    let socket = connect(address);
    send(&socket, line, fields, content.len(), content);
    read_head(&socket)
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines();
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values
        .next()
        .unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// Begins an upload of which `len` bytes are announced, and returns its connection and target.
fn begin(address: SocketAddr, len: usize) -> (TcpStream, String) {
    let socket = connect(address);
    let fields = "Upload-Complete: ?1\r\nUpload-Draft-Interop-Version: 8\r\n";
    send(&socket, "PUT /a", fields, len, b"");
    let interim = read_head(&socket);
    assert!(interim.starts_with("HTTP/1.1 104 "), "{interim}");
    let target = field(&interim, "Location").strip_prefix('.').unwrap();
    let target = target.to_owned();
    (socket, target)
}

fn offset(address: SocketAddr, target: &str) -> usize {
    let head = ask(address, &format!("HEAD {target}"), "", b"");
    field(&head, "Upload-Offset").parse().unwrap()
}

/// Appends the rest of a file, and returns the head of the reply.
fn append(address: SocketAddr, target: &str, at: usize, rest: &[u8]) -> String {
    let fields = format!(
        "Upload-Complete: ?1\r\nUpload-Offset: {at}\r\nContent-Type: application/partial-upload\r\n"
    );
    ask(address, &format!("PATCH {target}"), &fields, rest)
}

/// Returns the number of names in a directory.
fn count(root: &StdPath) -> usize {
    fs::read_dir(root).unwrap().count()
}

#[test]
fn what_has_arrived_before_the_connection_ended_is_kept() {
    let content = noise(300_001);
    with_servers(|address, root| {
        let (mut socket, target) = begin(address, content.len());
        socket.write_all(&content[..123_457]).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        // The reply, or the end, shows that the server has read everything.
        let mut reply = Vec::new();
        let _ = socket.read_to_end(&mut reply);
        assert!(reply.starts_with(b"HTTP/1.1 400 "), "{reply:?}");
        assert!(!root.join("a").exists());
        assert_eq!(offset(address, &target), 123_457);
        let reply = append(address, &target, 123_457, &content[123_457..]);
        assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
        assert_eq!(field(&reply, "Upload-Complete"), "?1");
        assert_eq!(fs::read(root.join("a")).unwrap(), content);
        assert_eq!(count(root), 1);
    });
}

#[test]
fn a_request_for_an_upload_ends_the_part_that_another_connection_sends() {
    let content = noise(300_001);
    with_servers(|address, root| {
        let (mut first, target) = begin(address, content.len());
        first.write_all(&content[..100_000]).unwrap();
        let at = offset(address, &target);
        assert!(at <= 100_000);
        // All of it is refused, and what is stored stays as it is.
        let mut reply = Vec::new();
        let _ = first.write_all(&content[100_000..]);
        let _ = first.read_to_end(&mut reply);
        assert!(!reply.starts_with(b"HTTP/1.1 2"), "{reply:?}");
        assert_eq!(offset(address, &target), at);
        let reply = append(address, &target, at, &content[at..]);
        assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
        assert_eq!(fs::read(root.join("a")).unwrap(), content);
    });
}

#[test]
fn a_client_of_http_1_0_gets_no_interim_reply() {
    with_servers(|address, root| {
        let mut socket = connect(address);
        let fields = "Upload-Complete: ?1\r\nUpload-Draft-Interop-Version: 8\r\n";
        let head = format!("PUT /a HTTP/1.0\r\nContent-Length: 1\r\n{fields}\r\nx");
        socket.write_all(head.as_bytes()).unwrap();
        let reply = read_head(&socket);
        assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
        assert!(!reply.contains("Upload-"), "{reply}");
        assert_eq!(fs::read(root.join("a")).unwrap(), b"x");
    });
}

#[test]
fn a_cancelled_upload_leaves_nothing_behind() {
    with_servers(|address, root| {
        let (mut socket, target) = begin(address, 1000);
        socket.write_all(b"hello").unwrap();
        let reply = ask(address, &format!("DELETE {target}"), "", b"");
        assert!(reply.starts_with("HTTP/1.1 204 "), "{reply}");
        let reply = ask(address, &format!("HEAD {target}"), "", b"");
        assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
        // Even while the connection that was sending is still open.
        assert_eq!(count(root), 0);
        socket.write_all(&[b'x'; 995]).unwrap();
        let reply = read_head(&socket);
        assert!(reply.starts_with("HTTP/1.1 409 "), "{reply}");
        assert_eq!(count(root), 0);
    });
}

#[test]
fn too_many_unfinished_uploads_are_refused_and_whole_ones_are_stored_nevertheless() {
    with_servers(|address, root| {
        let mut targets = Vec::new();
        for _ in 0..UnfinishedUpload::<()>::COUNT_MAX {
            let reply = ask(address, "PUT /a", "Upload-Complete: ?0\r\n", b"x");
            assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
            targets.push(field(&reply, "Location")[1..].to_owned());
        }
        let reply = ask(address, "PUT /b", "Upload-Complete: ?0\r\n", b"x");
        assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
        assert_eq!(field(&reply, "Retry-After"), "5");
        let fields = "Upload-Complete: ?1\r\nUpload-Draft-Interop-Version: 8\r\n";
        let reply = ask(address, "PUT /b", fields, b"x");
        assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
        assert_eq!(fs::read(root.join("b")).unwrap(), b"x");
        // One that is complete makes room for another.
        let reply = append(address, &targets[7], 1, b"y");
        assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
        let reply = ask(address, "PUT /c", "Upload-Complete: ?0\r\n", b"x");
        assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
    });
}

fn path() -> Path {
    Path::from_bytes(b"a".to_vec()).unwrap()
}

fn begun(disk: &Disk) -> (<Disk as FileSystem>::File, UploadState) {
    let begun = disk.upload(&UploadRequest::Begin(Create::new(path())));
    let Ok(Opened::Upload { file, state }) = begun else {
        panic!("{begun:?}")
    };
    (file, state)
}

fn resume(token: UploadToken) -> UploadRequest {
    UploadRequest::Resume {
        path: path(),
        token,
        offset: None,
        len: None,
    }
}

#[test]
fn tokens_are_not_repeated_and_have_no_pattern() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let tokens: Vec<UploadToken> = (0..64).map(|_| begun(&disk).1.token).collect();
    // Each bit is set in some and not in others: by chance that fails once in 2^57 runs.
    let (all, any) = tokens
        .iter()
        .fold((UploadToken::MAX, 0), |(all, any), token| {
            (all & token, any | token)
        });
    assert_eq!((all, any), (0, UploadToken::MAX));
}

#[test]
fn only_the_connection_that_resumed_an_upload_last_can_write_and_commit() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let (mut first, state) = begun(&disk);
    assert_eq!(disk.write(&mut first, b"hel"), Ok(3));
    let resumed = disk.upload(&resume(state.token));
    let Ok(Opened::Upload {
        file: mut second,
        state,
    }) = resumed
    else {
        panic!("{resumed:?}")
    };
    assert_eq!(state.offset, 3);
    assert_eq!(disk.write(&mut first, b"x"), Err(FsError::NotFound));
    assert_eq!(disk.commit(&mut first), Err(FsError::NotFound));
    drop(first);
    assert_eq!(disk.write(&mut second, b"lo"), Ok(2));
    assert_eq!(disk.commit(&mut second), Ok(()));
    assert_eq!(disk.write(&mut second, b"x"), Err(FsError::NotFound));
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"hello");
}
