//! Tests SIGHUP: certificates and passwords are reloaded, or the program ends when its terminal closes. `setsid` is
//! from util-linux.
#![cfg(target_os = "linux")]

#[path = "../../tests/certificate/mod.rs"]
mod certificate;
#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use base64ct::{Base64, Encoding};
use certificate::{Stream, TestCertificate};
use client::{TIMEOUT, site};
use process::{PROGRAM, Program, RUNTIMES};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustls::version::TLS13;

/// The program without a controlling terminal.
fn detached(directory: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.env_remove("FORCE_COLOR").env_remove("NO_COLOR");
    command
        .args([PROGRAM, "0", "-p", "HTTP/1.1", "-d"])
        .arg(directory);
    command.args(options).stdin(Stdio::null());
    command
}

/// The lines of a log.
struct Log(Receiver<String>);

impl Log {
    fn of(stderr: ChildStderr) -> Log {
        let (send, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stderr).lines();
            lines
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        Log(lines)
    }

    /// Returns the next line that is not about a request.
    fn next_note(&self) -> String {
        loop {
            let line = self.0.recv_timeout(TIMEOUT).expect("a line in time");
            if !line.contains(" - - [") {
                return line;
            }
        }
    }
}

/// Starts the program with the standard input of the command. Returns the program and its log.
fn start(command: &mut Command) -> (Program, Log) {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(b"mary:one\n").unwrap();
    }
    let log = Log::of(child.stderr.take().unwrap());
    let program = Program::after_banner(child);
    (program, log)
}

/// Sends a request on an open connection, and returns the status.
fn ask(stream: &mut (impl Read + Write), password: &str) -> String {
    let credentials = Base64::encode_string(format!("mary:{password}").as_bytes());
    let request = format!(
        "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let (_, length) = head.split_once("\r\ncontent-length: ").unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head[9..12].to_owned()
}

/// Replaces certificate, key and password in the server's files.
fn renew(folder: &Path, new: &TestCertificate, password: &str) {
    for name in ["cert.pem", "key.pem"] {
        fs::copy(new.file(name), folder.join(name)).unwrap();
    }
    fs::write(folder.join("users"), format!("mary:{password}\n")).unwrap();
}

/// Whether a client that trusts only this certificate is served.
fn is_trusted(certificate: &TestCertificate, program: &Program, password: &str) -> bool {
    let client = certificate.client(&TLS13, &[]);
    let mut stream = Stream::new(client, client::connect(program.address()));
    let trusted = stream.conn.complete_io(&mut stream.sock).is_ok();
    trusted && ask(&mut stream, password) == "200"
}

#[test]
fn sighup_reloads_certificates_and_passwords_and_keeps_connections() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key, users) = (path("cert.pem"), path("key.pem"), path("users"));
    for runtime in RUNTIMES {
        let (first, second) = (TestCertificate::new(), TestCertificate::new());
        renew(folder.path(), &first, "one");
        let options = [
            "--tls-cert",
            &cert,
            "--tls-key",
            &key,
            "--auth-file",
            &users,
            "--runtime",
            runtime,
        ];
        let (program, log) = start(&mut detached(site.path(), &options));
        let mut open = first.connect(program.address());
        assert_eq!(ask(&mut open, "one"), "200");

        renew(folder.path(), &second, "two");
        program.signal(Signal::HUP);
        let line = format!("sanserve: SIGHUP: reloaded {cert}, {key}, {users}");
        assert_eq!(log.next_note(), line, "{runtime}");
        assert_eq!(ask(&mut open, "one"), "401", "{runtime}");
        assert_eq!(ask(&mut open, "two"), "200", "{runtime}");
        assert!(is_trusted(&second, &program, "two"), "{runtime}");
        assert!(!is_trusted(&first, &program, "two"), "{runtime}");

        // Nothing is reloaded, although the other files are valid.
        renew(folder.path(), &first, "three");
        fs::write(&key, "damaged").unwrap();
        program.signal(Signal::HUP);
        let line = format!("sanserve: SIGHUP: nothing was reloaded: {key} contains no private key");
        assert_eq!(log.next_note(), line, "{runtime}");
        renew(folder.path(), &first, "three");
        fs::write(&users, "mary\n").unwrap();
        program.signal(Signal::HUP);
        let line = log.next_note();
        assert!(line.contains("nothing was reloaded: ") && line.contains("users, line 1"));
        assert!(is_trusted(&second, &program, "two"), "{runtime}");
        assert_eq!(ask(&mut open, "two"), "200", "{runtime}");
        program.signal(Signal::TERM);
        assert_eq!(program.ends().status.code(), Some(0));
    }
}

/// The new rights apply to open connections, too. Wrong ones are not taken over.
#[test]
fn sighup_reloads_rights() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let users = folder.path().join("users");
    let options = ["--auth-file", users.to_str().unwrap()];
    fs::write(&users, "mary:one\n").unwrap();
    let (program, log) = start(&mut detached(site.path(), &options));
    let mut open = client::connect(program.address());
    assert_eq!(ask(&mut open, "one"), "200");
    for (rights, note, status) in [
        (":rights=write", "SIGHUP: reloaded ", "403"),
        (
            ":rights=all",
            "users, line 1: expected rights such as ",
            "403",
        ),
        (":rights=write\n*:rights=read", "SIGHUP: reloaded ", "200"),
    ] {
        fs::write(&users, format!("mary:one{rights}\n")).unwrap();
        program.signal(Signal::HUP);
        let line = log.next_note();
        assert!(line.contains(note), "{line}");
        assert_eq!(ask(&mut open, "one"), status, "{rights}");
    }
    program.signal(Signal::TERM);
    assert_eq!(program.ends().status.code(), Some(0));
}

