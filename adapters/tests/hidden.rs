//! Names that begin with a dot, as the program has them.
#![cfg(unix)]

mod peer;
mod running;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use peer::{get, site};
use running::Program;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
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
        assert!(reply.starts_with("HTTP/1.0 404 "), "{target}: {reply}");
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
    assert!(get(program.address(), "/").contains(">.git/</a>"));
    program.signal(Signal::INT);
    program.ends();
}

/// What the program prints on a terminal before it serves.
fn shown_on_a_terminal(options: &[&str]) -> String {
    let site = dotted();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let name = OsStr::from_bytes(name.as_bytes());
    let stdout = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    let mut command = Program::command(site.path());
    command.args(["--bind", "127.0.0.1"]).args(options);
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command.stdout(stdout).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The terminal ends when its last user does.
    drop(command);
    let mut shown = BufReader::new(File::from(terminal));
    let mut text = String::new();
    shown.read_line(&mut text).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    // The banner is there before it serves; what follows is there when it has answered.
    let port = text.rsplit(':').next().unwrap().split('/').next().unwrap();
    get(format!("127.0.0.1:{port}").parse().unwrap(), "/a.txt");
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    child.wait().unwrap();
    // Linux ends the terminal of a program that is gone with an error.
    while shown.read_line(&mut text).is_ok_and(|n| n > 0) {}
    text
}

#[test]
fn a_terminal_is_told() {
    let hint = "Names that begin with a dot are hidden; --hidden shows them.";
    assert!(shown_on_a_terminal(&[]).contains(hint));
    assert!(!shown_on_a_terminal(&["--hidden"]).contains(hint));
}
