//! Tests names that begin with a dot: by default they are neither served nor listed, with `--hidden` they are. Also
//! tests that the log says why a request was refused.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod terminal;

use std::fs;
use std::os::unix::fs::symlink;

use client::{get, site};
use process::Program;
use rustix::process::Signal;
use tempfile::TempDir;

/// The usual site with some hidden names.
fn dotted() -> TempDir {
    let site = site();
    fs::create_dir(site.path().join(".git")).unwrap();
    fs::write(site.path().join(".git/config"), "private").unwrap();
    fs::write(site.path().join(".env"), "private").unwrap();
    site
}

#[test]
fn hidden_names_are_neither_served_nor_listed() {
    let site = dotted();
    let program = Program::serve(site.path(), &["--bind", "127.0.0.1"]);
    for target in ["/.env", "/.git/config", "/.git/", "/%2egit/config"] {
        let reply = get(program.address(), target);
        assert!(reply.starts_with("HTTP/1.1 404 "), "{target}: {reply}");
    }
    let listing = get(program.address(), "/");
    assert!(
        listing.contains("a.txt") && !listing.contains(".env"),
        "{listing}"
    );
    program.signal(Signal::INT);
    // A pipe gets CPython's banner and nothing else.
    assert_eq!(
        program.ends().stdout,
        "\nKeyboard interrupt received, exiting.\n"
    );
}

#[test]
fn the_hidden_option_serves_hidden_names() {
    let site = dotted();
    let program = Program::serve(site.path(), &["--bind", "127.0.0.1", "--hidden"]);
    assert!(get(program.address(), "/.env").ends_with("\r\n\r\nprivate"));
    assert!(get(program.address(), "/.git/config").ends_with("\r\n\r\nprivate"));
    assert!(get(program.address(), "/").contains("href=\".git/\""));
    program.stop();
}

#[test]
fn a_terminal_says_that_hidden_names_are_hidden() {
    let hint = "Names that begin with a dot are hidden; --hidden shows them.";
    let shown = |options: &[&str]| {
        let site = dotted();
        let mut command = Program::command(site.path());
        terminal::shown(command.args(["--bind", "127.0.0.1"]).args(options))
    };
    assert!(shown(&[]).contains(hint));
    let text = shown(&["--hidden"]);
    assert!(
        !text.contains(hint) && text.contains("(--hidden)"),
        "{text}"
    );
}

/// Removes the date of a reply.
fn undated(reply: &str) -> String {
    let lines = reply.lines().filter(|line| !line.starts_with("Date: "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_log_says_that_a_path_is_not_below_the_prefix() {
    let site = site();
    let options = ["--bind", "127.0.0.1", "--prefix", "/files"];
    let program = Program::serve(site.path(), &options);
    for (target, status) in [
        ("/files/a.txt", "200"),
        ("/a.txt", "404"),
        ("/files2", "404"),
        ("/files/a%00", "404"),
    ] {
        let reply = get(program.address(), target);
        assert_eq!(reply.get(9..12), Some(status), "{target}: {reply}");
    }
    let log = program.stop().stderr;
    let reasons: Vec<&str> = log
        .lines()
        .filter_map(|line| Some(line.split_once("refused: ")?.1))
        .collect();
    let outside = "the path is not below --prefix /files";
    let expected = [outside, outside, "no file here can have that name"];
    assert_eq!(reasons, expected, "{log}");
}

#[test]
fn the_log_says_why_a_request_is_refused_and_the_reply_does_not() {
    let refused = [
        (
            "/.env",
            "a name in the path begins with a dot; --hidden serves it",
        ),
        (
            "/.git/nothing",
            "a name in the path begins with a dot; --hidden serves it",
        ),
        ("/a%00", "no file here can have that name"),
        (
            "/out",
            "a symbolic link leads out of the directory; --follow-symlinks serves it",
        ),
        ("/fifo", "neither a regular file nor a directory"),
    ];
    for format in ["python", "combined", "json"] {
        let site = dotted();
        symlink("../nowhere", site.path().join("out")).unwrap();
        let fifo = site.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o644);
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
        let options = ["--bind", "127.0.0.1", "--log-format", format];
        let program = Program::serve(site.path(), &options);
        for (target, _) in refused {
            // The links of an error page depend on the directories of the target.
            let missing = match target.rsplit_once('/') {
                Some(("", _)) => "/nothing",
                _ => "/a/nothing",
            };
            let [refused, missing] =
                [target, missing].map(|target| undated(&get(program.address(), target)));
            assert!(missing.contains(" 404 "), "{missing}");
            assert_eq!(refused, missing, "{target}");
        }
        let log = program.stop().stderr;
        // In JSON the reason is a member of the request's object, without the option.
        let start = match format {
            "json" => "File not found; ",
            _ => "refused: ",
        };
        let lines: Vec<&str> = log
            .lines()
            .filter_map(|line| Some(line.split_once(start)?.1.trim_end_matches("\"}")))
            .collect();
        let expected: Vec<&str> = refused
            .iter()
            .map(|(_, why)| match format {
                "json" => why.split(';').next().unwrap(),
                _ => why,
            })
            .collect();
        assert_eq!(lines, expected, "{format}: {log}");
        if format == "python" {
            let at = log.find("refused").unwrap();
            let before: Vec<&str> = log[..at].lines().rev().skip(1).take(2).collect();
            assert!(before[0].ends_with("\"GET /.env HTTP/1.0\" 404 -"), "{log}");
            assert!(
                before[1].ends_with("] code 404, message File not found"),
                "{log}"
            );
        }
    }
}