/// A pipe cannot be read twice, and opening it would block.
#[test]
fn a_pipe_is_not_reloaded() {
    let site = site();
    let mut command = detached(site.path(), &["--auth-file", "/dev/stdin"]);
    let (program, log) = start(command.stdin(Stdio::piped()));
    program.signal(Signal::HUP);
    let line = log.next_note();
    let words = "nothing was reloaded: /dev/stdin is not a regular file and cannot be read again: ";
    assert!(line.contains(words), "{line}");
    assert_eq!(ask(&mut client::connect(program.address()), "one"), "200");
    program.signal(Signal::TERM);
    assert_eq!(program.ends().status.code(), Some(0));
}

#[test]
fn a_secret_that_is_now_in_the_served_directory_is_not_reloaded() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let users = folder.path().join("users");
    fs::write(&users, "mary:one\n").unwrap();
    let name = users.display().to_string();
    let (program, log) = start(&mut detached(site.path(), &["--auth-file", &name]));
    let served = site.path().join("users");
    fs::write(&served, "mary:two\n").unwrap();
    fs::remove_file(&users).unwrap();
    symlink(&served, &users).unwrap();
    program.signal(Signal::HUP);
    let line = log.next_note();
    let words = format!("nothing was reloaded: --auth-file {name} is in the served directory");
    assert!(line.contains(&words), "{line}");
    assert_eq!(ask(&mut client::connect(program.address()), "one"), "200");
    program.signal(Signal::TERM);
    assert_eq!(program.ends().status.code(), Some(0));
}

#[test]
fn sighup_does_not_end_a_service_without_files_to_reload() {
    let site = site();
    let (program, log) = start(&mut detached(site.path(), &["--tls", "self-signed"]));
    program.signal(Signal::HUP);
    let line = log.next_note();
    assert!(
        line.starts_with("sanserve: SIGHUP: nothing to reload"),
        "{line}"
    );
    program.signal(Signal::TERM);
    assert_eq!(program.ends().status.code(), Some(0));
}

/// Starts the program with its own controlling terminal. Returns the program, its log and the other end of the
/// terminal.
fn on_terminal(directory: &Path, options: &[&str]) -> (Program, Log, File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let name = OsStr::from_bytes(name.as_bytes());
    let end = OpenOptions::new().read(true).write(true).open(name);
    let mut command = Command::new("setsid");
    command.env_remove("FORCE_COLOR").env_remove("NO_COLOR");
    command
        .args(["--ctty", PROGRAM, "0", "-p", "HTTP/1.1", "-d"])
        .arg(directory);
    let (program, log) = start(command.args(options).stdin(end.unwrap()));
    command.stdin(Stdio::null());
    (program, log, File::from(terminal))
}

#[test]
fn a_terminal_that_closes_ends_the_program() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let users = folder.path().join("users");
    fs::write(&users, "mary:one\n").unwrap();
    let users = users.display().to_string();
    // With files to reload, SIGHUP reloads them, and closing the terminal still ends the program.
    let (program, log, terminal) = on_terminal(site.path(), &["--auth-file", &users]);
    program.signal(Signal::HUP);
    assert_eq!(
        log.next_note(),
        format!("sanserve: SIGHUP: reloaded {users}")
    );
    assert_eq!(ask(&mut client::connect(program.address()), "one"), "200");
    drop(terminal);
    assert_eq!(program.ends().status.signal(), Some(Signal::HUP.as_raw()));
    for by_hand in [true, false] {
        let (program, _log, terminal) = on_terminal(site.path(), &[]);
        if by_hand {
            program.signal(Signal::HUP);
        } else {
            drop(terminal);
        }
        assert_eq!(program.ends().status.signal(), Some(Signal::HUP.as_raw()));
    }
}

/// As nohup(1) starts it.
#[test]
fn an_ignored_sighup_stays_ignored() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let users = folder.path().join("users");
    fs::write(&users, "mary:one\n").unwrap();
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "trap '' HUP; exec \"$@\"",
        "sh",
        PROGRAM,
        "0",
        "-p",
        "HTTP/1.1",
        "-d",
    ]);
    shell.arg(site.path()).arg("--auth-file").arg(&users);
    let program = Program::start(&mut shell);
    fs::write(&users, "mary:two\n").unwrap();
    program.signal(Signal::HUP);
    let mut client = client::connect(program.address());
    for _ in 0..20 {
        assert_eq!(ask(&mut client, "one"), "200");
    }
    program.signal(Signal::TERM);
    let ended = program.ends();
    assert_eq!(ended.status.code(), Some(0));
    assert!(!ended.stderr.contains("SIGHUP"), "{}", ended.stderr);
}
