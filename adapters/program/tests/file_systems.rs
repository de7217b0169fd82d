//! Tests unusual file systems: uploads without hard links, exclusive renames, a block count or free inodes, listings
//! without statx(2), and a limit for the size of files.
#![cfg(target_os = "linux")]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod seccomp;
#[path = "../../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use client::{TIMEOUT, connect, get, read_head};
use process::{Program, RUNTIMES};
use rustix::fs::statfs;
use rustix::process::Signal;
use seccomp::{Denied, deny};
use tempfile::TempDir;
use tools::skip;

fn send(mut socket: &TcpStream, target: &str, len: usize, content: &[u8]) {
    let head = format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n");
    let head = format!("{head}Connection: close\r\n\r\n");
    let _ = socket.write_all(&[head.as_bytes(), content].concat());
}

fn put(address: SocketAddr, target: &str, content: &[u8]) -> u16 {
    let socket = connect(address);
    send(&socket, target, content.len(), content);
    read_head(&socket)[9..12].parse().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn command(folder: &Path, runtime: &str, options: &[&str]) -> Command {
    let mut command = Program::command(folder);
    command.args(["-b", "127.0.0.1", "--upload", "--runtime", runtime]);
    command.args(options);
    command
}

/// Checks uploads to a folder with every runtime. `confine` changes the commands.
fn stores(what: &str, folder: &Path, confine: impl Fn(&mut Command)) {
    let content = vec![b'x'; 100_000];
    for runtime in RUNTIMES {
        let what = format!("{what}, {runtime}");
        let start = |options: &[&str]| {
            let mut command = command(folder, runtime, options);
            confine(&mut command);
            Program::start(&mut command)
        };
        let program = start(&[]);
        let address = program.address();
        assert_eq!(put(address, "/a", &content), 201, "{what}");
        assert!(fs::read(folder.join("a")).unwrap() == content, "{what}");
        assert_eq!(put(address, "/a", b"other"), 409, "{what}");
        assert!(fs::read(folder.join("a")).unwrap() == content, "{what}");
        assert_eq!(names(folder), ["a"], "{what}");
        one_wins(&what, address);
        assert_eq!(names(folder), ["a", "b"], "{what}");
        let winner = fs::read(folder.join("b")).unwrap();
        assert_eq!(winner.len(), 10_000, "{what}");
        assert!(winner.iter().all(|byte| *byte == winner[0]), "{what}");
        program.signal(Signal::TERM);
        program.ends();

        let program = start(&["--overwrite"]);
        assert_eq!(put(program.address(), "/a", b"new"), 204, "{what}");
        assert_eq!(fs::read(folder.join("a")).unwrap(), b"new", "{what}");
        assert_eq!(names(folder), ["a", "b"], "{what}");
        program.signal(Signal::TERM);
        program.ends();
        names(folder)
            .iter()
            .for_each(|name| fs::remove_file(folder.join(name)).unwrap());
    }
}

/// Checks that one of six concurrent uploads of the same name succeeds.
fn one_wins(what: &str, address: SocketAddr) {
    let statuses: Vec<u16> = thread::scope(|scope| {
        let sockets: Vec<_> = (0..6).map(|_| connect(address)).collect();
        for (socket, letter) in sockets.iter().zip(b'a'..) {
            send(socket, "/b", 10_000, &[letter; 9_999]);
        }
        let ends = sockets.into_iter().zip(b'a'..).map(|(mut socket, letter)| {
            scope.spawn(move || {
                socket.write_all(&[letter]).unwrap();
                read_head(&socket)[9..12].parse().unwrap()
            })
        });
        let ends: Vec<_> = ends.collect();
        ends.into_iter().map(|end| end.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|&&other| other == status).count();
    assert_eq!((count(201), count(409)), (1, 5), "{what}: {statuses:?}");
}

/// A bindfs mount, which is unmounted on drop.
struct Mounted {
    folder: TempDir,
    server: Child,
}

impl Mounted {
    /// Mounts a directory with bindfs (FUSE), in which these calls fail. Returns `None` if that is not possible.
    fn start(denied: &[Denied]) -> Option<Mounted> {
        let folder = TempDir::new().unwrap();
        let (below, at) = (folder.path().join("below"), folder.path().join("mounted"));
        fs::create_dir(&below).unwrap();
        fs::create_dir(&at).unwrap();
        let mut command = Command::new("bindfs");
        command
            .args(["-f", "--no-allow-other"])
            .arg(&below)
            .arg(&at);
        deny(&mut command, denied);
        let server = command.stderr(Stdio::null()).spawn().ok()?;
        let mut mounted = Mounted { folder, server };
        let (start, before) = (Instant::now(), statfs(&below).unwrap().f_type);
        while statfs(mounted.path()).unwrap().f_type == before {
            if let Ok(Some(_)) = mounted.server.try_wait() {
                return None;
            }
            assert!(start.elapsed() < TIMEOUT, "it is not mounted");
            thread::sleep(Duration::from_millis(10));
        }
        Some(mounted)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A file system in memory, which is unmounted on drop.
struct InMemory(TempDir);

impl InMemory {
    /// Mounts it. Returns `None` if this user lacks the permission.
    fn mount(kind: &str, options: &str) -> Option<InMemory> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", options, kind]);
        let output = mount.arg(folder.path()).output();
        if !output.is_ok_and(|output| output.status.success()) {
            skip("this user may not mount");
            return None;
        }
        Some(InMemory(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// As with exFAT, vfat and most network file systems over FUSE.
#[test]
fn files_are_stored_where_there_are_neither_hard_links_nor_exclusive_renames() {
    let links = [libc::SYS_link, libc::SYS_linkat].map(|call| Denied::always(call, libc::EPERM));
    for denied in [&links[..], &[]] {
        match Mounted::start(denied) {
            Some(mounted) => {
                let one = mounted.path().join("one");
                fs::write(&one, "").unwrap();
                let linked = fs::hard_link(&one, mounted.path().join("two"));
                assert_eq!(linked.is_ok(), denied.is_empty());
                names(&mounted.path()).iter().for_each(|name| {
                    fs::remove_file(mounted.path().join(name)).unwrap();
                });
                stores("bindfs", &mounted.path(), |_| ());
            }
            None => skip("there is no bindfs, or this user may not mount"),
        }
    }
}

/// As on Android, where hard links are forbidden, and in the sandboxes of old containers.
#[test]
fn files_are_stored_where_linking_and_renaming_calls_are_denied() {
    let folder = TempDir::new().unwrap();
    for error in [libc::EPERM, libc::EACCES, libc::ENOSYS] {
        let link = Denied::always(libc::SYS_linkat, error);
        stores("linkat", folder.path(), |command| deny(command, &[link]));
        let rename = Denied {
            call: libc::SYS_renameat2,
            with: Some((4, libc::RENAME_NOREPLACE)),
            error,
        };
        let both = [link, rename];
        stores("both", folder.path(), |command| deny(command, &both));
    }
}

/// For tmpfs without a limit and ramfs, statvfs(3) reports no blocks, neither total nor free.
#[test]
fn a_file_system_that_reports_no_blocks_is_not_full() {
    for (kind, options) in [("tmpfs", "size=0"), ("ramfs", "mode=755")] {
        if let Some(mounted) = InMemory::mount(kind, options) {
            let space = rustix::fs::statvfs(mounted.path()).unwrap();
            assert_eq!(space.f_blocks, 0, "{kind}");
            stores(kind, mounted.path(), |_| ());
        }
    }
}

/// The file system has two free inodes: for the file, and one of the two directories that it needs.
#[test]
fn directories_created_for_a_failed_upload_are_removed() {
    let Some(folder) = InMemory::mount("tmpfs", "nr_inodes=3") else {
        return;
    };
    let program = Program::start(&mut command(folder.path(), "mio", &[]));
    let statuses = ["/a/b/c", "/a/c"].map(|target| {
        let status = put(program.address(), target, b"x");
        (status, names(folder.path()))
    });
    program.signal(Signal::TERM);
    program.ends();
    assert_eq!(statuses, [(507, Vec::new()), (201, vec!["a".to_owned()])]);
}

/// As before Linux 4.11 (ENOSYS), and in old containers, whose seccomp does not know the call (EPERM).
#[test]
fn listings_have_sizes_and_times_without_statx() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("file"), "hello\n").unwrap();
    std::os::unix::fs::symlink("file", at("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("lost")).unwrap();
    for runtime in RUNTIMES {
        for options in [&[][..], &["--follow-symlinks"]] {
            let listed = |error: Option<i32>| {
                let mut command = Program::command(folder.path());
                command
                    .args(["-b", "127.0.0.1", "--runtime", runtime])
                    .args(options);
                let denied = error.map(|error| Denied::always(libc::SYS_statx, error));
                deny(&mut command, denied.as_slice());
                let program = Program::start(&mut command);
                let file = get(program.address(), "/link");
                assert!(
                    file.ends_with("\r\n\r\nhello\n"),
                    "{runtime} {error:?}: {file}"
                );
                // The third listing is cached, if possible.
                let replies = [(); 3].map(|()| get(program.address(), "/?json"));
                program.signal(Signal::TERM);
                program.ends();
                replies.map(|reply| reply.split_once("\r\n\r\n").unwrap().1.to_owned())
            };
            let expected = listed(None);
            assert_eq!(
                expected[0].matches("\"size\":6,\"modified\":\"20").count(),
                2
            );
            for error in [libc::ENOSYS, libc::EPERM] {
                assert_eq!(listed(Some(error)), expected, "{runtime} {options:?}");
            }
        }
    }
}

/// Limits the size of files for a command and its children.
fn limit_files(command: &mut Command, bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    let set_up = move || {
        // SAFETY: the call is safe after a fork, and `limit` lives in the closure.
        match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(set_up) };
}

/// setrlimit(2): a write beyond the limit raises SIGXFSZ, which by default ends the process.
#[test]
fn exceeding_the_file_size_limit_does_not_end_the_server() {
    for runtime in RUNTIMES {
        let site = TempDir::new().unwrap();
        let folder = site.path().join("site");
        fs::create_dir(&folder).unwrap();
        let log = site.path().join("log");
        let mut command = command(&folder, runtime, &[]);
        limit_files(&mut command, 20_000);
        let program = Program::start_with_log(&mut command, File::create(&log).unwrap());
        let address = program.address();
        assert_eq!(put(address, "/long", &[b'x'; 100_000]), 507, "{runtime}");
        assert_eq!(names(&folder), [""; 0], "{runtime}");
        assert_eq!(put(address, "/short", &[b'x'; 10_000]), 201, "{runtime}");
        // Enough lines to exceed the limit of the log.
        let target = format!("/{}", "n".repeat(4_000));
        (0..10).for_each(|_| assert!(get(address, &target).contains(" 404 ")));
        assert!(fs::metadata(&log).unwrap().len() <= 20_000);
        assert!(get(address, "/short").ends_with("xxx"), "{runtime}");
        program.signal(Signal::TERM);
        program.ends();
    }
}

/// A script is ended at the limit like any other process, even if the server was started by a program that ignores the
/// signal, as Python does.
#[test]
fn scripts_have_the_default_file_size_signal() {
    use std::os::unix::fs::PermissionsExt;

    for ignored in [false, true] {
        let site = TempDir::new().unwrap();
        fs::set_permissions(site.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(site.path().join("cgi-bin")).unwrap();
        let script = site.path().join("cgi-bin/signals");
        let text =
            "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec grep Sig /proc/self/status\n";
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Program::command(site.path());
        command.args(["-b", "127.0.0.1", "--cgi"]);
        if ignored {
            let ignore = || {
                // SAFETY: the call is safe after a fork.
                unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
                Ok(())
            };
            // SAFETY: the closure makes one system call.
            unsafe { command.pre_exec(ignore) };
        }
        let program = Program::start(&mut command);
        let mut socket = connect(program.address());
        socket
            .write_all(b"GET /cgi-bin/signals HTTP/1.0\r\n\r\n")
            .unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        let set = |name: &str| {
            let line = reply.lines().find_map(|line| line.strip_prefix(name));
            u64::from_str_radix(line.expect(name).trim(), 16).unwrap()
        };
        let bit = 1 << (libc::SIGXFSZ - 1);
        assert_eq!(set("SigIgn:") & bit, 0, "{ignored}: {reply}");
        program.signal(Signal::TERM);
        program.ends();
    }
}
