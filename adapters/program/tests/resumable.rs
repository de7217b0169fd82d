//! Tests that an upload whose connections are cut again and again arrives whole, on all runtimes.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};

use client::connect;
use process::{Program, RUNTIMES};

/// Sends a request on a new connection, and returns the reply. It may come, and be cut off, before all was sent.
fn ask(address: SocketAddr, head: &str, content: &[u8]) -> String {
    let mut socket = connect(address);
    let request = format!("{head}\r\nHost: h\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let _ = socket.write_all(content);
    let mut reply = Vec::new();
    let _ = socket.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

/// Returns the value of a field of a reply.
fn field<'a>(reply: &'a str, name: &str) -> &'a str {
    let mut lines = reply.split("\r\n");
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name}: {reply}"))
}

/// The fields of a part from this offset to the end.
fn part(target: &str, content: &[u8], offset: usize) -> String {
    let rest = content.len() - offset;
    format!(
        "PATCH {target} HTTP/1.1\r\nContent-Type: application/partial-upload\r\n\
         Upload-Offset: {offset}\r\nUpload-Complete: ?1\r\nContent-Length: {rest}"
    )
}

/// Sends the begin of a part, and disconnects.
fn send_and_cut(address: SocketAddr, head: &str, sent: &[u8]) {
    let mut socket = connect(address);
    let request = format!("{head}\r\nHost: h\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    socket.write_all(sent).unwrap();
    socket.shutdown(Shutdown::Both).unwrap();
}

#[test]
fn an_upload_that_is_cut_twenty_times_arrives_whole() {
    const CUTS: usize = 20;
    let content: Vec<u8> = (0..6_000_000u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for runtime in RUNTIMES {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::serve(folder.path(), &["--upload", "--runtime", runtime]);
        let address = program.address();
        let begin = "PUT /large.bin HTTP/1.1\r\nUpload-Complete: ?0\r\nContent-Length: 0";
        let created = ask(address, begin, b"");
        assert!(created.starts_with("HTTP/1.1 201 "), "{created}");
        let target = field(&created, "Location").replacen('.', "", 1);
        let inspect = format!("HEAD {target} HTTP/1.1");
        let mut offset = 0;
        for cut in 0..CUTS {
            let end = (offset + content.len() / CUTS + cut).min(content.len() - 1);
            let head = part(&target, &content, offset);
            send_and_cut(address, &head, &content[offset..end]);
            let reply = ask(address, &inspect, b"");
            let stored: usize = field(&reply, "Upload-Offset").parse().unwrap();
            // Nothing is lost that was stored before, and nothing is stored that was not sent.
            assert!(
                (offset..=end).contains(&stored),
                "{stored} after {offset} to {end}"
            );
            offset = stored;
            assert!(!folder.path().join("large.bin").exists());
        }
        // A part that was cut may still be on its way into the server, and take the upload over.
        let mut last = String::new();
        for _ in 0..CUTS {
            last = ask(
                address,
                &part(&target, &content, offset),
                &content[offset..],
            );
            if last.starts_with("HTTP/1.1 201 ") {
                break;
            }
            let reply = ask(address, &inspect, b"");
            offset = field(&reply, "Upload-Offset").parse().unwrap();
        }
        assert!(last.starts_with("HTTP/1.1 201 "), "{last}");
        assert!(fs::read(folder.path().join("large.bin")).unwrap() == content);
        program.stop();
    }
}
