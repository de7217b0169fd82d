//! Tests uploads to a disk: a partial file is never visible, an interrupted upload leaves nothing behind, an overwrite
//! keeps permissions, missing directories are created, and nothing is written outside the root.
#![cfg(unix)]

mod client;
#[cfg(target_os = "linux")]
mod posix_acl;
#[path = "../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path as StdPath;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{connect, read_head};
use sanserve_core::archive::Download;
use sanserve_core::{
    Config, Create, FileSystem, FsError, Got, Limits, Opened, Path, Protocol, Upload,
};
use sanserve_server::event_loop::{HTTPServer, Stopper};
use sanserve_server::{Disk, ThreadingHTTPServer};
use tempfile::TempDir;
use tools::skip;

/// The event loop, which serves a directory on a thread and is stopped when this is dropped.
struct Server {
    address: SocketAddr,
    stopper: Stopper,
}

impl Server {
    fn start(root: &StdPath, overwrite: bool) -> Server {
        Server::with_disk(Disk::open(root).unwrap(), overwrite)
    }

    /// Starts a server that also serves hidden files, and directories as archives.
    fn with_disk(disk: Disk, overwrite: bool) -> Server {
        // The first file is created here, since it makes the disk test the file system with another file.
        let create = Create::new(Path::from_bytes(b"first".to_vec()).unwrap());
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

/// Uploads content by PUT, and returns the status of the reply.
fn put(address: SocketAddr, target: &str, content: &[u8]) -> u16 {
    let socket = connect(address);
    send(&socket, target, content.len() as u64, content);
    read_head(&socket)[9..12].parse().unwrap()
}

/// Sends a GET request, and returns the whole reply.
fn get(address: SocketAddr, target: &str) -> String {
    let mut socket = connect(address);
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

/// Opens a disk whose files have a temporary name, or none, while they are uploaded.
fn disk(root: &StdPath, named: bool) -> Disk {
    Disk::open(root).unwrap().with_named_temporary_files(named)
}

/// Sends a PUT request except for its last byte, and waits until the server has created the file.
fn begin(server: &Server, target: &str, directory: &StdPath) -> TcpStream {
    let before = pending_files(directory);
    let socket = connect(server.address);
    send(&socket, target, 200_000, &[b'x'; 199_999]);
    while pending_files(directory) == before {
        thread::yield_now();
    }
    socket
}

/// Sends the last byte of an upload started by [`begin`], and returns the status of the reply.
fn finish(mut socket: TcpStream) -> u16 {
    socket.write_all(b"x").unwrap();
    read_head(&socket)[9..12].parse().unwrap()
}

/// Returns all names below a directory, sorted.
fn names(root: &StdPath) -> Vec<String> {
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
fn the_stored_file_equals_the_uploaded_content() {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    let server = Server::start(root.path(), true);
    let content: Vec<u8> = (0..3_000_000u32).map(|at| (at * 7 % 251) as u8).collect();
    assert_eq!(put(server.address, "/d/a%20b", &content), 201);
    let path = root.path().join("d/a b");
    assert!(fs::read(&path).unwrap() == content);
    // The file is not executable.
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o111, 0);
    assert_eq!(put(server.address, "/d/a%20b", b"other"), 204);
    assert_eq!(fs::read(&path).unwrap(), b"other");
    // The new file is readable only by users that could read the old one.
    for (mode, expected) in [(0o600, 0o600), (0o755, 0o644)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(put(server.address, "/d/a%20b", b"secret"), 204);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !expected, 0, "{mode:o}");
        assert_eq!(mode & 0o600, 0o600, "{mode:o}");
    }
    assert_eq!(names(root.path()), ["a b", "d"]);
}

#[test]
fn an_interrupted_upload_leaves_nothing_behind() {
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
fn a_partial_upload_is_never_visible() {
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
        let Ok(Opened::Writer(mut file)) = disk.create(&create) else {
            panic!("the file cannot be created");
        };
        assert!(matches!(
            disk.answer_write(&mut file, b"hel"),
            Got::Bytes(3)
        ));
        let visible = fs::read(root.path().join("a")).map_or(0, |bytes| bytes.len());
        assert_eq!(visible, expected);
        if replaces {
            assert!(matches!(disk.answer_write(&mut file, b"lo"), Got::Bytes(2)));
        }
        assert_eq!(disk.commit(&mut file), Ok(()));
        drop(file);
        assert_eq!(names(root.path()), ["a"]);
    }
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"hello");
}

#[test]
fn one_of_many_concurrent_uploads_wins() {
    let root = TempDir::new().unwrap();
    for overwrite in [false, true] {
        let server = Server::start(root.path(), overwrite);
        let success = if overwrite { 204 } else { 201 };
        let statuses: Vec<u16> = thread::scope(|scope| {
            // All have begun before any of them ends.
            let sockets: Vec<_> = (0..8).map(|_| connect(server.address)).collect();
            for (at, socket) in sockets.iter().enumerate() {
                send(socket, "/a", 200_000, &[b'a' + at as u8; 199_999]);
            }
            while pending_files(root.path()) < 8 {
                thread::yield_now();
            }
            let finish = |(at, mut socket): (usize, TcpStream)| {
                scope.spawn(move || {
                    socket.write_all(&[b'a' + at as u8]).unwrap();
                    read_head(&socket)[9..12].parse().unwrap()
                })
            };
            let threads: Vec<_> = sockets.into_iter().enumerate().map(finish).collect();
            let results = threads.into_iter().map(|thread| thread.join().unwrap());
            results.collect()
        });
        assert_eq!(
            statuses.iter().filter(|&&status| status == success).count(),
            1
        );
        assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), 7);
        let content = fs::read(root.path().join("a")).unwrap();
        assert_eq!(content.len(), 200_000);
        assert!(
            content.iter().all(|byte| *byte == content[0]),
            "the content of two uploads is mixed"
        );
        assert_eq!(names(root.path()), ["a"]);
    }
}

