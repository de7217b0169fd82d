//! Tests that the program serves the files of a zip archive on all runtimes, and refuses what an archive cannot do.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use client::get;
use process::{PROGRAM, Program, RUNTIMES};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Returns a folder with an archive of a small site.
fn archive() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("site.zip");
    let mut archive = ZipWriter::new(File::create(&path).unwrap());
    let options = SimpleFileOptions::default();
    for (name, method, content) in [
        ("index.html", CompressionMethod::Deflated, "<h1>Home</h1>"),
        ("docs/a.txt", CompressionMethod::Deflated, "0123456789"),
        ("docs/b.txt", CompressionMethod::Stored, "stored"),
        (".hidden", CompressionMethod::Stored, "hidden"),
        ("../above", CompressionMethod::Stored, "above"),
    ] {
        let options = options.compression_method(method);
        archive.start_file(name, options).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    (folder, path)
}

fn serve(path: &PathBuf, options: &[&str]) -> Program {
    let mut command = Command::new(PROGRAM);
    command.args(["0", "-b", "127.0.0.1"]).arg(path);
    Program::start(command.args(options))
}

/// Runs the program, which refuses to serve, and returns its line.
fn refused(path: &PathBuf, options: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["0", "-b", "127.0.0.1"]).arg(path);
    let output = command.args(options).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_archive_is_served_like_a_directory() {
    let (_folder, path) = archive();
    for runtime in RUNTIMES {
        let program = serve(&path, &["--runtime", runtime, "--archive"]);
        let address = program.address();
        let page = get(address, "/");
        assert!(page.ends_with("\r\n\r\n<h1>Home</h1>"), "{page}");
        let listing = get(address, "/docs/");
        for name in ["<a href=\"a.txt\">", "<a href=\"b.txt\">"] {
            assert!(listing.contains(name), "{listing}");
        }
        let file = get(address, "/docs/b.txt");
        assert!(file.ends_with("\r\n\r\nstored"), "{file}");
        let part = get(address, "/docs/a.txt HTTP/1.0\r\nRange: bytes=3-5\r\nX:");
        assert!(part.starts_with("HTTP/1.1 206 "), "{part}");
        assert!(part.ends_with("\r\n\r\n345"), "{part}");
        assert!(part.contains("\r\nETag: \""), "{part}");
        for target in ["/.hidden", "/above", "/nope"] {
            let missing = get(address, target);
            assert!(missing.starts_with("HTTP/1.1 404 "), "{target}: {missing}");
        }
        let again = get(address, "/docs/?tar");
        assert!(again.starts_with("HTTP/1.1 200 "), "{again:.200}");
        assert!(again.contains("0123456789"));
        let log = program.stop().stderr;
        let warning = "a name that cannot be requested: 1\n";
        assert!(log.contains(warning), "{log}");
    }
}

#[test]
fn a_reply_from_an_archive_is_explained() {
    let (_folder, path) = archive();
    let mut command = Command::new(PROGRAM);
    command.arg(&path).args(["--explain", "GET /docs/b.txt"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\nHTTP/1.1 200 OK"), "{text}");
    assert!(text.contains("Content-Length: 6"), "{text}");
}

#[test]
fn what_an_archive_cannot_do_is_refused() {
    let (folder, path) = archive();
    for option in ["--upload", "--delete", "--cgi"] {
        let line = refused(&path, &[option]);
        let expected = format!(
            "sanserve: error: {option} needs a directory, and '{}' is a zip archive: leave {option} out, or unpack the archive\n",
            path.display()
        );
        assert_eq!(line, expected);
    }
    let damaged = folder.path().join("damaged.ZIP");
    fs::write(&damaged, &fs::read(&path).unwrap()[..100]).unwrap();
    let line = refused(&damaged, &[]);
    let start = format!(
        "sanserve: error: cannot read the zip archive {}: ",
        damaged.display()
    );
    assert!(line.starts_with(&start), "{line}");
}
