//! Tests rights of users and of everybody: `--upload-auth`, `--upload-only`, and the rights in the file of
//! `--auth-file`.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod terminal;

use std::fs;
use std::io::{Read, Write};

use base64ct::{Base64, Encoding};
use client::{connect, site};
use process::{Program, RUNTIMES};

/// Sends a request with five bytes of content as this user, and returns the reply.
fn send(program: &Program, request: &str, credentials: &str) -> String {
    let mut socket = connect(program.address());
    let field = match credentials {
        "" => String::new(),
        _ => {
            let encoded = Base64::encode_string(credentials.as_bytes());
            format!("Authorization: Basic {encoded}\r\n")
        }
    };
    let content = match request.starts_with("PUT") {
        true => "Content-Length: 5\r\n\r\nhello",
        false => "\r\n",
    };
    let text = format!("{request} HTTP/1.0\r\nHost: 127.0.0.1\r\n{field}{content}");
    socket.write_all(text.as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

/// Sends requests, each with credentials and the expected status.
fn check(program: &Program, what: &str, requests: &[(&str, &str, &str)]) {
    for (request, credentials, expected) in requests {
        let reply = send(program, request, credentials);
        assert_eq!(
            &reply[9..12],
            *expected,
            "{what}: {request} by {credentials:?}"
        );
    }
}

#[test]
fn everybody_reads_and_a_user_writes() {
    for runtime in RUNTIMES {
        let site = site();
        let options = ["--upload", "--delete", "--runtime", runtime];
        let mut command = Program::command(site.path());
        let command = command
            .args(options)
            .args(["--upload-auth", "mary:a:secret"]);
        let program = Program::start(command);
        let requests = [
            ("GET /a.txt", "", "200"),
            ("PUT /new.txt", "", "401"),
            ("DELETE /a.txt", "", "401"),
            ("GET /a.txt", "mary:wrong", "401"),
            ("PUT /new.txt", "mary:wrong", "401"),
            ("PUT /new.txt", "john:a:secret", "401"),
            ("GET /?login", "", "401"),
            ("GET /?login", "mary:a:secret", "303"),
            ("PUT /new.txt", "mary:a:secret", "201"),
            ("GET /new.txt", "", "200"),
            ("DELETE /new.txt", "mary:a:secret", "204"),
            ("GET /new.txt", "mary:a:secret", "404"),
        ];
        check(&program, runtime, &requests);
        let (theirs, marys) = (
            send(&program, "GET /", ""),
            send(&program, "GET /", "mary:a:secret"),
        );
        assert!(theirs.contains(">Log in</a>") && !theirs.contains("type=\"file\""));
        assert!(!marys.contains(">Log in</a>") && marys.contains("type=\"file\""));
        program.stop();
    }
}

#[test]
fn other_users_only_read_if_a_user_writes() {
    let site = site();
    let mut command = Program::command(site.path());
    command.env("SANSERVE_UPLOAD_AUTH", "mary:secret");
    let program = Program::start(command.args(["--upload", "--auth", "john:secret"]));
    let requests = [
        ("GET /a.txt", "", "401"),
        ("GET /a.txt", "john:secret", "200"),
        ("PUT /new.txt", "", "401"),
        ("PUT /new.txt", "john:secret", "403"),
        ("PUT /new.txt", "mary:secret", "201"),
        ("GET /new.txt", "mary:secret", "200"),
    ];
    check(&program, "two users", &requests);
    let log = program.stop().stderr;
    assert!(log.contains("] user 'john' may not write\n"), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn clients_can_only_upload() {
    for runtime in RUNTIMES {
        let site = site();
        let options = ["--upload-only", "--archive", "--runtime", runtime];
        let program = Program::serve(site.path(), &options);
        let requests = [
            ("GET /a.txt", "", "403"),
            ("GET /nope", "", "403"),
            ("HEAD /a.txt", "", "403"),
            ("GET /?zip", "", "403"),
            ("GET /?json", "", "403"),
            ("DELETE /a.txt", "", "403"),
            ("PUT /new.txt", "", "201"),
            ("PUT /new.txt", "", "409"),
            ("GET /new.txt", "", "403"),
        ];
        check(&program, runtime, &requests);
        let page = send(&program, "GET /", "");
        assert!(
            page.contains(" 200 OK\r\n") && page.contains("type=\"file\""),
            "{page}"
        );
        assert!(
            !page.contains("a.txt") && !page.contains("new.txt"),
            "{page}"
        );
        assert!(send(&program, "GET /a.txt", "").contains("The right to read is missing"));
        program.stop();
        assert_eq!(fs::read(site.path().join("new.txt")).unwrap(), b"hello");
    }
}

#[test]
fn a_file_has_the_rights_of_users_and_of_everybody() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let path = folder.path().join("users");
    let users = "*:rights=read\nmary:secret:rights=write\nadmin:secret\n";
    fs::write(&path, users).unwrap();
    for runtime in RUNTIMES {
        let mut command = Program::command(site.path());
        let options = ["--runtime", runtime, "--upload", "--delete", "--auth-file"];
        let program = Program::start(command.args(options).arg(&path));
        let requests = [
            ("GET /a.txt", "", "200"),
            ("PUT /1", "", "401"),
            ("GET /a.txt", "mary:secret", "200"),
            ("PUT /1", "mary:secret", "201"),
            ("DELETE /1", "mary:secret", "403"),
            ("DELETE /1", "admin:secret", "204"),
        ];
        check(&program, runtime, &requests);
        program.stop();
    }
}

#[test]
fn the_file_on_the_page_gives_the_rights_that_the_page_names() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/command-line.md");
    let page = fs::read_to_string(page).unwrap();
    let start = page.find("*:rights=").unwrap();
    let (users, _) = page[start..].split_once("```").unwrap();
    let path = folder.path().join("users");
    fs::write(&path, users).unwrap();
    let mut command = Program::command(site.path());
    let command = command.args(["--upload", "--delete", "--auth-file"]);
    let program = Program::start(command.arg(&path));
    let requests = [
        ("GET /a.txt", "", "200"),
        ("PUT /1", "", "401"),
        ("PUT /1", "mary:a:secret", "201"),
        ("DELETE /1", "mary:a:secret", "403"),
        ("DELETE /1", "admin:a:secret", "204"),
    ];
    check(&program, "the page", &requests);
    program.stop();
}

#[test]
fn a_drop_box_can_have_an_administrator() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let path = folder.path().join("users");
    let users = "*:rights=write\nadmin:secret:rights=read,delete\nmary:secret\n";
    fs::write(&path, users).unwrap();
    let mut command = Program::command(site.path());
    let command = command.args(["--upload-only", "--delete", "--auth-file"]);
    let program = Program::start(command.arg(&path));
    let requests = [
        ("GET /a.txt", "", "401"),
        ("GET /", "", "200"),
        ("PUT /1", "", "201"),
        ("DELETE /1", "", "401"),
        ("GET /1", "mary:secret", "403"),
        ("PUT /2", "mary:secret", "201"),
        ("GET /1", "admin:secret", "200"),
        ("DELETE /1", "admin:secret", "204"),
    ];
    check(&program, "a drop box", &requests);
    program.stop();
}

#[test]
fn a_terminal_shows_who_may_do_what() {
    let site = site();
    for (options, line) in [
        (
            &["--upload", "--upload-auth", "mary:secret"][..],
            "Everybody may: read. With a password, some may: store files.",
        ),
        (
            &["--upload", "--delete", "--upload-auth", "mary:secret"],
            "Everybody may: read. With a password, some may: store files, delete files.",
        ),
        (&["--upload-only"], "Everybody may: store files."),
        (
            &["--upload-only", "--auth", "mary:secret"],
            "With a password, some may: store files.",
        ),
    ] {
        let mut command = Program::command(site.path());
        let text = terminal::shown(command.args(options));
        assert!(text.contains(line), "{text}");
        let is_read = line.contains("Everybody may: read");
        assert_eq!(text.contains("Anyone who can reach"), is_read, "{text}");
        assert!(!text.contains("Anyone who can read it"), "{text}");
    }
}
