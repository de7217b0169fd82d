//! Tests the program behind nginx, below a path that nginx removes: links and redirects still work.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use client::{WGET_ARGS, get};
use process::Program;
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

/// nginx, which is stopped on drop.
struct Nginx {
    child: Child,
    /// The URL of the program: `http://127.0.0.1:PORT/files/`.
    url: String,
    _folder: TempDir,
}

impl Nginx {
    /// Starts nginx on a free port. It passes requests below `/files/` to the program.
    fn start(program: &Program) -> Nginx {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let front = listener.local_addr().unwrap();
        let folder = TempDir::new().unwrap();
        let here = folder.path().display();
        let user = if getuid().is_root() { "user root;" } else { "" };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|name| format!("{name}_temp_path {here}/{name};"));
        let configuration = format!(
            "{user} daemon off; pid {here}/pid; error_log stderr; events {{}}\n\
             http {{ access_log off; {}\n\
             server {{ listen {front}; location /files/ {{ proxy_pass http://{}/; }} }} }}\n",
            temporary.concat(),
            program.address()
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration).unwrap();
        // nginx inherits an open socket, so that no other program can take the port.
        let mut command = Command::new("sh");
        command.args(["-c", "NGINX='3;' exec nginx -p \"$0\" -c \"$1\" 3<&0"]);
        command.arg(folder.path()).arg(path);
        command.stdin(Stdio::from(OwnedFd::from(listener)));
        Nginx {
            child: command.stderr(Stdio::null()).spawn().unwrap(),
            url: format!("http://{front}/files/"),
            _folder: folder,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // This also ends its worker.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
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
    let nginx = Nginx::start(&program);
    let url = |path: &str| format!("{}{path}", nginx.url);
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
    let nginx = Nginx::start(&program);
    let into = TempDir::new().unwrap();
    let args = [&WGET_ARGS[..], &["-nH", &nginx.url]].concat();
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
