//! Files that clients store on a disk: nobody sees half of one, nothing is left of one that broke off, and
//! nothing is written outside of the root.
#![cfg(unix)]

mod peer;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path as Place;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use peer::{connect, head};
use sanserve::mio::{HTTPServer, Stopper};
use sanserve::{Disk, ThreadingHTTPServer};
use sanserve_core::{
    Config, Create, FileSystem, FsError, Got, Limits, Opened, Path, Protocol, Upload,
};
use tempfile::TempDir;

/// A server of mio over a directory, on a thread of its own.
struct Server {
    address: SocketAddr,
    stopper: Stopper,
}

impl Server {
    fn start(root: &Place, overwrite: bool) -> Server {
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = server.log(|_| ());
        let (address, stopper) = (server.server_address(), server.stopper());
        let disk = Disk::open(root).unwrap();
        let handler = move || {
            let mut upload = Upload::new();
            upload.overwrite = overwrite;
            upload
        };
        thread::spawn(move || server.serve_forever(&disk, config(), handler));
        Server { address, stopper }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
    }
}

fn config() -> Config {
    Config {
        protocol: Protocol::Http11,
        limits: Limits {
            content: u64::MAX,
            ..Limits::default()
        },
        ..Config::default()
    }
}

fn send(mut socket: &TcpStream, target: &str, len: u64, content: &[u8]) {
    let head = format!("PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n");
    let _ = socket.write_all(&[head.as_bytes(), content].concat());
}

/// The status of the reply to a PUT.
fn put(address: SocketAddr, target: &str, content: &[u8]) -> u16 {
    let socket = connect(address);
    send(&socket, target, content.len() as u64, content);
    head(&socket)[9..12].parse().unwrap()
}

/// All names below a directory, sorted.
fn names(root: &Place) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            names.extend(self::names(&entry.path()));
        }
    }
    names.sort();
    names
}

#[test]
fn what_is_stored_is_what_was_sent() {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    let server = Server::start(root.path(), true);
    let content: Vec<u8> = (0..3_000_000u32).map(|at| (at * 7 % 251) as u8).collect();
    assert_eq!(put(server.address, "/d/a%20b", &content), 201);
    let place = root.path().join("d/a b");
    assert!(fs::read(&place).unwrap() == content);
    // A file like any other of this process: nobody can run it.
    assert_eq!(
        fs::metadata(&place).unwrap().permissions().mode() & 0o111,
        0
    );
    assert_eq!(put(server.address, "/d/a%20b", b"other"), 204);
    assert_eq!(fs::read(&place).unwrap(), b"other");
    // Whom the old one was kept from does not get the new one.
    for (mode, expected) in [(0o600, 0o600), (0o755, 0o644)] {
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(put(server.address, "/d/a%20b", b"secret"), 204);
        let mode = fs::metadata(&place).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !expected, 0, "{mode:o}");
        assert_eq!(mode & 0o600, 0o600, "{mode:o}");
    }
    assert_eq!(names(root.path()), ["a b", "d"]);
}

#[test]
fn nothing_is_left_of_what_breaks_off() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("old"), "old").unwrap();
    let server = Server::start(root.path(), true);
    for target in ["/new", "/old"] {
        let socket = connect(server.address);
        send(&socket, target, 1_000_000, &[b'x'; 500_000]);
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = String::new();
        (&socket).read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
        assert_eq!(names(root.path()), ["old"]);
        assert_eq!(fs::read(root.path().join("old")).unwrap(), b"old");
    }
}

#[test]
fn nobody_sees_half_a_file() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    for (replaces, expected) in [(false, 0), (true, 3)] {
        let path = Path::from_bytes(b"a".to_vec()).unwrap();
        let meta = replaces.then(|| match disk.open(&path) {
            Ok(Opened::File { meta, .. }) => meta,
            other => panic!("{other:?}"),
        });
        let create = Create {
            path,
            replaces: meta,
            len: None,
        };
        let Ok(Opened::Program(mut open)) = disk.create(&create) else {
            panic!("it cannot be made");
        };
        assert!(matches!(disk.give(&mut open, b"hel"), Got::Bytes(3)));
        let now = fs::read(root.path().join("a")).map_or(0, |bytes| bytes.len());
        assert_eq!(now, expected);
        if replaces {
            assert!(matches!(disk.give(&mut open, b"lo"), Got::Bytes(2)));
        }
        assert!(matches!(disk.give(&mut open, b""), Got::Bytes(0)));
        drop(open);
        assert_eq!(names(root.path()), ["a"]);
    }
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"hello");
}

#[test]
fn of_many_at_once_one_wins() {
    let root = TempDir::new().unwrap();
    for overwrite in [false, true] {
        let server = Server::start(root.path(), overwrite);
        let won = if overwrite { 204 } else { 201 };
        let statuses: Vec<u16> = thread::scope(|scope| {
            // All have begun before one of them ends.
            let sockets: Vec<_> = (0..8).map(|_| connect(server.address)).collect();
            for (at, socket) in sockets.iter().enumerate() {
                send(socket, "/a", 200_000, &[b'a' + at as u8; 199_999]);
            }
            while fs::read_dir("/proc/self/fd").is_ok() && made(root.path()) < 8 {
                thread::yield_now();
            }
            let ends = sockets.into_iter().enumerate().map(|(at, mut socket)| {
                scope.spawn(move || {
                    socket.write_all(&[b'a' + at as u8]).unwrap();
                    head(&socket)[9..12].parse().unwrap()
                })
            });
            let ends: Vec<_> = ends.collect();
            ends.into_iter().map(|end| end.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|&&status| status == won).count(), 1);
        assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), 7);
        let content = fs::read(root.path().join("a")).unwrap();
        assert_eq!(content.len(), 200_000);
        assert!(
            content.iter().all(|byte| *byte == content[0]),
            "two are mixed"
        );
        assert_eq!(names(root.path()), ["a"]);
    }
}

