//! Tests passwords for the server (`--auth` and `--auth-file`): which requests get 401, what scripts and `--stdio` do,
//! and that wrong passwords do not delay other clients.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod terminal;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64ct::{Base64, Encoding};
use client::{TIMEOUT, connect, site};
use process::{Program, RUNTIMES};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

/// `mary:a:secret`, `john:a:secret`, and `mary:wrong`.
const MARY: &str = "bWFyeTphOnNlY3JldA==";
const JOHN: &str = "am9objphOnNlY3JldA==";
const WRONG: &str = "bWFyeTp3cm9uZw==";

/// A hash of `a:secret`, made by openssl.
const HASH: &str = "$6$saltsalt$dEMxprG0ns33kI6PCzlBI8dvwNK8BEl/ALDDvWrJc/d9yCh9a93jKhx1N4Wbwdo7KMlwvDDdd5192baSXkjAP.";

/// A hash of `a:secret`, made by Python's bcrypt.
const BCRYPT: &str = "$2b$05$KqT2Q.V314tRrJHM0qFHx.VqALqMo41hPDWcP7I.RD61OU4uoWcD6";

/// Requests a file with these credentials, and returns the status.
fn status(program: &Program, credentials: &str) -> String {
    let mut socket = connect(program.address());
    let field = match credentials {
        "" => String::new(),
        credentials => format!("Authorization: Basic {credentials}\r\n"),
    };
    let request = format!("GET /a.txt HTTP/1.0\r\n{field}\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply[9..12].to_owned()
}

fn users(folder: &Path) -> String {
    let path = folder.join("users");
    fs::write(&path, format!("mary:{HASH}\njohn:a:secret\n")).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn requests_without_a_password_get_401() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let users = users(folder.path());
    for runtime in RUNTIMES {
        let options = ["--auth-file", &users, "--runtime", runtime];
        let program = Program::serve(site.path(), &options);
        for (credentials, wanted) in [
            ("", "401"),
            (WRONG, "401"),
            (MARY, "200"),
            (MARY, "200"),
            (WRONG, "401"),
            (JOHN, "200"),
        ] {
            assert_eq!(status(&program, credentials), wanted, "{runtime}");
        }
        let log = program.stop().stderr;
        assert!(log.contains("] wrong user or password ('mary')\n"), "{log}");
        assert!(!log.contains("wrong\n") && !log.contains("secret"), "{log}");
    }
}

#[test]
fn the_password_can_be_set_in_the_environment() {
    let site = site();
    let mut command = Program::command(site.path());
    let program = Program::start(command.env("SANSERVE_AUTH", "mary:a:secret"));
    assert_eq!(status(&program, ""), "401");
    assert_eq!(status(&program, MARY), "200");
    program.stop();
}

#[test]
fn scripts_need_the_password_and_get_the_user_name() {
    let site = site();
    let write = r"mkdir cgi-bin
        printf '#!/bin/sh\necho\necho $AUTH_TYPE $REMOTE_USER\n' >cgi-bin/a
        chmod +x cgi-bin/a";
    let mut shell = Command::new("sh");
    let shell = shell.args(["-ec", write]).current_dir(site.path());
    assert!(shell.status().unwrap().success());
    let program = Program::serve(site.path(), &["--cgi", "--auth", "mary:a:secret"]);
    for (field, end) in [
        ("", "</html>\n"),
        (
            &*format!("Authorization: Basic {MARY}\r\n"),
            "\nBasic mary\n",
        ),
    ] {
        let mut socket = connect(program.address());
        let request = format!("GET /cgi-bin/a HTTP/1.0\r\n{field}\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        assert!(reply.ends_with(end), "{reply}");
    }
    program.stop();
}

#[test]
fn stdio_needs_the_password_too() {
    let site = site();
    let mut command = Command::new(process::PROGRAM);
    command.args(["--stdio", "--auth", "mary:a:secret", "-d"]);
    let command = command.arg(site.path()).stdin(std::process::Stdio::null());
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.starts_with(b"HTTP/1.1 401 "));
}

#[test]
fn a_terminal_warns_of_unencrypted_passwords() {
    let site = site();
    let words = "Passwords are sent unencrypted; --tls self-signed encrypts them.";
    for (options, expected) in [(&[][..], true), (&["-b", "127.0.0.1"], false)] {
        let mut command = Program::command(site.path());
        let command = command.args(["--auth", "mary:a:secret"]).args(options);
        let text = terminal::shown(command);
        assert_eq!(text.contains(words), expected, "{text}");
        assert!(!text.contains("Anyone who can reach"), "{text}");
    }
}

/// Requests a file as a user, from this local address, and returns the status.
fn status_from(from: [u8; 4], program: &Program, user: &str, password: &str) -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&program.address().into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let credentials = Base64::encode_string(format!("{user}:{password}").as_bytes());
    let request = format!("GET /a.txt HTTP/1.0\r\nAuthorization: Basic {credentials}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply[9..12].to_owned()
}

/// The number of connections that guess passwords, and of users who log in meanwhile.
const GUESSERS: usize = 50;
const USERS: usize = 10;

#[test]
#[cfg(target_os = "linux")]
fn wrong_passwords_do_not_delay_other_clients() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let path = folder.path().join("users");
    let users: String = (0..=USERS)
        .map(|user| format!("user{user}:{BCRYPT}\n"))
        .collect();
    fs::write(&path, users).unwrap();
    for runtime in RUNTIMES {
        let options = ["-q", "-b", "127.0.0.1", "--runtime", runtime, "--auth-file"];
        let mut command = Program::command(site.path());
        let program = Program::start(command.args(options).arg(&path));
        let (guessing, statuses) = (AtomicBool::new(true), Mutex::new(BTreeSet::new()));
        thread::scope(|scope| {
            for _ in 0..GUESSERS {
                scope.spawn(|| {
                    while guessing.load(Ordering::Relaxed) {
                        let status = status_from([127, 0, 0, 1], &program, "user0", "wrong");
                        statuses.lock().unwrap().insert(status);
                    }
                });
            }
            // Each user logs in for the first time, since correct passwords are cached.
            let mut users: Vec<_> = (0..USERS)
                .map(|user| (format!("user{user}"), [127, 0, 0, 2]))
                .collect();
            users.push((format!("user{USERS}"), [127, 0, 0, 1]));
            let logins: Vec<_> = users
                .into_iter()
                .map(|(user, from)| status_from(from, &program, &user, "a:secret"))
                .collect();
            guessing.store(false, Ordering::Relaxed);
            assert_eq!(logins, ["200"; USERS + 1], "{runtime}");
        });
        let statuses = statuses.into_inner().unwrap();
        assert_eq!(statuses.into_iter().collect::<Vec<_>>(), ["401"]);
        program.signal(Signal::TERM);
        program.ends();
    }
}
