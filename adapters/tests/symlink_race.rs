//! Tests that nothing outside the root is ever sent while the requested links and directories are being swapped. Runs
//! for `RACE_SECONDS` seconds, 5 by default.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sanserve_core::{Config, Files, Protocol};
use sanserve_server::{Disk, ThreadingHTTPServer};
use tempfile::TempDir;

/// Makes a `root` to serve, and beside it files that must not be sent, which are named `SECRET` or contain it.
fn site() -> TempDir {
    let site = TempDir::new().expect("a temporary folder");
    let make = |name: &str, text: &str| {
        let path = site.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("the folder can be made");
        fs::write(path, text).expect("the file can be written");
    };
    make("SECRET", "SECRET");
    make("outside/SECRET", "SECRET");
    make("outside/page", "SECRET");
    make("root/SECRET", "inside");
    make("root/inside/page", "inside");
    make("root/a/b/other", "inside");
    // In a/b this leads to root/SECRET; when b has moved up, it leads out of the root.
    symlink("../../SECRET", site.path().join("root/a/b/climber")).expect("the link can be made");
    site
}

/// Replaces a link with another, atomically.
fn replace_link(root: &Path, name: &str, target: &str) {
    let new = root.join(format!("{name}.new"));
    symlink(target, &new).expect("the link can be made");
    fs::rename(new, root.join(name)).expect("the link can be replaced");
}

/// Exchanges links and folders until it is stopped. Returns the number of rounds.
fn exchange(root: &Path, stop: &AtomicBool) -> u32 {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        replace_link(root, "file", "inside/page");
        replace_link(root, "folder", "inside");
        fs::rename(root.join("a/b"), root.join("b")).expect("a folder moves up");
        replace_link(root, "file", "../SECRET");
        replace_link(root, "folder", "../outside");
        fs::rename(root.join("b"), root.join("a/b")).expect("a folder moves down");
        rounds += 1;
    }
    rounds
}

/// Requests every path that may lead out, many times, on one connection after another. Returns the number of requests
/// that got a file, and the number that got 404.
fn request_all(address: SocketAddr, until: Instant) -> (usize, usize) {
    let targets = [
        "file",
        "folder/page",
        "folder/SECRET",
        "folder/",
        "a/b/climber",
        "b/climber",
    ];
    let requests = targets.map(|target| format!("GET /{target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let (mut sent, mut refused) = (0, 0);
    for at in (0..targets.len()).cycle() {
        if Instant::now() > until {
            break;
        }
        let mut socket = TcpStream::connect(address).expect("the server listens");
        let input = requests[at].repeat(20);
        socket
            .write_all(input.as_bytes())
            .expect("the server reads");
        socket
            .shutdown(Shutdown::Write)
            .expect("the connection is open");
        let mut replies = String::new();
        socket.read_to_string(&mut replies).expect("text");
        let leaks = replies.contains("SECRET");
        assert!(!leaks, "{} sent a file outside:\n{replies}", targets[at]);
        sent += replies.matches("HTTP/1.1 200 OK").count();
        refused += replies.matches("HTTP/1.1 404").count();
    }
    (sent, refused)
}

#[test]
fn nothing_outside_the_root_is_sent_while_links_are_exchanged() {
    let seconds = std::env::var("RACE_SECONDS").map_or(5, |text| {
        text.parse().expect("RACE_SECONDS is a number of seconds")
    });
    let site = site();
    let root = site.path().join("root");
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let server = server.with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let disk = Disk::open(&root).expect("the root was made");
    let config = Config::default().with_protocol(Protocol::Http11);
    let stop = AtomicBool::new(false);
    let (sent, refused, rounds) = thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config, Files::new));
        let exchanger = scope.spawn(|| exchange(&root, &stop));
        let until = Instant::now() + Duration::from_secs(seconds);
        let clients = [0, 1].map(|_| scope.spawn(move || request_all(address, until)));
        let results = clients.map(thread::ScopedJoinHandle::join);
        // The threads must stop even if a client has failed.
        stop.store(true, Ordering::Relaxed);
        stopper.shutdown(Duration::from_secs(1));
        let rounds = exchanger.join().expect("no panic");
        let [first, second] = results.map(|result| result.expect("no leak"));
        (first.0 + second.0, first.1 + second.1, rounds)
    });
    println!("{sent} sent, {refused} refused in {rounds} rounds");
    // Otherwise it was not a race.
    assert!(sent > 0 && refused > 0 && rounds > 10);
}
