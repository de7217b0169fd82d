//! Runs the cases that apply under `wasmtime serve`, a host of `wasi:http`, and tests deadlines there. Also tests the
//! example component, with a directory and with embedded files.

#![cfg(unix)]

#[allow(dead_code, reason = "other tests need more of it")]
mod component;
mod tools;

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use component::{Component, rest};
use sanserve_conformance::{Client, Site, case, hosts};

/// Returns a command that serves a component, with additional arguments.
fn wasmtime(program: &Path, component: &Path, given: &[&str]) -> Command {
    let mut command = Command::new(program);
    // wasmtime may be built without the pooling allocator. Each instance serves many requests.
    command.args([
        "serve",
        "-O",
        "pooling-allocator=n",
        "-S",
        "cli",
        "--no-logging-prefix",
    ]);
    command.args([
        "--addr",
        "127.0.0.1:0",
        "--max-instance-reuse-count",
        "1000",
    ]);
    command.args(given).arg(component);
    command
}

#[test]
fn conforms() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let component = cases();
    let site = Site::standard().in_temp_dir().expect("a site");
    let directory = format!("{}::/", site.path().display());
    let host = Component::serve(wasmtime(&program, &component, &["--dir", &directory]));
    let address = host.address();
    let names = case::all().into_iter().map(|case| case.name);
    let places: HashMap<_, _> = names
        .enumerate()
        .map(|(place, name)| (name, place))
        .collect();
    hosts(
        "wasi:http",
        // Each request may get a new instance, and the directory is read-only. wasmtime passes content with each
        // request, empty if there is none.
        |case, request| match request.method.as_str() {
            _ if case.stores => Some("files that are stored"),
            // The component has the handlers that need no std.
            _ if case.is_timed() => Some("waits"),
            "PUT" | "POST" if case.handler.ends_with("upload") && request.content.is_none() => {
                Some("content that is not there")
            }
            _ => None,
        },
        |case, request, fragmentation| {
            let files = component::files(case);
            let kind = format!("{} {files}", places[&case.name]);
            let mut request = request.clone();
            request.fields.push(("Case".into(), kind.into()));
            let peer = Client::connect(address).expect("it listens");
            let mut reply = request.exchange(peer, fragmentation).expect("a reply");
            reply.log = host.log.take();
            reply
        },
    );
}

/// Builds the component that serves the cases.
fn cases() -> PathBuf {
    let target = ["--target", "wasm32-wasip2", "--message-format", "json"];
    tools::built_library(
        "conformance/wasi",
        &[&["build", "--lib"], &target[..]].concat(),
    )
}

#[test]
fn stalled_content_gets_408_or_ends_the_reply() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let host = Component::serve(wasmtime(&program, &cases(), &[]));
    let reply_of = |handler: &str| {
        let index = case::all().iter().position(|case| case.handler == handler);
        let index = index.expect("a case of that handler");
        let mut socket = host.connect();
        let fields = format!("Host: x\r\nConnection: close\r\nCase: {index} site impatient");
        write!(
            socket,
            "POST / HTTP/1.1\r\n{fields}\r\nContent-Length: 5\r\n\r\nhe"
        )
        .expect("it reads");
        let mut reply = Vec::new();
        // If the reply is truncated, the connection may fail.
        let _ = socket.read_to_end(&mut reply);
        String::from_utf8(reply).expect("text")
    };
    let reply = reply_of("echo");
    assert!(
        reply.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{reply}"
    );
    assert!(
        reply.contains("<p>Message: The content arrives too slowly.</p>"),
        "{reply}"
    );
    // The reply has begun by then, and must not look complete.
    let reply = reply_of("stream");
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(!reply.ends_with("0\r\n\r\n"), "{reply}");
}

/// Builds the example component in release mode.
fn example() -> PathBuf {
    let package = [
        "build",
        "--release",
        "--target",
        "wasm32-wasip2",
        "--message-format",
        "json",
    ];
    tools::built_library("examples/component", &package)
}

