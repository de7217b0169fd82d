//! Tests the processes of CGI scripts: their limits, what they inherit, the user they run as, that they cannot read the
//! passwords, and that they end with the program.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use self::client::{TIMEOUT, connect};
use self::process::{PROGRAM, Program, RUNTIMES};

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

/// A site with scripts, and a folder that they can write to.
fn site(scripts: &[(&str, &str)]) -> TempDir {
    let site = tempfile::tempdir().unwrap();
    let allow =
        |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    allow(site.path(), 0o755);
    for (name, mode) in [("cgi-bin", 0o755), ("marks", 0o777)] {
        fs::create_dir(site.path().join(name)).unwrap();
        allow(&site.path().join(name), mode);
    }
    for (name, body) in scripts {
        // Written by another process: a file that this process has open for writing may also be open in a child of
        // another test, and cannot be executed then.
        let mut shell = Command::new("sh");
        let write = "printf '%s\n' '#!/bin/sh' \"$1\" >$0; chmod +x $0";
        let shell = shell.args(["-ec", write, name, body]);
        let written = shell.current_dir(site.path().join("cgi-bin")).status();
        assert!(written.unwrap().success());
    }
    site
}

const SLEEP: (&str, &str) = ("sleep", "touch ../marks/runs; sleep 1000");

/// Whether a script of this site is running.
fn runs(site: &Path) -> bool {
    let root = site.canonicalize().unwrap().join("cgi-bin");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .map(|process| process.path().join("cwd"))
        .any(|cwd| fs::read_link(cwd).is_ok_and(|cwd| cwd == root))
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < TIMEOUT, "not in time: {what}");
        thread::yield_now();
    }
}

/// Waits until the sleeping script has started.
fn wait_for_start(site: &Path) {
    let mark = site.join("marks/runs");
    wait_until("a script begins", || mark.exists());
    fs::remove_file(mark).unwrap();
}

fn send(program: &Program, target: &str, rest: &str) -> TcpStream {
    let mut socket = connect(program.address());
    let request = format!("GET {target} HTTP/1.0\r\n{rest}\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn reply(mut socket: TcpStream) -> String {
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn ctrl_c_ends_scripts_with_the_server() {
    let site = site(&[SLEEP]);
    for runtime in RUNTIMES {
        let program = Program::serve(site.path(), &["--cgi", "--runtime", runtime]);
        let _client = send(&program, "/cgi-bin/sleep", "");
        wait_for_start(site.path());
        program.signal(Signal::INT);
        let ended = program.ends();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        wait_until("the script is ended", || !runs(site.path()));
    }
}

#[test]
fn sigterm_gives_scripts_ten_seconds() {
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            scope.spawn(move || {
                let site = site(&[SLEEP]);
                let program = Program::serve(site.path(), &["--cgi", "--runtime", runtime]);
                let _client = send(&program, "/cgi-bin/sleep", "");
                wait_for_start(site.path());
                let start = Instant::now();
                program.signal(Signal::TERM);
                let ended = program.ends();
                let took = start.elapsed();
                assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
                assert!(took >= Duration::from_secs(9), "{runtime}: {took:?}");
                wait_until("the script is ended", || !runs(site.path()));
            });
        }
    });
}

#[test]
fn a_second_sigterm_ends_scripts_immediately() {
    let site = site(&[SLEEP]);
    for runtime in RUNTIMES {
        let program = Program::serve(site.path(), &["--cgi", "--runtime", runtime]);
        let _client = send(&program, "/cgi-bin/sleep", "");
        wait_for_start(site.path());
        let address = program.address();
        program.signal(Signal::TERM);
        // The first signal was handled once connections are refused.
        wait_until("it stops", || TcpStream::connect(address).is_err());
        program.signal(Signal::TERM);
        assert_eq!(program.ends().status.code(), Some(0));
        wait_until("the script is ended", || !runs(site.path()));
    }
}

#[test]
fn signals_end_a_script_of_stdio() {
    let site = site(&[SLEEP]);
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = Command::new(PROGRAM);
        command.args(["--stdio", "--cgi", "-d"]).arg(site.path());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let request = b"GET /cgi-bin/sleep HTTP/1.0\r\n\r\n";
        stdin.write_all(request).unwrap();
        wait_for_start(site.path());
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        wait_until("the script is ended", || !runs(site.path()));
    }
}

