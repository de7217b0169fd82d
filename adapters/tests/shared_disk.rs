//! One disk for servers of all kinds: what it has open for whoever asks next, each of them can send.
#![cfg(target_os = "linux")]

mod peer;
mod readers;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peer::connect;
use readers::{RUNTIMES, Server, Setup};
use sanserve_core::archive::Download;
use sanserve_core::{Config, FileSystem, Files, Opened, Path as Name, Protocol};
use sanserve_server::Disk;
use tempfile::TempDir;

/// The length of the large file: it is kept open, and not in memory.
const LEN: usize = 1 << 20;

/// How often each server is asked for everything: before the disk is tidied, after that, and once more when everything
/// is kept.
const TURNS: usize = 3;

#[test]
fn every_server_sends_what_another_one_has_kept() {
    let site = site();
    settle(site.path());
    let disk = Arc::new(Disk::open(site.path()).unwrap());
    let targets = targets(site.path());
    let runtimes = RUNTIMES.into_iter().chain(["stdio"]);
    let servers = runtimes.map(|runtime| {
        let setup = Setup {
            runtime,
            tls: None,
            send_buffer: 0,
            connections: TURNS * targets.len(),
            config: Config::default().with_protocol(Protocol::Http11),
            handler,
        };
        (runtime, Server::with(setup, Arc::clone(&disk)))
    });
    let servers: Vec<_> = servers.collect();
    for turn in 0..TURNS {
        for (runtime, server) in &servers {
            for (target, wanted) in &targets {
                let got = get(server, target);
                let name = format!("{runtime}, {target}, turn {turn}");
                assert!(
                    wanted.as_ref().is_none_or(|wanted| *wanted == got),
                    "{name}: {} bytes",
                    got.len()
                );
                assert!(!got.is_empty(), "{name}");
            }
        }
        // The server of `mio` does so, too, at some time.
        disk.evict_idle();
        keeps(&disk, turn > 0);
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

/// What is asked for, with its content if that is a file.
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

/// Waits until the files have been left alone for so long that they can be kept.
fn settle(site: &Path) {
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

/// Asserts that the large file is what the test is about.
fn keeps(disk: &Disk, kept: bool) {
    let opened = disk.open(&Name::parse("/large").unwrap()).unwrap();
    let Opened::File { file, sendable, .. } = opened else {
        panic!("it is a file")
    };
    assert!(sendable);
    assert!(!kept || file.is_cached());
}

/// The content of a reply.
fn get(server: &Server, target: &str) -> Vec<u8> {
    let mut socket = connect(server.address);
    let request = format!("GET {target} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    let head = reply.windows(4).position(|end| end == b"\r\n\r\n");
    assert!(reply.starts_with(b"HTTP/1.1 200 OK"), "{target}");
    reply.split_off(head.expect("a head comes first") + 4)
}