/// Returns the reply to a request with these lines.
fn ask(host: &Component, lines: &str) -> String {
    let mut socket = host.connect();
    write!(socket, "{lines}\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    rest(&mut socket)
}

#[test]
fn the_example_serves_as_documented() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let mut lines = include_str!("../../docs/platforms.md")
        .lines()
        .map(str::trim);
    let line = lines.find(|line| line.starts_with("wasmtime serve "));
    let line = line.expect("the page has a line");
    let words: Vec<_> = line.split(' ').collect();
    let [_, _, "-S", "cli", given @ .., "sanserve_component.wasm"] = &words[..] else {
        panic!("{line}");
    };
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("hello.txt"), "hello\n").expect("the file can be written");
    let folder = folder.path().display().to_string();
    let given: Vec<_> = given
        .iter()
        .map(|word| word.replace("DIR", &folder))
        .collect();
    let given: Vec<_> = given.iter().map(|word| &word[..]).collect();
    let host = Component::serve(wasmtime(&program, &example(), &given));
    assert!(
        host.line.starts_with("Serving HTTP on http://127.0.0.1:"),
        "{}",
        host.line
    );
    let reply = ask(&host, "GET /hello.txt HTTP/1.1");
    assert!(reply.ends_with("\r\n\r\nhello\n"), "{reply}");
}

#[test]
fn the_example_serves_its_embedded_files() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let host = Component::serve(wasmtime(&program, &example(), &[]));
    let page = include_str!("../../examples/component/site/index.html");
    let reply = ask(&host, "GET / HTTP/1.1");
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.ends_with(&format!("\r\n\r\n{page}")), "{reply}");
    let length = format!("\r\ncontent-length: {}\r\n", page.len());
    assert!(reply.contains(&length), "{reply}");
    let tag = reply.lines().find_map(|line| line.strip_prefix("etag: "));
    let tag = tag.expect("a file has a tag");

    let head = ask(&host, "HEAD /index.html HTTP/1.1");
    assert!(
        head.contains(&length) && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let part = ask(&host, "GET / HTTP/1.1\r\nRange: bytes=0-8");
    assert!(
        part.starts_with("HTTP/1.1 206 Partial Content\r\n"),
        "{part}"
    );
    assert!(part.ends_with("\r\n\r\n<!DOCTYPE"), "{part}");
    let same = ask(&host, &format!("GET / HTTP/1.1\r\nIf-None-Match: {tag}"));
    assert!(same.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{same}");
    let missing = ask(&host, "GET /nope HTTP/1.1");
    assert!(
        missing.starts_with("HTTP/1.1 404 Not Found\r\n"),
        "{missing}"
    );
    assert!(missing.contains("<h1>404 File not found</h1>"), "{missing}");
}

#[test]
fn the_example_serves_the_directory_of_the_host() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("sub")).expect("the folder can be created");
    fs::write(folder.path().join(".hidden"), "x").expect("the file can be written");
    let large: Vec<u8> = (0..8 << 20).map(|at: u32| (at >> 8) as u8 & 0x3f).collect();
    fs::write(folder.path().join("large.txt"), &large).expect("the file can be written");
    let directory = format!("{}::/", folder.path().display());
    let given = ["--dir", &directory, "--env", "SANSERVE_HIDDEN=1"];
    let host = Component::serve(wasmtime(&program, &example(), &given));
    let listing = ask(&host, "GET / HTTP/1.1");
    for name in [
        "<a href=\"sub/\">",
        "<a href=\"large.txt\">",
        "<a href=\".hidden\">",
    ] {
        assert!(listing.contains(name), "{listing}");
    }
    let reply = ask(&host, "GET /large.txt HTTP/1.1");
    let (head, content) = reply.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("\r\ncontent-length: 8388608"), "{head}");
    assert!(content.as_bytes() == large);
    let moved = ask(&host, "GET /sub HTTP/1.1");
    assert!(moved.contains("\r\nlocation: ./sub/\r\n"), "{moved}");
}
