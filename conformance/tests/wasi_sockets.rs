//! Runs the suite on the adapter for WASI sockets, in components that wasmtime runs. Also tests that names and times
//! that WASI cannot express are left out, that no client delays another, and the limit of connections.

#![cfg(unix)]

mod component;
mod tools;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use component::{Component, rest};
use sanserve_conformance::{Case, Client, Site, case, clients, run_except};

/// Returns a command that runs a component with a directory as its `/`.
fn wasmtime(program: &Path, directory: &Path, component: &Path, arguments: &[&str]) -> Command {
    let directory = format!("{}::/", directory.display());
    let mut command = Command::new(program);
    command.args(["run", "-S", "inherit-network,tcp", "--dir", &directory]);
    command.arg(component).args(arguments);
    command
}

/// Builds the component that serves the cases.
fn build() -> PathBuf {
    let target = "wasm32-wasip2";
    tools::built(
        "conformance/wasi",
        &["build", "--target", target, "--message-format", "json"],
    )
}

/// Starts a plain file service of a directory, with the option of `conformance/wasi/src/main.rs`.
fn serve(program: &Path, directory: &Path, option: &str) -> Component {
    let plain = |case: &&Case| case.handler == "files" && case.options.is_empty();
    let name = case::all()
        .iter()
        .find(plain)
        .expect("a plain case")
        .name
        .clone();
    let arguments = [&name[..], "disk", option];
    let arguments = if option.is_empty() {
        &arguments[..2]
    } else {
        &arguments
    };
    Component::start(wasmtime(program, directory, &build(), arguments))
}

#[test]
fn conforms() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let component = build();
    let site = Site::standard().in_temp_dir().expect("a site");
    let mut started = HashMap::new();
    let connect = clients(move |case| {
        let files = component::files(case);
        let kind = (case.handler.clone(), case.options.clone(), files);
        let component = started.entry(kind).or_insert_with(|| {
            let arguments = [&case.name[..], files];
            Component::start(wasmtime(&program, site.path(), &component, &arguments))
        });
        let log = Rc::clone(&component.log);
        Ok((Client::connect(component.address())?, move || log.take()))
    });
    // Both the WASI directory and the site in memory are read-only.
    let excludes = |case: &Case| match case {
        _ if case.stores => Some("files that are stored"),
        _ if case.upgrades => Some("upgrades"),
        _ if case.is_timed() => Some("when the client sends and reads"),
        _ => None,
    };
    run_except("wasi", excludes, connect);
}

#[test]
fn names_and_times_that_wasi_cannot_express_are_left_out() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let site = Site::standard().in_temp_dir().expect("a site");
    let component = serve(&program, site.path(), "");
    let is_404 = |path: &str| component.get(path).starts_with("HTTP/1.0 404 ");
    assert!(is_404("/bad%FF.txt"));
    let listing = component.get("/");
    assert!(
        listing.contains(">file.txt<") && !listing.contains("bad"),
        "{listing}"
    );
    let old = component.get("/neg.txt");
    assert!(old.ends_with("\r\n\r\nneg"), "{old}");
    assert!(
        !old.contains("Last-Modified") && !old.contains("ETag"),
        "{old}"
    );
}

#[test]
fn a_silent_client_does_not_delay_others() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let site = Site::standard().in_temp_dir().expect("a site");
    let component = serve(&program, site.path(), "");
    let mut silent = component.connect();
    let mut drips = component.connect();
    let mut others: Vec<TcpStream> = (0..62).map(|_| component.connect()).collect();
    let request = b"GET /file.txt HTTP/1.0\r\nX: a field that takes its time\r\n\r\n";
    let (begun, last) = request.split_at(others.len() - 10);
    let mut drops = begun.iter();
    for other in &mut others {
        if let Some(drop) = drops.next() {
            drips.write_all(&[*drop]).expect("it reads");
        }
        other.write_all(request).expect("it reads");
        assert!(rest(other).ends_with("\r\n\r\nhello\n"));
    }
    // These connections were not closed either.
    drips.write_all(last).expect("it reads");
    silent.write_all(request).expect("it reads");
    assert!(rest(&mut drips).ends_with("\r\n\r\nhello\n"));
    assert!(rest(&mut silent).ends_with("\r\n\r\nhello\n"));
}

#[test]
fn a_client_that_does_not_read_does_not_delay_others() {
    const LEN: u64 = 64 << 20;
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("small"), "small").expect("a file");
    let large = File::create(folder.path().join("large"));
    large.and_then(|file| file.set_len(LEN)).expect("a file");
    let component = serve(&program, folder.path(), "impatient");
    let mut stalled = component.connect();
    stalled
        .write_all(b"GET /large HTTP/1.0\r\n\r\n")
        .expect("it reads");
    // The time limit of the stalled client passes. Data that the host buffers for it must not block the loop.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        assert!(component.get("/small").ends_with("\r\n\r\nsmall"));
    }
    let reply = rest(&mut stalled);
    let len = reply.len() as u64;
    assert!(len > 0 && len < LEN, "{len} bytes of the aborted reply");
    assert!(component.get("/small").ends_with("\r\n\r\nsmall"));
}

#[test]
fn a_connection_above_the_limit_waits() {
    let Some(program) = tools::find("wasmtime") else {
        return;
    };
    let site = Site::standard().in_temp_dir().expect("a site");
    let component = serve(&program, site.path(), "narrow");
    let first = component.connect();
    let second = component.connect();
    let mut third = component.connect();
    third
        .write_all(b"GET /file.txt HTTP/1.0\r\n\r\n")
        .expect("the system takes it");
    let timeouts = third.read_timeout().expect("a limit");
    third
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("a limit");
    let early = third.read(&mut [0]).expect_err("it has to wait");
    assert!(
        matches!(early.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{early}"
    );
    third.set_read_timeout(timeouts).expect("a limit");
    drop(first);
    assert!(rest(&mut third).ends_with("\r\n\r\nhello\n"));
    drop(second);
}
