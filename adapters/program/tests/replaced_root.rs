//! Tests the replacement of the served directory: it is rebuilt, moved away, or named by a link that is switched.
//! Requests then read from and write to the directory that has the name now.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
#[path = "../../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use client::{TIMEOUT, connect, get, read_head};
use process::{Program, RUNTIMES};
use rustix::process::Signal;
use sanserve_core::{ArchiveFormat, ArchiveRequest};
use sanserve_core::{Create, FileSystem, FsError, Got, Opened, Path as Name};
use sanserve_server::{Disk, OpenFile};
use tempfile::TempDir;

/// Creates a release of a site: the content of `a` is its name, and another file has its name.
fn release(root: &Path, name: &str) {
    fs::create_dir_all(root.join("cgi-bin")).unwrap();
    fs::write(root.join("a"), name).unwrap();
    fs::write(root.join(name), name).unwrap();
    let script = root.join("cgi-bin/who");
    let text = format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nscript of {name}'\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
}

/// Returns the content of a file, or the status.
fn fetch(address: SocketAddr, target: &str) -> String {
    let reply = get(address, target);
    match reply.split_once("\r\n\r\n") {
        Some((head, content)) if head.contains(" 200 ") => content.into(),
        _ => reply[9..12].into(),
    }
}

fn put(address: SocketAddr, target: &str, content: &str) -> u16 {
    let mut socket = connect(address);
    let len = content.len();
    let request = format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n");
    write!(socket, "{request}Connection: close\r\n\r\n{content}").unwrap();
    read_head(&socket)[9..12].parse().unwrap()
}

