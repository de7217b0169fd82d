//! Tests the command as a component in wasmtime: the documented invocation, the files that it must not serve, and its
//! error messages.

#![cfg(unix)]

mod component;
mod tools;

use std::fs::{create_dir, write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use component::Component;
use tempfile::TempDir;

/// wasmtime, the program, and a directory for it.
struct Fixture {
    wasmtime: PathBuf,
    program: String,
    site: TempDir,
}

impl Fixture {
    fn new() -> Option<Fixture> {
        let wasmtime = tools::find("wasmtime")?;
        // wasmtime compiles it at every start, so it must be small.
        let small = [
            "--config",
            "profile.dev.opt-level=1",
            "--config",
            "profile.dev.debug=false",
        ];
        let target = ["--target", "wasm32-wasip2", "--message-format", "json"];
        let arguments = [&["build", "--package", "sanserve"], &small[..], &target[..]].concat();
        let program = tools::built(".", &arguments).display().to_string();
        let site = tempfile::tempdir().expect("a folder");
        let at = |name: &str| site.path().join(name);
        write(at("hello.txt"), "hello\n").expect("a file");
        create_dir(at("sub")).expect("a folder");
        write(at("sub/.hidden"), "hidden").expect("a file");
        symlink("../hello.txt", at("sub/above")).expect("a link");
        symlink("/etc/passwd", at("sub/outside")).expect("a link");
        symlink("../../", at("sub/higher")).expect("a link");
        let status = Command::new("mkfifo").arg(at("sub/fifo")).status();
        assert!(status.expect("mkfifo runs").success());
        Some(Fixture {
            wasmtime,
            program,
            site,
        })
    }

    /// Runs a command line that begins with `wasmtime` and contains `DIR` and `sanserve.wasm`.
    fn run(&self, line: &str) -> Component {
        let mut command = Command::new(&self.wasmtime);
        let site = self.site.path().display().to_string();
        let words = line.split_whitespace().skip(1);
        command.args(words.map(|word| match word {
            "sanserve.wasm" => self.program.clone(),
            word => word.replace("DIR", &site),
        }));
        Component::start(command)
    }

    /// Returns its error output if it does not serve.
    fn error_output(&self, line: &str) -> String {
        let component = self.run(line);
        assert_eq!(component.line, "");
        component.log.take()
    }
}

#[test]
fn it_serves_as_documented() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let mut lines = include_str!("../../docs/platforms.md")
        .lines()
        .map(str::trim);
    let line = lines.find(|line| line.starts_with("wasmtime run "));
    let line = line.expect("the page has a line").replace(" 8000", " 0");
    let component = fixture.run(&line);
    let port = component.address().port();
    let banner = format!("Serving HTTP on 0.0.0.0 port {port} (http://0.0.0.0:{port}/) ...\n");
    assert_eq!(component.line, banner);
    let hello = component.get("/hello.txt");
    assert!(hello.starts_with("HTTP/1.1 200 OK\r\n"), "{hello}");
    assert!(
        hello.contains("\r\nETag: ") && hello.ends_with("\r\n\r\nhello\n"),
        "{hello}"
    );
    let listing = component.get("/");
    for item in ["<a href=\"hello.txt\">", "<a href=\"sub/\">"] {
        assert!(listing.contains(item), "{listing}");
    }
    let log = component.log.take();
    let lines: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once(" - - ["))
        .collect();
    assert!(lines.iter().all(|(peer, _)| *peer == "127.0.0.1"), "{log}");
    let messages: Vec<_> = lines
        .iter()
        .filter_map(|(_, line)| line.split_once("] "))
        .collect();
    let messages: Vec<_> = messages.iter().map(|(_, message)| *message).collect();
    assert_eq!(
        messages,
        [
            "\"GET /hello.txt HTTP/1.0\" 200 -",
            "\"GET / HTTP/1.0\" 200 -"
        ]
    );
}

#[test]
fn it_stays_within_its_directory() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let run =
        "wasmtime run -S inherit-network,tcp --dir DIR::/ sanserve.wasm 0 -b 127.0.0.1 -d sub";
    let component = fixture.run(run);
    for path in [
        "/above",
        "/outside",
        "/higher/",
        "/higher/hello.txt",
        "/fifo",
        "/.hidden",
    ] {
        let reply = component.get(path);
        assert!(reply.starts_with("HTTP/1.1 404 "), "{path}: {reply}");
    }
    // Now with all directories that the host allows.
    let component = fixture.run(&format!("{run} --follow-symlinks --hidden"));
    assert!(component.get("/above").ends_with("\r\n\r\nhello\n"));
    assert!(component.get("/.hidden").ends_with("\r\n\r\nhidden"));
    for path in ["/outside", "/higher/", "/fifo"] {
        let reply = component.get(path);
        assert!(reply.starts_with("HTTP/1.1 404 "), "{path}: {reply}");
    }
}

#[test]
fn it_reports_what_is_missing() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let error_of = |line: &str| fixture.error_output(line);
    let error = error_of("wasmtime run --dir DIR::/ sanserve.wasm 0");
    let sockets = "sanserve: error: no permission to listen on 0.0.0.0:0: \
                   allow it with wasmtime run -S inherit-network,tcp\n";
    assert_eq!(error, sockets);
    let error = error_of("wasmtime run -S inherit-network,tcp sanserve.wasm 0");
    let directory = "sanserve: error: the host grants no access to the directory . \
                     (see wasmtime run --dir): give another one with --directory\n";
    assert_eq!(error, directory);
    for option in ["--cgi", "--tls-cert=a", "--runtime=std", "--stdio"] {
        let error = error_of(&format!("wasmtime run --dir DIR::/ sanserve.wasm {option}"));
        let name = option.split('=').next().unwrap_or_default();
        let unknown = format!("sanserve: error: unexpected argument '{name}' found ");
        assert!(error.starts_with(&unknown), "{error}");
    }
    let error = error_of("wasmtime run --dir DIR::/ sanserve.wasm --upload");
    let upload = "sanserve: error: --upload works on Linux and macOS only: leave it out\n";
    assert_eq!(error, upload);
    let error = error_of("wasmtime run --dir DIR::/ sanserve.wasm -b unix:a");
    assert_eq!(
        error,
        "sanserve: error: WASI has no Unix sockets: give an address with --bind\n"
    );
}
