//! Tests the program behind nginx, below a path that nginx removes: links and redirects still work.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod nginx;
mod process;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use client::{WGET_ARGS, get};
use nginx::Nginx;
use process::Program;
use tempfile::TempDir;

/// Starts nginx, which passes requests below `/files/` to the program. Returns it with that URL.
fn start_nginx(program: &Program) -> (Nginx, String) {
    let nginx = Nginx::start(&format!(
        "location /files/ {{ proxy_pass http://{}/; }}",
        program.address()
    ));
    let url = format!("{}/files/", nginx.url);
    (nginx, url)
}

fn run(command: &str, args: &[&str], folder: &Path) -> Output {
    let output = Command::new(command)
        .args(args)
        .current_dir(folder)
        .output();
    output.unwrap_or_else(|error| panic!("{command}: {error}"))
}

/// Runs curl, and returns what `--write-out` prints.
fn curl(args: &[&str], format: &str) -> String {
    let all = ["-s", "-m", "20", "-o", "/dev/null", "-w", format];
    let output = run("curl", &[&all, args].concat(), Path::new("."));
    String::from_utf8(output.stdout).unwrap()
}

fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    for (name, content) in [
        ("top.txt", "top"),
        ("sub/one.txt", "one"),
        ("sub/deep er/two.txt", "two"),
        ("page/index.html", "<a href=\"more.html\">more</a>"),
        ("page/more.html", "more"),
    ] {
        let path = site.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    site
}

#[test]
fn redirects_stay_below_the_prefix() {
    let site = site();
    let program = Program::serve(
        site.path(),
        &["-b", "127.0.0.1", "--upload", "--host", "127.0.0.1"],
    );
    let (_nginx, below) = start_nginx(&program);
    let url = |path: &str| format!("{below}{path}");
    for (from, to) in [
        ("sub", "sub/"),
        ("sub?json", "sub/?json"),
        ("sub/deep%20er", "sub/deep%20er/"),
        ("page", "page/"),
        // nginx merges the slashes.
        ("/sub", "/sub/"),
    ] {
        let result = curl(&["-L", &url(from)], "%{http_code} %{url_effective}");
        assert_eq!(result, format!("200 {}", url(to)), "{from}");
    }
    let (file, target) = (site.path().join("top.txt"), url("sub/new.txt"));
    let put = ["-T", file.to_str().unwrap(), &target];
    // The location is relative to the request, which is for the file itself.
    let result = curl(&put, "%{http_code} %header{location}");
    assert_eq!(result, "201 ./new.txt");
    let form = ["-F", "file=@Cargo.toml", &url("sub/")];
    let result = curl(&form, "%{http_code} %{redirect_url}");
    assert_eq!(result, format!("303 {}", url("sub/")));
    program.stop();
}

#[test]
fn a_crawler_finds_everything_below_the_prefix_and_nothing_else() {
    let site = site();
    let program = Program::serve(site.path(), &["-b", "127.0.0.1", "--archive"]);
    // No link leads above the root.
    assert!(!get(program.address(), "/").contains("href=\"../"));
    let (_nginx, below) = start_nginx(&program);
    let into = TempDir::new().unwrap();
    let args = [&WGET_ARGS[..], &["-nH", &below]].concat();
    let output = run("wget", &args, into.path());
    assert!(output.status.success(), "{output:?}");
    for name in [
        "top.txt",
        "sub/one.txt",
        "sub/deep er/two.txt",
        "page/index.html",
        "page/more.html",
    ] {
        let (sent, had) = (site.path().join(name), into.path().join("files").join(name));
        assert_eq!(fs::read(had).ok(), fs::read(sent).ok(), "{name}");
    }
    let above: Vec<_> = fs::read_dir(into.path()).unwrap().collect();
    assert_eq!(above.len(), 1, "{above:?}");
    program.stop();
}