#[test]
fn cgi_limit_limits_running_scripts() {
    let site = site(&[SLEEP]);
    for runtime in RUNTIMES {
        let options = ["--cgi", "--cgi-limit", "1", "--runtime", runtime];
        let program = Program::serve(site.path(), &options);
        let _client = send(&program, "/cgi-bin/sleep", "");
        wait_for_start(site.path());
        let second = reply(send(&program, "/cgi-bin/sleep", ""));
        assert!(
            second.contains(" 503 Too many CGI scripts are running\r\n"),
            "{second}"
        );
        let log = program.stop().stderr;
        assert!(log.contains("Too many CGI scripts are running"), "{log}");
    }
}

#[test]
fn upload_limit_applies_to_scripts() {
    let site = site(&[("count", "echo; wc -c")]);
    let program = Program::serve(site.path(), &["--cgi", "--upload-limit", "1K"]);
    for (len, status) in [(1024, " 200 "), (1025, " 413 ")] {
        let mut socket = connect(program.address());
        let head = format!("POST /cgi-bin/count HTTP/1.0\r\nContent-Length: {len}\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(&vec![b'x'; len]).unwrap();
        let reply = reply(socket);
        assert!(reply.lines().next().unwrap().contains(status), "{reply}");
    }
    program.stop();
}

#[test]
fn inherited_descriptors_are_closed_in_scripts() {
    let site = site(&[("list", "echo; exec ls /proc/self/fd")]);
    let mut command = Command::new("sh");
    let start = "exec 7</etc/passwd 9>/dev/null; exec \"$0\" \"$@\"";
    command.args(["-c", start, PROGRAM, "--cgi", "-d"]);
    command.arg(site.path()).arg("0");
    let program = Program::start(&mut command);
    let reply = reply(send(&program, "/cgi-bin/list", ""));
    // Descriptor 3 is the directory that `ls` reads.
    assert!(reply.ends_with("\r\n\r\n0\n1\n2\n3\n"), "{reply}");
    program.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn a_script_of_the_same_user_cannot_read_the_passwords() {
    let body = "echo; id -u; cat /proc/$PPID/environ; cat /proc/$PPID/mem | head -c 1; \
                cat /proc/self/environ | tr '\\0' '\\n'";
    let site = site(&[("look", body)]);
    let folder = tempfile::tempdir().unwrap();
    let mut command = Program::command_for_others(folder.path(), site.path());
    command.arg("--cgi").env("SANSERVE_AUTH", "mary:a secret");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let program = Program::start(&mut command);
    // The same in base64.
    let given = "Authorization: Basic bWFyeTphIHNlY3JldA==\r\n";
    let reply = reply(send(&program, "/cgi-bin/look", given));
    assert!(
        reply.contains(" 200 ") && reply.contains("REMOTE_USER=mary"),
        "{reply}"
    );
    assert!(
        !reply.contains("secret") && !reply.contains("SANSERVE"),
        "{reply}"
    );
    let log = program.stop().stderr;
    assert!(log.matches("Permission denied").count() >= 2, "{log}");
}

/// As in a container with only the program.
#[cfg(target_os = "linux")]
#[test]
fn scripts_run_as_nobody_without_a_list_of_users() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root runs scripts as nobody");
        return;
    }
    let site = site(&[("who", "echo; id -u; id -g; wc -c </etc/passwd")]);
    let mut command = Command::new("unshare");
    let hide = "mount --bind /dev/null /etc/passwd && exec \"$@\"";
    command.args([
        "--mount", "sh", "-ec", hide, "sh", PROGRAM, "0", "--cgi", "-d",
    ]);
    let program = Program::start(command.arg(site.path()));
    let reply = reply(send(&program, "/cgi-bin/who", ""));
    let wanted = format!("\r\n\r\n{NOBODY}\n{NOBODY}\n0\n");
    assert!(reply.ends_with(&wanted), "{reply}");
    program.stop();
}

#[cfg(target_os = "linux")]
const NOBODY: u32 = 65_534;
