//! Tests one disk that all servers share: each of them can send a file that another one has cached.
#![cfg(target_os = "linux")]

mod client;
mod slow_client;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::connect;
use sanserve_core::archive::Download;
use sanserve_core::{Config, FileSystem, Files, Opened, Path as Name, Protocol};
use sanserve_server::Disk;
use slow_client::{RUNTIMES, Server, Setup};
use tempfile::TempDir;

/// The length of the large file, which is kept open and not cached in memory.
const LEN: usize = 1 << 20;

/// How often each server gets all requests: before the first eviction, after it, and once more when everything is
/// cached.
const ROUNDS: usize = 3;

#[test]
fn every_server_can_send_files_cached_by_another() {
    let site = site();
    wait_until_cacheable(site.path());
    let disk = Arc::new(Disk::open(site.path()).unwrap());
    let targets = targets(site.path());
    let runtimes = RUNTIMES.into_iter().chain(["stdio"]);
    let servers = runtimes.map(|runtime| {
        let setup = Setup {
            runtime,
            tls: None,
            send_buffer: 0,
            connections: ROUNDS * targets.len(),
            config: Config::default().with_protocol(Protocol::Http11),
            handler,
        };
        (runtime, Server::with_disk(setup, Arc::clone(&disk)))
    });
    let servers: Vec<_> = servers.collect();
    for round in 0..ROUNDS {
        for (runtime, server) in &servers {
            for (target, expected) in &targets {
                let content = get(server, target);
                let name = format!("{runtime}, {target}, round {round}");
                assert!(
                    expected
                        .as_ref()
                        .is_none_or(|expected| *expected == content),
                    "{name}: {} bytes",
                    content.len()
                );
                assert!(!content.is_empty(), "{name}");
            }
        }
        // The event loop also does this from time to time.
        disk.evict_idle();
        check_large_file(&disk, round > 0);
    }
}

fn handler() -> Files {
    let mut files = Files::new();
    files.settings_mut().archive = Arc::new(Download::parse);
    files
}

fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    let large: Vec<u8> = (0..LEN).map(|at| (at / 251 + at % 251) as u8).collect();
    fs::write(site.path().join("large"), large).unwrap();
    fs::write(site.path().join("small"), "small").unwrap();
    fs::create_dir(site.path().join("folder")).unwrap();
    for number in 0..300 {
        fs::write(site.path().join(format!("folder/{number}")), "in a folder").unwrap();
    }
    site
}

/// Returns the targets of the requests, with the content of those that are files.
fn targets(site: &Path) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let file = |name: &str| Some(fs::read(site.join(name)).unwrap());
    vec![
        ("/large", file("large")),
        ("/small", file("small")),
        ("/folder/7", file("folder/7")),
        ("/folder/", None),
        ("/folder/?tar", None),
        ("/folder/?zip", None),
    ]
}

/// Waits until the files have been unchanged for long enough to be cached.
fn wait_until_cacheable(site: &Path) {
    let changed = fs::metadata(site.join("folder/299")).unwrap().ctime();
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    while now() as i64 <= changed + 2 {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asserts that the large file can be sent by its descriptor, and that it is cached if it should be.
fn check_large_file(disk: &Disk, should_be_cached: bool) {
    let opened = disk.open(&Name::parse("/large").unwrap()).unwrap();
    let Opened::File { file, sendable, .. } = opened else {
        panic!("not a file")
    };
    assert!(sendable);
    assert!(!should_be_cached || file.is_cached());
}

/// Requests a target, and returns the content of the reply.
fn get(server: &Server, target: &str) -> Vec<u8> {
    let mut socket = connect(server.address);
    let request = format!("GET {target} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    let head = reply.windows(4).position(|end| end == b"\r\n\r\n");
    assert!(reply.starts_with(b"HTTP/1.1 200 OK"), "{target}");
    reply.split_off(head.expect("a head") + 4)
}