/// How many files without a name this process has open in a directory.
fn made(root: &Place) -> usize {
    let open = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    let begun = targets.filter(|target| {
        let name = target.to_string_lossy();
        target.starts_with(root) && (name.ends_with(" (deleted)") || name.contains("/.sanserve-"))
    });
    begun.count()
}

#[test]
fn what_cannot_be_written_to_is_said_so() {
    let root = TempDir::new().unwrap();
    let server = Server::start(root.path(), true);
    symlink("target", root.path().join("link")).unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    let fifo = root.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for (target, expected) in [("/link", 409), ("/d", 405), ("/fifo", 409), ("/no/a", 409)] {
        assert_eq!(put(server.address, target, b"x"), expected, "{target}");
    }
    // RFC 9110 §15.5.15, RFC 4918 §9.7.1: NAME_MAX and PATH_MAX of Linux and macOS; a file is no directory.
    fs::write(root.path().join("target"), "target").unwrap();
    let long = format!("/{}", "n".repeat(256));
    let deep = "/n".repeat(2500) + &long[..200];
    for (target, expected) in [(&long[..], 414), (&deep, 414), ("/target/a", 409)] {
        assert_eq!(put(server.address, target, b"x"), expected, "{target}");
    }
    assert_eq!(put(server.address, "/link", b"x"), 409);
    assert_eq!(fs::read(root.path().join("target")).unwrap(), b"target");
    // More than there is room for is not waited for.
    let socket = connect(server.address);
    send(&socket, "/huge", 1 << 62, b"");
    assert!(head(&socket).starts_with("HTTP/1.1 507 "));
    assert_eq!(names(root.path()), ["d", "fifo", "link", "target"]);
}

#[test]
fn a_disk_that_gets_full_keeps_nothing() {
    let root = TempDir::new().unwrap();
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(root.path());
    if !mount.output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: this user may not mount a small file system");
        return;
    }
    let disk = Disk::open(root.path()).unwrap();
    let create = Create {
        path: Path::from_bytes(b"a".to_vec()).unwrap(),
        replaces: None,
        len: None,
    };
    let Ok(Opened::Program(mut open)) = disk.create(&create) else {
        panic!("it cannot be made");
    };
    let full = (0..8).find_map(|_| match disk.give(&mut open, &[b'x'; 65_536]) {
        Got::Opened(Err(error)) => Some(error),
        _ => None,
    });
    drop(open);
    let left = names(root.path());
    drop(disk);
    assert!(
        Command::new("umount")
            .arg(root.path())
            .status()
            .unwrap()
            .success()
    );
    assert_eq!((full, left.len()), (Some(FsError::Full), 0));
}

/// Directories and links change places while files are stored through them: whatever comes of it, the
/// outside stays as it was.
#[test]
fn nothing_is_written_outside_while_links_are_exchanged() {
    let site = TempDir::new().unwrap();
    let (root, outside) = (site.path().join("root"), site.path().join("outside"));
    fs::create_dir_all(root.join("inside")).unwrap();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("old"), "outside").unwrap();
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let disk = Disk::open(&root).unwrap();
    let stop = AtomicBool::new(false);
    let handler = || {
        let mut upload = Upload::new();
        upload.overwrite = true;
        upload
    };
    let exchange = |name: &str, target: &str| {
        let new = root.join(format!("{name}.new"));
        symlink(target, &new).unwrap();
        fs::rename(new, root.join(name)).unwrap();
    };
    let (stored, rounds) = thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config(), handler));
        let juggler = scope.spawn(|| {
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) {
                exchange("folder", "inside");
                let _ = fs::rename(root.join("a/b"), root.join("b"));
                exchange("folder", "../outside");
                let _ = fs::rename(root.join("b"), root.join("a/b"));
                rounds += 1;
            }
            rounds
        });
        let until = Instant::now() + Duration::from_secs(2);
        let mut stored = 0;
        for at in 0.. {
            if Instant::now() > until {
                break;
            }
            for target in [
                format!("/folder/{at}"),
                format!("/a/b/{at}"),
                "/folder/old".into(),
            ] {
                stored += u32::from(put(address, &target, b"evil") < 300);
            }
        }
        stop.store(true, Ordering::Relaxed);
        stopper.shutdown(Duration::from_secs(1));
        (stored, juggler.join().unwrap())
    });
    assert_eq!(names(&outside), ["old"]);
    assert_eq!(fs::read(outside.join("old")).unwrap(), b"outside");
    assert!(
        stored > 0 && rounds > 10,
        "it was no race: {stored} in {rounds}"
    );
}
