//! Tests `--explain`: the explained reply is the one that a server sends, and nothing is run, stored or deleted.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use client::{connect, read_head};
use process::Program;
use tempfile::TempDir;

fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    for (name, content) in [
        ("a.txt", "hello\n"),
        ("a.txt.gz", "not really compressed"),
        ("about.html", "about"),
        (".secret", "secret"),
        ("with index/index.html", "index"),
        ("sub/one.txt", "one"),
        (
            "cgi-bin/run.sh",
            "#!/bin/sh\ntouch \"$(dirname $0)/../was-run\"\necho\n",
        ),
    ] {
        let path = site.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        // The tag of a file that has just changed is weak, and soon it is not.
        let file = File::options().append(true).open(path).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(1_577_836_800_500);
        file.set_modified(modified).unwrap();
    }
    let script = site.path().join("cgi-bin/run.sh");
    fs::set_permissions(script, Permissions::from_mode(0o755)).unwrap();
    symlink("/etc", site.path().join("out")).unwrap();
    site
}

/// Explains a request, and returns the steps and the head of the reply, whose lines have their sources.
fn explain(site: &Path, options: &[&str], request: &[&str]) -> (String, String) {
    let mut command = Program::command(site);
    command.args(options).arg("--explain").arg(request[0]);
    for field in &request[1..] {
        command.args(["--explain-header", field]);
    }
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{request:?}: {error}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut parts = text.split("\n\n").skip(1);
    let steps = parts.next().unwrap_or_default().to_owned();
    (steps, parts.next().unwrap_or_default().to_owned())
}

/// Returns the reply's lines without their sources and without the date.
fn lines(head: &str) -> Vec<String> {
    let lines = head
        .lines()
        .map(|line| line.split("  ").next().unwrap().to_owned());
    lines
        .filter(|line| !line.starts_with("Date: ") && !line.is_empty())
        .collect()
}

#[test]
fn the_explained_head_is_the_one_that_a_server_sends() {
    let site = site();
    for options in [
        &[][..],
        &["--plain"],
        &["--hidden", "--precompressed", "--clean-urls", "--archive"],
        &["--auth", "mary:secret", "--cors", "--isolate"],
        &["--spa", "about.html", "-H", "X-Own: yes"],
        &["--not-found", "about.html", "--host", "files.example"],
        &["--cgi"],
        &["--upload"],
    ] {
        let program = Program::serve(site.path(), options);
        for request in [
            &["GET /a.txt"][..],
            &["HEAD /a.txt", "Accept-Encoding: gzip"],
            &["GET /a.txt", "Range: bytes=1-2"],
            &["GET /a.txt", "Range: bytes=99-"],
            &["GET /a.txt", "Range: bytes=1-2", "If-Range: \"other\""],
            &["GET /a.txt", "If-None-Match: *"],
            &["GET /a.txt", "If-Match: \"other\""],
            &[
                "GET /a.txt",
                "If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT",
            ],
            &["GET /about"],
            &["GET /sub"],
            &["GET /sub/"],
            &["GET /sub/?zip"],
            &["GET /with%20index/"],
            &["GET /.secret"],
            &["GET /out/passwd"],
            &["GET /nope", "Accept: text/html"],
            &["GET /a.txt", "Authorization: Basic bWFyeTpzZWNyZXQ="],
            &["GET /a.txt", "Host: files.example"],
            &["OPTIONS /a.txt"],
            &["POST /a.txt", "Content-Length: 0"],
            &["GET a.txt"],
            &["GET /a.txt HTTP/1.0"],
        ] {
            let (_, head) = explain(site.path(), options, request);
            let socket = connect(program.address());
            let version = if request[0].contains(" HTTP/") {
                ""
            } else {
                " HTTP/1.1"
            };
            let mut text = format!("{}{version}\r\n", request[0]);
            if !request.iter().any(|field| field.starts_with("Host:")) {
                text += "Host: localhost\r\n";
            }
            request[1..]
                .iter()
                .for_each(|field| text += &format!("{field}\r\n"));
            (&socket).write_all((text + "\r\n").as_bytes()).unwrap();
            let served = read_head(&socket);
            assert_eq!(lines(&head), lines(&served), "{options:?} {request:?}");
        }
    }
}