#[test]
fn an_overwrite_keeps_owner_group_and_mode() {
    if !rustix::process::getuid().is_root() {
        println!("SKIPPED: only root may change the owner of a file");
        return;
    }
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let path = root.path().join("a");
        let server = Server::with_disk(disk(root.path(), named), true);
        for (owner, group, mode) in [(0, 4321, 0o660), (1234, 4321, 0o600), (1234, 0, 0o604)] {
            fs::write(&path, "old").unwrap();
            chown(&path, Some(owner), Some(group)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(put(server.address, "/a", b"new"), 204);
            let metadata = fs::metadata(&path).unwrap();
            let actual = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
            assert_eq!(actual, (owner, group, mode), "{named}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o6775)).unwrap();
        assert_eq!(put(server.address, "/a", b"new"), 204);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o664);
        assert_eq!(names(root.path()), ["a"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_overwrite_keeps_the_access_control_list() {
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let path = root.path().join("a");
        fs::write(&path, "old").unwrap();
        let list = posix_acl::list(6, 65534, 4, 4, 6, 0);
        if !posix_acl::set(&path, posix_acl::ACCESS, &list) {
            println!("SKIPPED: this file system has no access control lists");
            return;
        }
        let server = Server::with_disk(disk(root.path(), named), true);
        assert_eq!(put(server.address, "/a", b"new"), 204);
        assert_eq!(
            posix_acl::get(&path, posix_acl::ACCESS),
            Some(list),
            "{named}"
        );
        // The default list of the directory applies to new files only.
        posix_acl::set(&path, posix_acl::ACCESS, &[]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(posix_acl::set(
            root.path(),
            posix_acl::DEFAULT,
            &posix_acl::list(7, 65534, 7, 7, 7, 7)
        ));
        assert_eq!(put(server.address, "/a", b"new"), 204);
        assert_eq!(posix_acl::get(&path, posix_acl::ACCESS), None, "{named}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(put(server.address, "/b", b"new"), 201);
        let inherited = posix_acl::get(&root.path().join("b"), posix_acl::ACCESS);
        assert!(inherited.is_some(), "{named}");
    }
}

/// Permissions revoked during the upload are not restored.
#[test]
fn an_overwrite_uses_the_mode_at_the_time_of_the_commit() {
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let path = root.path().join("a");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let server = Server::with_disk(disk(root.path(), named), true);
        let socket = begin(&server, "/a", root.path());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(finish(socket), 204);
        let mode = fs::metadata(&path).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{named}");
    }
}

/// No request can use the temporary name of an upload, even if a client knows it.
#[test]
fn clients_cannot_use_temporary_names() {
    let root = TempDir::new().unwrap();
    let server = Server::with_disk(disk(root.path(), true), true);
    let socket = begin(&server, "/a", root.path());
    let [name] = &names(root.path())[..] else {
        panic!("the file has no name");
    };
    // 128 random bits cannot be guessed.
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
    assert_eq!(finish(socket), 201);
    assert_eq!(names(root.path()), ["a"]);
    assert_eq!(fs::read(root.path().join("a")).unwrap(), [b'x'; 200_000]);
}

/// If another process replaces the temporary file, its file is neither committed nor removed.
#[test]
fn a_replaced_temporary_file_is_not_committed() {
    let root = TempDir::new().unwrap();
    for exists in [false, true] {
        if exists {
            fs::write(root.path().join("a"), "old").unwrap();
        }
        let server = Server::with_disk(disk(root.path(), true), true);
        let socket = begin(&server, "/a", root.path());
        let entries = names(root.path());
        let name = entries.iter().find(|name| name.starts_with('.')).unwrap();
        let other = root.path().join("other");
        fs::write(&other, "evil").unwrap();
        fs::rename(&other, root.path().join(name)).unwrap();
        assert_eq!(finish(socket), 500);
        let content = fs::read(root.path().join("a"));
        assert_eq!(content.is_ok(), exists);
        assert!(content.is_err() || content.is_ok_and(|content| content == b"old"));
        assert_eq!(fs::read(root.path().join(name)).unwrap(), b"evil");
        fs::remove_file(root.path().join(name)).unwrap();
    }
}

/// The directory is moved out of the root during the upload, and may be replaced by another one.
#[test]
fn an_upload_does_not_follow_its_directory_out_of_the_root() {
    for (named, replaced) in [(false, false), (false, true), (true, false), (true, true)] {
        let site = TempDir::new().unwrap();
        let (root, outside) = (site.path().join("root"), site.path().join("outside"));
        fs::create_dir_all(root.join("d")).unwrap();
        fs::write(root.join("d/old"), "old").unwrap();
        let server = Server::with_disk(disk(&root, named), true);
        let sockets = ["/d/new", "/d/old"].map(|target| begin(&server, target, &root.join("d")));
        fs::rename(root.join("d"), &outside).unwrap();
        if replaced {
            fs::create_dir(root.join("d")).unwrap();
            fs::write(root.join("d/old"), "old").unwrap();
        }
        for socket in sockets {
            assert_eq!(finish(socket), 409);
        }
        // The server removes dropped files soon after it has stopped.
        drop(server);
        while pending_files(&outside) > 0 {
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

/// Missing directories appear together with the file, and never if the upload is interrupted.
#[test]
fn missing_directories_are_created_with_the_file() {
    for named in [false, true] {
        let root = TempDir::new().unwrap();
        let server = Server::with_disk(disk(root.path(), named), true);
        let socket = begin(&server, "/a/b/c.txt", root.path());
        assert!(!root.path().join("a").exists(), "{named}");
        assert_eq!(finish(socket), 201, "{named}");
        assert_eq!(names(root.path()), ["a", "b", "c.txt"], "{named}");
        let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().mode() & 0o777;
        let reference = root.path().join("reference");
        fs::create_dir(&reference).unwrap();
        let expected = mode("reference");
        assert_eq!((mode("a"), mode("a/b")), (expected, expected));
        fs::remove_dir(reference).unwrap();
        // An upload that is interrupted, and two for the same name.
        drop(begin(&server, "/x/y/z", root.path()));
        while pending_files(root.path()) > 0 {
            thread::yield_now();
        }
        let sockets = [0, 1].map(|_| begin(&server, "/p/q", root.path()));
        let mut statuses: Vec<_> = sockets.into_iter().map(finish).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{named}");
        while pending_files(root.path()) > 0 {
            thread::yield_now();
        }
        assert_eq!(names(root.path()), ["a", "b", "c.txt", "p", "q"]);
    }
}

/// A link that is created during the upload in place of a missing directory is not followed.
#[test]
fn missing_directories_do_not_lead_out_of_the_root() {
    for named in [false, true] {
        let site = TempDir::new().unwrap();
        let (root, outside) = (site.path().join("root"), site.path().join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink("../outside", root.join("out")).unwrap();
        let server = Server::with_disk(disk(&root, named), true);
        assert_eq!(put(server.address, "/out/a", b"x"), 409);
        assert_eq!(put(server.address, "/out/new/a", b"x"), 409);
        let sockets = ["/a/b/c", "/file/c"].map(|target| begin(&server, target, &root));
        fs::create_dir(root.join("a")).unwrap();
        symlink("../../outside", root.join("a/b")).unwrap();
        fs::write(root.join("file"), "file").unwrap();
        for socket in sockets {
            assert_eq!(finish(socket), 409, "{named}");
        }
        drop(server);
        while pending_files(&root) > 0 {
            thread::yield_now();
        }
        assert_eq!(names(&outside), [""; 0], "{named}");
        assert_eq!(names(&root), ["a", "b", "file", "out"], "{named}");
    }
}

#[test]
fn directory_names_have_the_length_limit_of_file_names() {
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

/// RFC 9110 §9.3.4, as implemented by curl.
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

/// Returns how many files are being uploaded to a directory.
fn pending_files(root: &StdPath) -> usize {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else {
        // On systems without /proc, each of them has a temporary name.
        let names = names(root);
        return names
            .iter()
            .filter(|name| name.starts_with(Path::TEMPORARY_PREFIX))
            .count();
    };
    let is_pending = |target: &std::path::PathBuf| {
        let name = target.to_string_lossy();
        target.starts_with(root) && (name.ends_with(" (deleted)") || name.contains("/.sanserve-"))
    };
    descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(is_pending)
        .count()
}

#[test]
fn unwritable_targets_get_an_error_status() {
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
    // RFC 9110 §15.5.15, RFC 4918 §9.7.1: NAME_MAX and PATH_MAX of Linux and macOS; a parent that is a file.
    fs::write(root.path().join("target"), "target").unwrap();
    let long = format!("/{}", "n".repeat(256));
    let deep = "/n".repeat(2500) + &long[..200];
    for (target, expected) in [(&long[..], 414), (&deep, 414), ("/target/a", 409)] {
        assert_eq!(put(server.address, target, b"x"), expected, "{target}");
    }
    assert_eq!(put(server.address, "/link", b"x"), 409);
    assert_eq!(fs::read(root.path().join("target")).unwrap(), b"target");
    // An upload larger than the free space is refused before its content.
    let socket = connect(server.address);
    send(&socket, "/huge", 1 << 62, b"");
    assert!(read_head(&socket).starts_with("HTTP/1.1 507 "));
    assert_eq!(names(root.path()), ["d", "fifo", "link", "target"]);
}

#[test]
fn a_full_disk_keeps_no_partial_upload() {
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
    let Ok(Opened::Writer(mut file)) = disk.create(&create) else {
        panic!("the file cannot be created");
    };
    let error = (0..8).find_map(|_| match disk.answer_write(&mut file, &[b'x'; 65_536]) {
        Got::Refused(error) => Some(error),
        _ => None,
    });
    drop(file);
    let remaining = names(root.path());
    drop(disk);
    assert!(
        Command::new("umount")
            .arg(root.path())
            .status()
            .unwrap()
            .success()
    );
    assert_eq!((error, remaining.len()), (Some(FsError::NoSpace), 0));
}

/// Directories and links are exchanged while files are uploaded through them. The directory outside must not change.
#[test]
fn nothing_outside_the_root_is_written_while_links_are_exchanged() {
    let site = TempDir::new().unwrap();
    let (root, outside) = (site.path().join("root"), site.path().join("outside"));
    fs::create_dir_all(root.join("inside")).unwrap();
    // A missing directory with such a name is not created by an upload.
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
    let replace_link = |name: &str, target: &str| {
        let new = root.join(format!("{name}.new"));
        symlink(target, &new).unwrap();
        fs::rename(new, root.join(name)).unwrap();
    };
    replace_link("folder", "inside");
    let (stored, rounds) = thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config(), handler));
        let exchanger = scope.spawn(|| {
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) {
                replace_link("folder", "inside");
                let _ = fs::rename(root.join("a/-b"), root.join("b"));
                replace_link("folder", "../outside");
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
        (stored, exchanger.join().unwrap())
    });
    assert_eq!(names(&outside), ["old"]);
    assert_eq!(fs::read(outside.join("old")).unwrap(), b"outside");
    assert!(
        stored > 0 && rounds > 10,
        "not a race: {stored} stored in {rounds} rounds"
    );
}
