//! Tests `--sandbox`: the kernel refuses what is not in the directory that is served at the start, even where the program
//! would serve it, and everything else works as without it.
#![cfg(target_os = "linux")]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use client::{TIMEOUT, connect, get};
use process::{Program, RUNTIMES};
use rustix::process::Signal;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The runtimes that can be confined: those whose threads start when they serve.
fn runtimes() -> impl Iterator<Item = &'static str> {
    RUNTIMES
        .iter()
        .copied()
        .filter(|runtime| *runtime != "tokio")
}

/// A folder with a site.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let site = folder.path().join("site");
    fs::create_dir_all(site.join("sub")).unwrap();
    fs::write(site.join("sub/a.txt"), "inside").unwrap();
    folder
}

fn start(folder: &Path, runtime: &str, options: &[&str]) -> Program {
    let mut command = Program::command(&folder.join("site"));
    command.args(["-b", "127.0.0.1", "--runtime", runtime]);
    Program::start(command.args(options))
}

/// Returns whether this kernel has Landlock. Otherwise says that the test is skipped.
fn is_confined(ended: &process::Ended) -> bool {
    let is_missing = ended.stderr.contains("--sandbox has no effect");
    if is_missing {
        println!("SKIPPED: this kernel has no Landlock");
    }
    !is_missing
}

fn status(reply: &str) -> &str {
    reply.get(9..12).unwrap_or(reply)
}

/// Sends a request with this content. Returns the reply.
fn send(address: SocketAddr, head: &str, content: &str) -> String {
    let mut socket = connect(address);
    let len = content.len();
    write!(
        socket,
        "{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{content}"
    )
    .unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

/// A directory that takes the place of the served one is another one to the kernel, so the rules do not allow it.
#[test]
fn the_kernel_refuses_what_was_not_allowed_at_the_start() {
    for runtime in runtimes() {
        for (options, expected) in [(&[][..], "200"), (&["--sandbox"], "404")] {
            let folder = folder();
            let program = start(folder.path(), runtime, options);
            let address = program.address();
            assert!(get(address, "/sub/a.txt").ends_with("inside"));
            assert!(get(address, "/sub/").contains("a.txt"));
            assert!(get(address, "/?zip").starts_with("HTTP"));
            let site = folder.path().join("site");
            fs::rename(&site, folder.path().join("before")).unwrap();
            fs::create_dir(&site).unwrap();
            fs::write(site.join("new.txt"), "new").unwrap();
            let found = get(address, "/new.txt");
            let ended = program.stop();
            if options.is_empty() || is_confined(&ended) {
                assert_eq!(status(&found), expected, "{runtime} {options:?}: {found}");
                assert!(ended.status.success(), "{}", ended.stderr);
            }
        }
    }
}

#[test]
fn files_are_stored_and_deleted_within_the_directory() {
    for runtime in runtimes() {
        let folder = folder();
        let options = ["--sandbox", "--upload", "--overwrite", "--delete"];
        let program = start(folder.path(), runtime, &options);
        let address = program.address();
        let put = |target: &str, content: &str| {
            let reply = send(address, &format!("PUT {target} HTTP/1.1"), content);
            status(&reply).to_string()
        };
        assert_eq!(put("/new.txt", "new"), "201");
        assert_eq!(put("/new.txt", "newer"), "204");
        assert_eq!(put("/sub/one/two/new.txt", "deep"), "201");
        assert_eq!(put("/folder/", ""), "201");
        let site = folder.path().join("site");
        assert_eq!(fs::read_to_string(site.join("new.txt")).unwrap(), "newer");
        assert_eq!(
            fs::read_to_string(site.join("sub/one/two/new.txt")).unwrap(),
            "deep"
        );
        let form = "--b\r\nContent-Disposition: form-data; name=f; filename=form.txt\r\n\r\nform\r\n--b--\r\n";
        let head = "POST /sub/ HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b";
        assert_eq!(status(&send(address, head, form)), "303");
        let part = send(
            address,
            "PUT /parts.txt HTTP/1.1\r\nUpload-Complete: ?0",
            "par",
        );
        let target = part.split("Location: .").nth(1).unwrap();
        let target = target.split('\r').next().unwrap();
        let rest = format!(
            "PATCH {target} HTTP/1.1\r\nContent-Type: application/partial-upload\r\n\
             Upload-Offset: 3\r\nUpload-Complete: ?1"
        );
        assert_eq!(status(&send(address, &rest, "ts")), "201");
        assert_eq!(fs::read_to_string(site.join("parts.txt")).unwrap(), "parts");
        for target in ["/new.txt", "/folder/"] {
            let reply = send(address, &format!("DELETE {target} HTTP/1.1"), "");
            assert_eq!(status(&reply), "204", "{reply}");
        }
        let ended = program.stop();
        assert!(ended.status.success(), "{}", ended.stderr);
    }
}

#[test]
fn passwords_are_read_again() {
    let folder = folder();
    let users = folder.path().join("users");
    fs::write(&users, "ann:one\n").unwrap();
    let mut command = Program::command(&folder.path().join("site"));
    command
        .args(["-b", "127.0.0.1", "--sandbox", "--auth-file"])
        .arg(&users);
    let program = Program::start(&mut command);
    fs::write(&users, "ann:two\n").unwrap();
    program.signal(Signal::HUP);
    // "ann:two" in Base64.
    let head = "GET /sub/a.txt HTTP/1.1\r\nAuthorization: Basic YW5uOnR3bw==";
    let start = Instant::now();
    loop {
        let reply = send(program.address(), head, "");
        if status(&reply) == "200" {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "{reply}");
    }
    let ended = program.stop();
    assert!(ended.status.success(), "{}", ended.stderr);
}

#[test]
fn an_archive_is_served_and_options_that_need_more_are_refused() {
    let folder = folder();
    let archive = folder.path().join("site.zip");
    let mut made = ZipWriter::new(File::create(&archive).unwrap());
    let options = SimpleFileOptions::default();
    made.start_file("a.txt", options).unwrap();
    made.write_all(b"in the archive").unwrap();
    made.finish().unwrap();
    let mut command = Command::new(process::PROGRAM);
    command.args(["0", "-b", "127.0.0.1", "--sandbox"]);
    let program = Program::start(command.arg(&archive));
    assert!(get(program.address(), "/a.txt").ends_with("in the archive"));
    program.stop();
    for (other, expected) in [
        ("--cgi", "cannot be used with"),
        ("--open", "cannot be used with"),
        ("--stdio", "cannot be used with"),
        (
            "--follow-symlinks",
            "--sandbox refuses the files that --follow-symlinks serves",
        ),
    ] {
        let output = Command::new(process::PROGRAM)
            .args(["--sandbox", other])
            .output();
        let output = output.unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}
