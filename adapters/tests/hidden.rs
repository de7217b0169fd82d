//! Names that begin with a dot, as the program has them.
#![cfg(unix)]

mod peer;
mod running;
mod terminal;

use std::fs;

use peer::{get, site};
use running::Program;
use rustix::process::Signal;
use tempfile::TempDir;

/// The usual files, and some that are hidden.
fn dotted() -> TempDir {
    let site = site();
    fs::create_dir(site.path().join(".git")).unwrap();
    fs::write(site.path().join(".git/config"), "private").unwrap();
    fs::write(site.path().join(".env"), "private").unwrap();
    site
}

#[test]
fn they_are_neither_served_nor_listed() {
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
fn an_option_shows_them() {
    let site = dotted();
    let program = Program::serve(site.path(), &["--bind", "127.0.0.1", "--hidden"]);
    assert!(get(program.address(), "/.env").ends_with("\r\n\r\nprivate"));
    assert!(get(program.address(), "/.git/config").ends_with("\r\n\r\nprivate"));
    assert!(get(program.address(), "/").contains("href=\".git/\""));
    program.signal(Signal::INT);
    program.ends();
}

#[test]
fn a_terminal_is_told() {
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