/// Repeats `ask` until it returns this.
fn until(what: &str, expected: &str, ask: impl Fn() -> String) {
    let start = Instant::now();
    while ask() != expected {
        assert!(start.elapsed() < TIMEOUT, "{what}: {}", ask());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs `test` with each runtime, without and with `--follow-symlinks`, serving the name `site` in a folder.
fn everywhere(options: &[&str], test: impl Fn(&str, &Path, SocketAddr)) {
    for runtime in RUNTIMES {
        for follow in [&[][..], &["--follow-symlinks"]] {
            let folder = TempDir::new().unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            release(&folder.path().join("one"), "one");
            symlink("one", folder.path().join("site")).unwrap();
            let mut command = Program::command(&folder.path().join("site"));
            command.args(["-b", "127.0.0.1", "--runtime", runtime]);
            let program = Program::start(command.args(options).args(follow));
            let what = format!("{runtime} {follow:?}");
            test(&what, folder.path(), program.address());
            program.signal(Signal::TERM);
            program.ends();
        }
    }
}

/// Replaces a link atomically.
fn switch(folder: &Path, target: &str) {
    symlink(target, folder.join("new")).unwrap();
    fs::rename(folder.join("new"), folder.join("site")).unwrap();
}

#[test]
fn a_rebuilt_directory_is_served_immediately() {
    everywhere(&[], |what, folder, address| {
        for name in ["two", "three", "four"] {
            // The new directory often gets the inode number of the old one.
            fs::remove_dir_all(folder.join("one")).unwrap();
            assert_eq!(fetch(address, "/a"), "404", "{what}");
            assert_eq!(fetch(address, "/"), "404", "{what}");
            release(&folder.join("one"), name);
            assert_eq!(fetch(address, "/a"), name, "{what}");
            assert!(fetch(address, "/").contains(name), "{what}");
        }
    });
}

#[test]
fn a_switched_link_is_followed_within_a_second() {
    everywhere(&[], |what, folder, address| {
        release(&folder.join("two"), "two");
        assert_eq!(fetch(address, "/a"), "one", "{what}");
        switch(folder, "two");
        // A file of only the new release is found immediately, and from then on the whole release.
        assert_eq!(fetch(address, "/two"), "two", "{what}");
        assert_eq!(fetch(address, "/a"), "two", "{what}");
        assert_eq!(fetch(address, "/one"), "404", "{what}");
        switch(folder, "one");
        until(what, "one", || fetch(address, "/a"));
        assert!(!fetch(address, "/").contains("two"), "{what}");
    });
}

#[test]
fn a_moved_directory_is_closed() {
    everywhere(&["--archive"], |what, folder, address| {
        fs::rename(folder.join("one"), folder.join("old")).unwrap();
        until(what, "404", || fetch(address, "/a"));
        release(&folder.join("one"), "two");
        assert_eq!(fetch(address, "/a"), "two", "{what}");
        assert!(fetch(address, "/?tar").contains("two"), "{what}");
        assert_eq!(fetch(address, "/one"), "404", "{what}");
    });
}

#[test]
fn uploads_go_to_the_current_directory_of_the_name() {
    everywhere(&["--upload", "--overwrite"], |what, folder, address| {
        release(&folder.join("two"), "two");
        assert_eq!(fetch(address, "/a"), "one", "{what}");
        switch(folder, "two");
        assert_eq!(put(address, "/new", "new"), 201, "{what}");
        assert_eq!(fs::read(folder.join("two/new")).unwrap(), b"new", "{what}");
        assert!(!folder.join("one/new").exists(), "{what}");
        assert_eq!(fetch(address, "/new"), "new", "{what}");
        fs::remove_dir_all(folder.join("two")).unwrap();
        assert_eq!(put(address, "/new", "new"), 409, "{what}");
    });
}

#[test]
fn scripts_come_from_the_current_directory_of_the_name() {
    everywhere(&["--cgi"], |what, folder, address| {
        assert_eq!(fetch(address, "/cgi-bin/who"), "script of one", "{what}");
        release(&folder.join("two"), "two");
        switch(folder, "two");
        until(what, "script of two", || fetch(address, "/cgi-bin/who"));
        fs::remove_dir_all(folder.join("two")).unwrap();
        release(&folder.join("two"), "three");
        assert_eq!(fetch(address, "/cgi-bin/who"), "script of three", "{what}");
    });
}

#[test]
fn error_pages_come_from_the_current_directory_of_the_name() {
    everywhere(&["--not-found", "a"], |what, folder, address| {
        fs::remove_dir_all(folder.join("one")).unwrap();
        release(&folder.join("one"), "two");
        let reply = get(address, "/missing");
        assert!(
            reply.starts_with("HTTP/1.") && reply.ends_with("two"),
            "{what}: {reply}"
        );
    });
}

/// Returns a site with two releases, of which `one` is served, and its disk.
fn two_releases() -> (TempDir, Disk) {
    let folder = TempDir::new().unwrap();
    release(&folder.path().join("one"), "one");
    release(&folder.path().join("two"), "two");
    symlink("one", folder.path().join("site")).unwrap();
    let disk = Disk::open(folder.path().join("site")).unwrap();
    (folder, disk)
}

fn content(disk: &Disk, target: &str) -> Result<String, FsError> {
    let Opened::File { mut file, meta, .. } = disk.open(&Name::parse(target).unwrap())? else {
        panic!("{target} is not a file");
    };
    let mut bytes = vec![0; meta.len as usize];
    let n = disk.read(&mut file, 0, &mut bytes)?;
    assert_eq!(n, bytes.len());
    Ok(String::from_utf8(bytes).unwrap())
}

fn begin(disk: &Disk, target: &str) -> OpenFile {
    let create = Create::new(Name::parse(target).unwrap());
    match disk.create(&create) {
        Ok(Opened::Writer(open)) => open,
        other => panic!("cannot be created: {other:?}"),
    }
}

#[test]
fn an_upload_during_the_replacement_is_not_stored() {
    let (folder, disk) = two_releases();
    let mut open = begin(&disk, "/new");
    assert!(matches!(
        disk.answer_write(&mut open, b"new"),
        Got::Bytes(3)
    ));
    switch(folder.path(), "two");
    assert_eq!(disk.commit(&mut open), Err(FsError::NotFound));
    drop(open);
    for name in ["one", "two"] {
        assert!(!folder.path().join(name).join("new").exists(), "{name}");
    }
    // If the name means the old directory again when the upload ends, it succeeds.
    let mut open = begin(&disk, "/new");
    switch(folder.path(), "one");
    assert_eq!(content(&disk, "/one"), Ok("one".into()));
    switch(folder.path(), "two");
    assert_eq!(disk.commit(&mut open), Ok(()));
    assert!(folder.path().join("two/new").exists());
}

#[test]
fn an_archive_has_files_of_one_directory_only() {
    let (folder, disk) = two_releases();
    let pack = ArchiveRequest {
        path: Name::default(),
        format: ArchiveFormat::Tar,
        hidden: false,
    };
    let Ok(Opened::File { mut file, meta, .. }) = disk.archive(&pack) else {
        panic!("a is a directory");
    };
    switch(folder.path(), "two");
    assert_eq!(content(&disk, "/two"), Ok("two".into()));
    let mut tar = vec![0; meta.len as usize];
    let got = disk.fill(&mut file, 0, &mut tar);
    assert!(matches!(got, Got::Bytes(n) if n == tar.len()), "{got:?}");
    let tar = String::from_utf8_lossy(&tar);
    assert!(tar.contains("script of one") && !tar.contains("two"));
}

/// With a pinned root the directory that was opened is served, whatever has its name now.
#[test]
fn a_pinned_directory_is_served_after_it_is_moved() {
    let (folder, disk) = two_releases();
    let disk = disk.with_pinned_root();
    switch(folder.path(), "two");
    fs::rename(folder.path().join("one"), folder.path().join("moved")).unwrap();
    assert_eq!(content(&disk, "/two"), Err(FsError::NotFound));
    assert_eq!(content(&disk, "/a"), Ok("one".into()));
    let mut open = begin(&disk, "/new");
    assert_eq!(disk.commit(&mut open), Ok(()));
    assert!(folder.path().join("moved/new").exists());
}

/// Cached content, open files and listings are dropped with their directory.
#[cfg(target_os = "linux")]
#[test]
fn caches_of_a_replaced_directory_are_dropped() {
    use std::os::unix::fs::MetadataExt;
    use std::time::{SystemTime, UNIX_EPOCH};

    let (folder, disk) = two_releases();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    for name in ["one", "two"] {
        fs::write(at(name).join("large"), name.repeat(20_000)).unwrap();
    }
    disk.evict_idle();
    let changed = fs::metadata(at("two/large")).unwrap().ctime();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    while now().as_secs() as i64 <= changed + 2 {
        thread::sleep(Duration::from_millis(20));
    }
    let list = || disk.list(&Name::default()).unwrap();
    for _ in 0..5 {
        let opened = ["/a", "/large"].map(|target| disk.open(&Name::parse(target).unwrap()));
        for opened in opened {
            assert!(matches!(opened, Ok(Opened::File { .. })));
        }
        list();
    }
    switch(folder.path(), "two");
    assert_eq!(content(&disk, "/two"), Ok("two".into()));
    assert_eq!(content(&disk, "/a"), Ok("two".into()));
    assert_eq!(content(&disk, "/large"), Ok("two".repeat(20_000)));
    assert!(list().iter().any(|entry| entry.name == b"two"));
    // Its open files are closed.
    let held = fs::read_dir("/proc/self/fd").unwrap();
    let held = held.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    assert_eq!(held.filter(|name| name.starts_with(at("one"))).count(), 0);
}

/// This costs one system call per second, and nothing without requests.
#[cfg(target_os = "linux")]
#[test]
fn the_root_is_looked_up_once_a_second_for_existing_files() {
    if tools::find("strace").is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let (site, trace) = (folder.path().join("site"), folder.path().join("trace"));
    release(&site, "one");
    for runtime in RUNTIMES {
        let mut strace = std::process::Command::new("strace");
        strace.args([
            "-f",
            "-e",
            "trace=%stat,statx,openat,openat2,readlink",
            "-o",
        ]);
        strace.arg(&trace).arg(process::PROGRAM);
        strace.args(["0", "-b", "127.0.0.1", "--runtime", runtime, "-d"]);
        let program = Program::start(strace.arg(&site));
        let address = program.address();
        let start = Instant::now();
        (0..200).for_each(|_| assert_eq!(fetch(address, "/a"), "one"));
        let seconds = start.elapsed().as_secs() as usize + 2;
        let lines = fs::read_to_string(&trace).unwrap();
        let name = format!("\"{}\"", site.display());
        let (_, served) = lines.split_once("\"a\"").expect("a is open");
        let looked_up = served.matches(&name).count();
        assert!(
            looked_up <= seconds,
            "{runtime}: {looked_up} in {seconds} s"
        );
        let pid = lines.split(' ').next().unwrap().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        program.ends();
    }
}

#[test]
fn head_in_a_missing_root_keeps_the_connection() {
    everywhere(&["-p", "HTTP/1.1"], |what, folder, address| {
        fs::remove_dir_all(folder.join("one")).unwrap();
        let mut socket = connect(address);
        for _ in 0..2 {
            write!(socket, "HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            assert!(read_head(&socket).starts_with("HTTP/1.1 404 "), "{what}");
        }
        release(&folder.join("one"), "two");
        let request = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        assert!(reply.ends_with("two"), "{what}: {reply}");
    });
}
