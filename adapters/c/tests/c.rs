//! Compiles the examples and the test of mistakes in C, and runs them with sanitizers and under valgrind.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

/// How a program is built and run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Checker {
    Sanitizers,
    Valgrind,
}

use Checker::{Sanitizers, Valgrind};

impl Checker {
    /// Returns a command that runs `program` and fails if it uses memory wrongly, or leaks.
    fn run(self, program: &Path) -> Command {
        match self {
            Sanitizers => Command::new(program),
            Valgrind => {
                let mut command = Command::new("valgrind");
                command.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
                command
                    .args(["--errors-for-leak-kinds=definite"])
                    .arg(program);
                command
            }
        }
    }
}

/// Returns a path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Compiles sources of the repository and links them with the static library, which cargo has built beside this test.
fn compile(name: &str, sources: &[&str], checker: Checker) -> PathBuf {
    let test = env::current_exe().expect("a test has a path");
    let library = test.with_file_name("libsanserve_c.a");
    assert!(library.is_file(), "{} is not built", library.display());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("{name}-{checker:?}"));
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-O1"]);
    if checker == Sanitizers {
        cc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    }
    cc.args(sources.iter().map(|source| repository(source)));
    cc.arg("-I").arg(repository("adapters/c/include"));
    cc.arg(&library).args(["-lm", "-o"]).arg(&program);
    let compiled = cc.output().expect("cc can be run");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    program
}

/// Runs a program to its end. Returns what it prints.
fn output(name: &str, sources: &[&str], checker: Checker) -> String {
    let ran = checker.run(&compile(name, sources, checker)).output();
    let ran = ran.unwrap_or_else(|error| panic!("{checker:?}: {error}"));
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(
        ran.status.success(),
        "{name}, {checker:?}: {}\n{out}{err}",
        ran.status
    );
    out.into_owned()
}

#[test]
fn every_mistake_of_a_caller_is_an_error_code() {
    for checker in [Sanitizers, Valgrind] {
        let out = output("misuse", &["adapters/c/tests/misuse.c"], checker);
        assert_eq!(out, "all mistakes are told\n");
    }
}

#[test]
fn the_example_of_a_handler_echoes() {
    for checker in [Sanitizers, Valgrind] {
        let out = output("handler", &["examples/c/handler.c"], checker);
        assert!(out.starts_with("HTTP/1.0 200 OK\r\nServer: "), "{out}");
        assert!(out.ends_with("\r\n\r\nhello\n"), "{out}");
    }
}

#[test]
fn the_example_of_the_parser_reads_and_writes() {
    for checker in [Sanitizers, Valgrind] {
        let out = output("parser", &["examples/c/parser.c"], checker);
        let read = "method: PUT\npath: /a?b\nhost: example.net\ncontent: hi\n";
        let written = "POST /b HTTP/1.1\r\nHost: example.net\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(out, [read, written].concat());
    }
}

/// Sends a request to a server. Returns the reply.
fn ask(url: &str, request: &str) -> String {
    let address = url.trim().trim_start_matches("http://");
    let socket = TcpStream::connect(address.trim_end_matches('/'));
    let mut socket = socket.expect("the server listens");
    socket
        .write_all(request.as_bytes())
        .expect("it can be written");
    let mut reply = String::new();
    socket
        .read_to_string(&mut reply)
        .expect("the reply is text");
    reply
}

/// Starts a server that prints its address. Returns it with the address.
fn start(program: &Path, arguments: &[&OsStr]) -> (Child, String) {
    let mut server = Command::new(program);
    let server = server.args(arguments).stdin(Stdio::piped());
    let server = server.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = server.spawn().expect("it starts");
    let mut url = String::new();
    let mut out = BufReader::new(server.stdout.take().expect("it is piped"));
    out.read_line(&mut url).expect("it prints its address");
    (server, url)
}

/// Only with the sanitizers: valgrind 3.19 does not know the system call openat2.
#[test]
fn the_example_of_a_server_serves_files_and_listings() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.txt"), "x".repeat(100_000)).expect("a file");
    fs::create_dir(folder.path().join("b")).expect("a directory");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).expect("a link");
    let sources = ["server.c", "files.c", "main.c"].map(|file| format!("examples/c/{file}"));
    let program = compile(
        "server",
        &sources.each_ref().map(String::as_str),
        Sanitizers,
    );
    let (mut server, url) = start(&program, &[folder.path().as_os_str(), "0".as_ref()]);
    let requests = ["GET /a.txt", "GET /", "GET /out", "GET /b"];
    let replies = requests.map(|request| ask(&url, &format!("{request} HTTP/1.0\r\n\r\n")));
    let (head, content) = replies[0].split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    assert_eq!(content, "x".repeat(100_000));
    let lists = |name: &str| replies[1].contains(&format!(r#"<a href="{name}">"#));
    assert!(lists("a.txt") && lists("b/"), "{}", replies[1]);
    assert!(replies[2].starts_with("HTTP/1.0 404 "), "{}", replies[2]);
    assert!(replies[3].starts_with("HTTP/1.0 301 "), "{}", replies[3]);
    drop(server.stdin.take());
    let ended = server.wait_with_output().expect("it ends");
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{log}");
    assert!(log.contains("\"GET /a.txt HTTP/1.0\" 200 -\n"), "{log}");
}

#[test]
fn the_ready_server_serves_in_three_calls() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.txt"), "hello\n").expect("a file");
    let program = compile("ready", &["examples/c/ready.c"], Sanitizers);
    let (mut server, url) = start(&program, &[folder.path().as_os_str()]);
    let reply = ask(&url, "GET /a.txt HTTP/1.0\r\n\r\n");
    server
        .kill()
        .and_then(|()| server.wait())
        .expect("it can be ended");
    assert!(reply.ends_with("\r\n\r\nhello\n"), "{reply}");
}

#[test]
fn the_header_is_valid_in_cpp() {
    let mut cc = Command::new("c++");
    cc.args([
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsyntax-only",
        "-x",
        "c++",
    ]);
    let checked = cc
        .arg(repository("adapters/c/include/sanserve.h"))
        .output()
        .expect("c++ can be run");
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}
