//! Tests that the system-call filter of the unit in docs/deployment.md allows every call of the program, and that the
//! Debian package has the units of that page.
#![cfg(target_os = "linux")]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use client::connect;
use process::{PROGRAM, Program};
use rustix::process::{Pid, Signal, kill_process};

/// Returns systemd's sets of system calls by name, without nested sets. `None` if systemd is not installed.
fn sets() -> Option<HashMap<String, Vec<String>>> {
    let output = Command::new("systemd-analyze")
        .arg("syscall-filter")
        .output();
    let text = String::from_utf8(output.ok()?.stdout).unwrap();
    let mut sets: HashMap<String, Vec<String>> = HashMap::new();
    let mut name = String::new();
    for line in text.lines() {
        match line.trim() {
            "" => {}
            line if line.starts_with('#') => {}
            set if !line.starts_with(' ') => name = set.to_owned(),
            call => sets.entry(name.clone()).or_default().push(call.to_owned()),
        }
    }
    Some(sets)
}

/// Returns the calls of a set and of its nested sets.
fn expand(sets: &HashMap<String, Vec<String>>, set: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for call in sets.get(set).unwrap_or_else(|| panic!("there is no {set}")) {
        match call.starts_with('@') {
            true => calls.extend(expand(sets, call)),
            false => _ = calls.insert(call.clone()),
        }
    }
    calls
}

/// Returns the calls that the unit on the page allows, with `more` also those of the lines for uploads.
fn allowed(sets: &HashMap<String, Vec<String>>, more: bool) -> BTreeSet<String> {
    let page = include_str!("../../../docs/deployment.md");
    let filters = page
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let mut allowed = expand(sets, "@default");
    for filter in filters.take(if more { 3 } else { 2 }) {
        let removed = filter.strip_prefix('~');
        for set in removed.unwrap_or(filter).split(' ') {
            let calls = expand(sets, set);
            match removed {
                Some(_) => allowed.retain(|call| !calls.contains(call)),
                None => allowed.extend(calls),
            }
        }
    }
    allowed
}

/// Returns the calls that the program makes with these options from start to exit, while `client` runs.
fn made(folder: &Path, options: &[&str], client: impl Fn(&Program)) -> BTreeSet<String> {
    let trace = folder.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&trace).arg(PROGRAM);
    strace
        .args(["0", "-b", "127.0.0.1", "-d"])
        .arg(folder.join("site"));
    let program = Program::start(strace.args(options));
    client(&program);
    let lines = fs::read_to_string(&trace).unwrap();
    let pid = lines.split(' ').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    assert!(program.ends().status.success());
    let lines = fs::read_to_string(&trace).unwrap();
    let call = |line: &str| {
        let line = line.split_once(' ')?.1.trim_start();
        let line = line.strip_prefix("<... ").unwrap_or(line);
        let name = line.split(['(', ' ']).next()?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(is_name).then(|| name.to_owned())
    };
    lines.lines().filter_map(call).collect()
}

/// Sends a request and returns the status of its reply.
fn ask(program: &Program, request: &str, content: &str) -> String {
    let mut socket = connect(program.address());
    let length = content.len();
    write!(socket, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{content}").unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply[9..12]).into()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("site")).unwrap();
    fs::write(folder.path().join("site/small.txt"), "hello\n").unwrap();
    fs::write(folder.path().join("site/large.bin"), vec![0; 1 << 20]).unwrap();
    folder
}

/// Returns systemd's sets, if systemd and strace are installed.
fn needed() -> Option<HashMap<String, Vec<String>>> {
    let strace = Command::new("strace").arg("-V").output();
    let sets = sets().filter(|_| strace.is_ok());
    if sets.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI has to install strace and systemd"
        );
        eprintln!("SKIPPED: strace or systemd-analyze is not installed");
    }
    sets
}

#[test]
fn the_unit_allows_the_system_calls_of_serving() {
    let Some(sets) = needed() else { return };
    let folder = folder();
    let made = made(folder.path(), &["-p", "HTTP/1.1", "--archive"], |program| {
        for target in ["/", "/small.txt", "/large.bin", "/?zip", "/?tar"] {
            assert_eq!(
                ask(program, &format!("GET {target}"), ""),
                "200",
                "{target}"
            );
        }
        assert_eq!(ask(program, "GET /nowhere", ""), "404");
    });
    assert!(made.contains("openat2"), "{made:?}");
    let denied: Vec<_> = made.difference(&allowed(&sets, false)).cloned().collect();
    assert!(denied.is_empty(), "the filter denies {denied:?}");
}

#[test]
fn the_unit_for_uploads_allows_the_system_calls_of_storing() {
    let Some(sets) = needed() else { return };
    let folder = folder();
    let made = made(folder.path(), &["--upload", "--overwrite"], |program| {
        assert_eq!(ask(program, "PUT /new", "content"), "201");
        assert_eq!(ask(program, "PUT /new", "other"), "204");
    });
    let denied: Vec<_> = made.difference(&allowed(&sets, true)).cloned().collect();
    assert!(denied.is_empty(), "the filter denies {denied:?}");
}

#[test]
fn the_debian_package_has_the_units_of_the_page() {
    let page = include_str!("../../../docs/deployment.md");
    for (name, packaged) in [
        (
            "sanserve.socket",
            include_str!("../packages/systemd/sanserve.socket"),
        ),
        (
            "sanserve.service",
            include_str!("../packages/systemd/sanserve.service"),
        ),
    ] {
        let start = format!("`/etc/systemd/system/{name}`:\n\n```ini\n");
        let (_, unit) = page.split_once(&start).expect("the page has the unit");
        let (unit, _) = unit.split_once("```").expect("it ends");
        // A package puts programs there.
        assert_eq!(
            unit.replace("/usr/local/bin/", "/usr/bin/"),
            packaged,
            "{name}"
        );
    }
}
