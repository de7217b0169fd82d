//! Links and directories that change places while they are asked for: nothing from outside of the
//! root is sent, whenever it happens. Runs for `RACE_SECONDS`, 5 if that is not set.
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

/// A `root` to serve, and beside it what nobody may see: its content and its names say so.
fn site() -> TempDir {
    let site = TempDir::new().expect("a temporary folder");
    let make = |name: &str, text: &str| {
        let place = site.path().join(name);
        fs::create_dir_all(place.parent().expect("it has a folder")).expect("a folder of ours");
        fs::write(place, text).expect("a file of ours");
    };
    make("SECRET", "SECRET");
    make("outside/SECRET", "SECRET");
    make("outside/page", "SECRET");
    make("root/SECRET", "inside");
    make("root/inside/page", "inside");
    make("root/a/b/other", "inside");
    // Seen from a/b it leads to root/SECRET, from b it leads out.
    symlink("../../SECRET", site.path().join("root/a/b/climber")).expect("a link of ours");
    site
}

/// Puts a link where another was, at once.
fn exchange(root: &Path, name: &str, target: &str) {
    let new = root.join(format!("{name}.new"));
    symlink(target, &new).expect("a link of ours");
    fs::rename(new, root.join(name)).expect("a link takes another's place");
}

/// Changes all that can be changed, until it is told to stop. Returns how often it did.
fn juggle(root: &Path, stop: &AtomicBool) -> u32 {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        exchange(root, "file", "inside/page");
        exchange(root, "folder", "inside");
        fs::rename(root.join("a/b"), root.join("b")).expect("a folder moves up");
        exchange(root, "file", "../SECRET");
        exchange(root, "folder", "../outside");
        fs::rename(root.join("b"), root.join("a/b")).expect("a folder moves down");
        rounds += 1;
    }
    rounds
}

/// Everything that might lead out, many times, on one connection after another. Returns how many
/// replies had something to show, and how many had not.
fn ask(address: SocketAddr, until: Instant) -> (usize, usize) {
    let targets = [
        "file",
        "folder/page",
        "folder/SECRET",
        "folder/",
        "a/b/climber",
        "b/climber",
    ];
    let requests = targets.map(|target| format!("GET /{target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let (mut shown, mut refused) = (0, 0);
    for at in (0..targets.len()).cycle() {
        if Instant::now() > until {
            break;
        }
        let mut socket = TcpStream::connect(address).expect("the server listens");
        let input = requests[at].repeat(20);
        socket.write_all(input.as_bytes()).expect("it is read");
        socket.shutdown(Shutdown::Write).expect("it is open");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("a reply is text");
        let leak = said.contains("SECRET");
        assert!(!leak, "{} showed what is outside:\n{said}", targets[at]);
        shown += said.matches("HTTP/1.1 200 OK").count();
        refused += said.matches("HTTP/1.1 404").count();
    }
    (shown, refused)
}

#[test]
fn nothing_outside_is_sent_while_links_are_exchanged() {
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
    let (shown, refused, rounds) = thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config, Files::new));
        let juggler = scope.spawn(|| juggle(&root, &stop));
        let until = Instant::now() + Duration::from_secs(seconds);
        let clients = [0, 1].map(|_| scope.spawn(move || ask(address, until)));
        let asked = clients.map(thread::ScopedJoinHandle::join);
        // Whatever came of it, everybody goes home.
        stop.store(true, Ordering::Relaxed);
        stopper.shutdown(Duration::from_secs(1));
        let rounds = juggler.join().expect("it only moves files");
        let [one, other] = asked.map(|asked| asked.expect("nothing leaks"));
        (one.0 + other.0, one.1 + other.1, rounds)
    });
    println!("{shown} shown, {refused} refused in {rounds} rounds");
    // Else it was no race.
    assert!(shown > 0 && refused > 0 && rounds > 10);
}
