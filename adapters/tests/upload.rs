//! Files that clients store on a disk: nobody sees half of one, nothing is left of one that broke off, and
//! nothing is written outside of the root.
#![cfg(unix)]

#[cfg(target_os = "linux")]
mod acl;
mod peer;
#[path = "../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path as Place;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use peer::{connect, head};
use sanserve_core::archive::Download;
use sanserve_core::{
    Config, Create, FileSystem, FsError, Got, Limits, Opened, Path, Protocol, Upload,
};
use sanserve_server::event_loop::{HTTPServer, Stopper};
use sanserve_server::{Disk, ThreadingHTTPServer};
use tempfile::TempDir;
use tools::skip;

/// A server of mio over a directory, on a thread of its own.
struct Server {
    address: SocketAddr,
    stopper: Stopper,
}

impl Server {
    fn start(root: &Place, overwrite: bool) -> Server {
        Server::over(Disk::open(root).unwrap(), overwrite)
    }

    /// It serves hidden files, too, and directories as archives.
    fn over(disk: Disk, overwrite: bool) -> Server {
        // For the first file it is tried what the file system can do, which takes another one for a moment.
        let create = Create {
            path: Path::from_bytes(b"first".to_vec()).unwrap(),
            directories_max: 0,
            replaces: None,
            len: None,
        };
        drop(disk.create(&create));
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = server.with_log(|_| ());
        let (address, stopper) = (server.server_address(), server.stopper());
        let handler = move || {
            let mut upload = Upload::new();
            upload.overwrite = overwrite;
            upload.files.settings_mut().hidden = true;
            upload.files.settings_mut().archive = Arc::new(Download::parse);
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
    Config::default()
        .with_protocol(Protocol::Http11)
        .with_limits(Limits::default().with_content(u64::MAX))
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

/// The whole reply to a GET.
fn get(address: SocketAddr, target: &str) -> String {
    let mut socket = connect(address);
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

/// A disk whose files have a temporary name while they are stored, or none.
fn disk(root: &Place, named: bool) -> Disk {
    Disk::open(root).unwrap().with_named_temporary_files(named)
}

/// A PUT of which all but the last byte was sent, after the server has begun the file.
fn begin(server: &Server, target: &str, directory: &Place) -> TcpStream {
    let before = made(directory);
    let socket = connect(server.address);
    send(&socket, target, 200_000, &[b'x'; 199_999]);
    while made(directory) == before {
        thread::yield_now();
    }
    socket
}

/// Sends the last byte of a PUT that [`begin`] began, and returns the status of the reply.
fn end(mut socket: TcpStream) -> u16 {
    socket.write_all(b"x").unwrap();
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
            directories_max: 0,
            path,
            replaces: meta,
            len: None,
        };
        let Ok(Opened::Writer(mut open)) = disk.create(&create) else {
            panic!("it cannot be made");
        };
        assert!(matches!(
            disk.answer_write(&mut open, b"hel"),
            Got::Bytes(3)
        ));
        let now = fs::read(root.path().join("a")).map_or(0, |bytes| bytes.len());
        assert_eq!(now, expected);
        if replaces {
            assert!(matches!(disk.answer_write(&mut open, b"lo"), Got::Bytes(2)));
        }
        assert_eq!(disk.commit(&mut open), Ok(()));
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
            while made(root.path()) < 8 {
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

/// A file that is replaced keeps its owner, group, mode and access control list.
#[test]
fn an_overwrite_keeps_who_may_read_and_write_the_file() {
    if !rustix::process::getuid().is_root() {
        println!("SKIPPED: only root may give a file to another user");
        return;
    }
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let place = root.path().join("a");
        let server = Server::over(disk(root.path(), named), true);
        for (owner, group, mode) in [(0, 4321, 0o660), (1234, 4321, 0o600), (1234, 0, 0o604)] {
            fs::write(&place, "old").unwrap();
            chown(&place, Some(owner), Some(group)).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(put(server.address, "/a", b"new"), 204);
            let found = fs::metadata(&place).unwrap();
            let found = (found.uid(), found.gid(), found.mode() & 0o7777);
            assert_eq!(found, (owner, group, mode), "{named}");
        }
        fs::set_permissions(&place, fs::Permissions::from_mode(0o6775)).unwrap();
        assert_eq!(put(server.address, "/a", b"new"), 204);
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o7777, 0o664);
        assert_eq!(names(root.path()), ["a"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_overwrite_keeps_the_access_control_list() {
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let place = root.path().join("a");
        fs::write(&place, "old").unwrap();
        let list = acl::list(6, 65534, 4, 4, 6, 0);
        if !acl::set(&place, acl::ACCESS, &list) {
            println!("SKIPPED: this file system has no access control lists");
            return;
        }
        let server = Server::over(disk(root.path(), named), true);
        assert_eq!(put(server.address, "/a", b"new"), 204);
        assert_eq!(acl::get(&place, acl::ACCESS), Some(list), "{named}");
        // The list of the directory is for new files alone.
        acl::set(&place, acl::ACCESS, &[]);
        fs::remove_file(&place).unwrap();
        fs::write(&place, "old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(acl::set(
            root.path(),
            acl::DEFAULT,
            &acl::list(7, 65534, 7, 7, 7, 7)
        ));
        assert_eq!(put(server.address, "/a", b"new"), 204);
        assert_eq!(acl::get(&place, acl::ACCESS), None, "{named}");
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o640);
        assert_eq!(put(server.address, "/b", b"new"), 201);
        let inherited = acl::get(&root.path().join("b"), acl::ACCESS);
        assert!(inherited.is_some(), "{named}");
    }
}

/// Permissions that are taken away while the content comes are not given back.
#[test]
fn an_overwrite_has_the_mode_that_the_file_had_at_the_end() {
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let place = root.path().join("a");
        fs::write(&place, "old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o644)).unwrap();
        let server = Server::over(disk(root.path(), named), true);
        let socket = begin(&server, "/a", root.path());
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(end(socket), 204);
        let mode = fs::metadata(&place).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{named}");
    }
}

/// No request can name a file that is being stored, whoever may have found out what it is called.
#[test]
fn a_temporary_name_is_not_a_name_for_clients() {
    let root = TempDir::new().unwrap();
    let server = Server::over(disk(root.path(), true), true);
    let socket = begin(&server, "/a", root.path());
    let [name] = &names(root.path())[..] else {
        panic!("the file has no name");
    };
    // As many random bits as nobody guesses.
    let random = name.strip_prefix(Path::TEMPORARY_PREFIX).unwrap();
    assert_eq!(random.len(), 32);
    assert!(random.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for target in [name.to_string(), name.to_uppercase()] {
        let reply = get(server.address, &format!("/{target}"));
        assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
        assert_eq!(put(server.address, &format!("/{target}"), b"evil"), 403);
    }
    for target in ["/", "/?tar", "/?zip"] {
        let reply = get(server.address, target);
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        assert!(!reply.contains(random), "{target}: {reply}");
    }
    assert_eq!(end(socket), 201);
    assert_eq!(names(root.path()), ["a"]);
    assert_eq!(fs::read(root.path().join("a")).unwrap(), [b'x'; 200_000]);
}

/// Another process exchanges the temporary file: what it put there is neither stored nor removed.
#[test]
fn only_the_file_that_was_sent_gets_the_name() {
    let root = TempDir::new().unwrap();
    for old in [false, true] {
        if old {
            fs::write(root.path().join("a"), "old").unwrap();
        }
        let server = Server::over(disk(root.path(), true), true);
        let socket = begin(&server, "/a", root.path());
        let found = names(root.path());
        let name = found.iter().find(|name| name.starts_with('.')).unwrap();
        let other = root.path().join("other");
        fs::write(&other, "evil").unwrap();
        fs::rename(&other, root.path().join(name)).unwrap();
        assert_eq!(end(socket), 500);
        let left = fs::read(root.path().join("a"));
        assert_eq!(left.is_ok(), old);
        assert!(left.is_err() || left.is_ok_and(|left| left == b"old"));
        assert_eq!(fs::read(root.path().join(name)).unwrap(), b"evil");
        fs::remove_file(root.path().join(name)).unwrap();
    }
}

/// A directory is moved out of the root while a file comes for it. Another may be in its place.
#[test]
fn a_file_does_not_follow_its_directory_out_of_the_root() {
    for (named, replaced) in [(false, false), (false, true), (true, false), (true, true)] {
        let site = TempDir::new().unwrap();
        let (root, outside) = (site.path().join("root"), site.path().join("outside"));
        fs::create_dir_all(root.join("d")).unwrap();
        fs::write(root.join("d/old"), "old").unwrap();
        let server = Server::over(disk(&root, named), true);
        let sockets = ["/d/new", "/d/old"].map(|target| begin(&server, target, &root.join("d")));
        fs::rename(root.join("d"), &outside).unwrap();
        if replaced {
            fs::create_dir(root.join("d")).unwrap();
            fs::write(root.join("d/old"), "old").unwrap();
        }
        for socket in sockets {
            assert_eq!(end(socket), 409);
        }
        // Dropped files are removed by then.
        drop(server);
        while made(&outside) > 0 {
            thread::yield_now();
        }
        assert_eq!(names(&outside), ["old"], "{named} {replaced}");
        assert_eq!(fs::read(outside.join("old")).unwrap(), b"old");
        if replaced {
            assert_eq!(names(&root), ["d", "old"]);
            assert_eq!(fs::read(root.join("d/old")).unwrap(), b"old");
        }
    }
}

/// Missing directories are there when the file is, and not before; those of a file that breaks off never.
#[test]
fn missing_directories_are_made_with_the_file() {
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let server = Server::over(disk(root.path(), named), true);
        let socket = begin(&server, "/a/b/c.txt", root.path());
        assert!(!root.path().join("a").exists(), "{named}");
        assert_eq!(end(socket), 201, "{named}");
        assert_eq!(names(root.path()), ["a", "b", "c.txt"], "{named}");
        let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().mode() & 0o777;
        let (new, usual) = (root.path().join("usual"), "usual");
        fs::create_dir(&new).unwrap();
        assert_eq!((mode("a"), mode("a/b")), (mode(usual), mode(usual)));
        fs::remove_dir(new).unwrap();
        // One that breaks off, and one that finds its name taken.
        drop(begin(&server, "/x/y/z", root.path()));
        while made(root.path()) > 0 {
            thread::yield_now();
        }
        let sockets = [0, 1].map(|_| begin(&server, "/p/q", root.path()));
        let mut ends: Vec<_> = sockets.into_iter().map(end).collect();
        ends.sort_unstable();
        assert_eq!(ends, [201, 409], "{named}");
        while made(root.path()) > 0 {
            thread::yield_now();
        }
        assert_eq!(names(root.path()), ["a", "b", "c.txt", "p", "q"]);
    }
}

/// What takes the place of a missing directory while the content comes is not followed.
#[test]
fn missing_directories_do_not_lead_out_of_the_root() {
    for named in [false, true] {
        let site = TempDir::new().unwrap();
        let (root, outside) = (site.path().join("root"), site.path().join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink("../outside", root.join("out")).unwrap();
        let server = Server::over(disk(&root, named), true);
        assert_eq!(put(server.address, "/out/a", b"x"), 409);
        assert_eq!(put(server.address, "/out/new/a", b"x"), 409);
        let sockets = ["/a/b/c", "/file/c"].map(|target| begin(&server, target, &root));
        fs::create_dir(root.join("a")).unwrap();
        symlink("../../outside", root.join("a/b")).unwrap();
        fs::write(root.join("file"), "file").unwrap();
        for socket in sockets {
            assert_eq!(end(socket), 409, "{named}");
        }
        drop(server);
        while made(&root) > 0 {
            thread::yield_now();
        }
        assert_eq!(names(&outside), [""; 0], "{named}");
        assert_eq!(names(&root), ["a", "b", "file", "out"], "{named}");
    }
}

#[test]
fn names_of_missing_directories_are_as_long_as_names_can_be() {
    let root = TempDir::new().unwrap();
    let server = Server::start(root.path(), true);
    let name = |len: usize| "n".repeat(len);
    for (target, expected) in [
        (format!("/{}/a", name(256)), 414),
        (format!("/no/{}/a", name(256)), 414),
        (format!("/no/{}", name(256)), 414),
        (format!("/no/{}/{}", name(255), name(255)), 201),
    ] {
        assert_eq!(
            put(server.address, &target, b"x"),
            expected,
            "{}",
            target.len()
        );
    }
    assert_eq!(
        names(root.path()),
        ["n".repeat(255), "n".repeat(255), "no".into()]
    );
}

/// RFC 9110 §9.3.4, as curl does it.
#[test]
fn curl_stores_files_in_missing_directories() {
    let site = TempDir::new().unwrap();
    let root = site.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(site.path().join("file"), "content").unwrap();
    let server = Server::start(&root, true);
    let mut curl = Command::new("curl");
    curl.args(["-sSf", "-T"]).arg(site.path().join("file"));
    curl.arg(format!("http://{}/org/example/1.0/", server.address));
    let Ok(output) = curl.output() else {
        return skip("curl is not installed");
    };
    assert!(output.status.success(), "{output:?}");
    let stored = fs::read(root.join("org/example/1.0/file")).unwrap();
    assert_eq!(stored, b"content");
}

/// How many files that are being stored this process has open in a directory.
fn made(root: &Place) -> usize {
    let Ok(open) = fs::read_dir("/proc/self/fd") else {
        // Where the system does not tell, each has a name.
        let names = names(root);
        return names
            .iter()
            .filter(|name| name.starts_with(Path::TEMPORARY_PREFIX))
            .count();
    };
    let targets = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
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
    for (target, expected) in [
        ("/link", 409),
        ("/d", 405),
        ("/fifo", 409),
        ("/link/a", 409),
    ] {
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
        directories_max: 0,
        replaces: None,
        len: None,
    };
    let Ok(Opened::Writer(mut open)) = disk.create(&create) else {
        panic!("it cannot be made");
    };
    let full = (0..8).find_map(|_| match disk.answer_write(&mut open, &[b'x'; 65_536]) {
        Got::Refused(error) => Some(error),
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
    assert_eq!((full, left.len()), (Some(FsError::NoSpace), 0));
}

/// Directories and links change places while files are stored through them: whatever comes of it, the
/// outside stays as it was.
#[test]
fn nothing_is_written_outside_while_links_are_exchanged() {
    let site = TempDir::new().unwrap();
    let (root, outside) = (site.path().join("root"), site.path().join("outside"));
    fs::create_dir_all(root.join("inside")).unwrap();
    // By such a name no directory is made where it is missing.
    fs::create_dir_all(root.join("a/-b")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("old"), "outside").unwrap();
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_log(|_| ());
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
    exchange("folder", "inside");
    let (stored, rounds) = thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config(), handler));
        let juggler = scope.spawn(|| {
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) {
                exchange("folder", "inside");
                let _ = fs::rename(root.join("a/-b"), root.join("b"));
                exchange("folder", "../outside");
                let _ = fs::rename(root.join("b"), root.join("a/-b"));
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
                format!("/a/-b/{at}"),
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