#[test]
fn each_decision_is_a_step() {
    let site = site();
    for (options, request, expected) in [
        (
            &[][..],
            &["GET /a.txt"][..],
            &["1. open /a.txt: a file of 6 bytes, modified"][..],
        ),
        (
            &[],
            &["GET /with%20index/"],
            &["1. open /with index/index.html: a file of 5 bytes"],
        ),
        (
            &[],
            &["GET /sub/"],
            &[
                "1. open /sub/index.html: no such file or directory",
                "2. open /sub/index.htm: no such file or directory",
                "3. list /sub/: 1 entries",
            ],
        ),
        (
            &[],
            &["GET /.secret"],
            &["refused: a name in the path begins with a dot; --hidden serves it"],
        ),
        (
            &[],
            &["GET /out/passwd"],
            &["refused: a symbolic link leads out of the directory; --follow-symlinks serves it"],
        ),
        (
            &["--precompressed"],
            &["GET /a.txt", "Accept-Encoding: gzip"],
            &["1. open /a.txt.gz, because of --precompressed: a file of 21 bytes"],
        ),
        (
            &["--clean-urls"],
            &["GET /about"],
            &["open /about.html, because of --clean-urls: a file of 5 bytes"],
        ),
        (
            &["--spa", "about.html"],
            &["GET /nope"],
            &["2. open /about.html, because of --spa: a file of 5 bytes"],
        ),
        (
            &["--spa", "about.html"],
            &["GET /about.html"],
            &["1. open /about.html: a file of 5 bytes"],
        ),
        (
            &["--not-found", "about.html"],
            &["GET /nope"],
            &["2. open /about.html, because of --not-found: a file of 5 bytes"],
        ),
        (
            &["--prefix", "/files"],
            &["GET /a.txt"],
            &["refused: the path is not below --prefix /files"],
        ),
        (
            &["--prefix", "/files", "--clean-urls"],
            &["GET /files/about"],
            &["open /about.html, because of --clean-urls"],
        ),
        (
            &["--auth", "mary:secret"],
            &["GET /", "Authorization: Basic bWFyeTp3cm9uZw=="],
            &["code 401, message Unauthorized"],
        ),
    ] {
        let (steps, _) = explain(site.path(), options, request);
        for step in expected {
            assert!(steps.contains(step), "{request:?}: {steps}");
        }
    }
}

#[test]
fn the_status_names_the_option_that_changes_it() {
    let site = site();
    for (options, request, expected) in [
        (&[][..], "PUT /new.txt", "405 Method Not Allowed*; --upload"),
        (&[], "DELETE /a.txt", "405 Method Not Allowed*; --delete"),
        (
            &["--upload"],
            "PUT /a.txt",
            "409 A file with this name exists*; --overwrite",
        ),
        (
            &["--upload", "--upload-limit", "0"],
            "PUT /new.txt",
            "413 Content Too Large*; --upload-limit",
        ),
        (
            &["--host", "files.example", "-b", "0.0.0.0"],
            "GET /a.txt",
            "421 Misdirected Request*; --host",
        ),
        (&[], "PATCH /a.txt", "405 Method Not Allowed*; --upload"),
        (&[], "GET /nope", "404 File not found*§15.5.5"),
    ] {
        let fields = [request, "Content-Length: 1", "Host: other.example"];
        let (_, head) = explain(site.path(), options, &fields);
        let line = head.lines().next().unwrap_or_default();
        let (start, end) = expected.split_once('*').unwrap();
        let start = format!("HTTP/1.1 {start} ");
        assert!(
            line.starts_with(&start) && line.ends_with(end),
            "{request}: {head}"
        );
    }
}

#[test]
fn each_line_of_the_reply_has_its_source() {
    let site = site();
    let (_, head) = explain(
        site.path(),
        &["-H", "X-Own: yes"],
        &["GET /a.txt", "Range: bytes=0-1"],
    );
    for line in [
        "HTTP/1.1 206 Partial Content  * RFC 9110 §15.3.7, because of Range (RFC 9110 §14.2)",
        "Content-Range: bytes 0-1/6  * RFC 9110 §14.4",
        "X-Own: yes  * --header",
    ] {
        let (start, end) = line.split_once("  * ").unwrap();
        let is_meant = |line: &str| line.starts_with(start) && line.ends_with(end);
        assert!(head.lines().any(is_meant), "{line}: {head}");
    }
}

#[test]
fn nothing_is_run_stored_or_deleted() {
    let site = site();
    for (options, request, step) in [
        (
            &["--cgi"][..],
            "GET /cgi-bin/run.sh",
            "run the script /cgi-bin/run.sh: not done",
        ),
        (&["--upload"], "PUT /new.txt", "store /new.txt: not done"),
        (&["--upload"], "PUT /new/", "create the directory /new"),
        (&["--delete"], "DELETE /a.txt", "delete /a.txt: not done"),
    ] {
        let (steps, head) = explain(site.path(), options, &[request, "Content-Length: 0"]);
        assert!(steps.contains(step), "{steps}");
        assert_eq!(head, "", "{request}");
    }
    for name in ["was-run", "new.txt", "new"] {
        assert!(!site.path().join(name).exists(), "{name}");
    }
    assert!(site.path().join("a.txt").exists());
}

#[test]
fn a_whole_request_is_read_from_standard_input() {
    let site = site();
    let mut command = Program::command(site.path());
    command
        .args(["--explain", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"GET /a.txt HTTP/1.0\r\nIf-None-Match: *\r\n\r\n")
        .unwrap();
    drop(stdin);
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(
        text.starts_with("GET /a.txt HTTP/1.0\nIf-None-Match: *\n\n1. open /a.txt"),
        "{text}"
    );
    assert!(text.contains("\nHTTP/1.1 304 Not Modified "), "{text}");
}
