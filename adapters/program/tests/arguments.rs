//! Tests the ways to give port, address, directory and other options: on the command line and in the environment.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use client::get;
use process::{PROGRAM, Program};

/// Environment variables, as pairs of name and value.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// The program with these variables, and without others that it would read.
fn command(variables: Variables<'_>, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for name in ["PORT", "HOST", "FORCE_COLOR"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).args(args);
    command
}

#[test]
fn a_port_can_be_given_in_many_ways() {
    // The error names the port that the program tried to listen on.
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = &*taken.local_addr().unwrap().port().to_string();
    let (attached, with_sign) = (format!("-p{port}"), format!("--port={port}"));
    let (other, clear) = (("PORT", "1"), ("SANSERVE_PORT", port));
    let cases: [(Variables<'_>, &[&str]); 12] = [
        (&[], &[port]),
        (&[], &["src", port]),
        (&[], &["--port", port]),
        (&[], &[&with_sign]),
        (&[], &["-p", port]),
        (&[], &[&attached]),
        (&[], &["-p", "HTTP/1.1", "-p", port]),
        (&[("PORT", port)], &[]),
        (&[("PORT", port)], &["src"]),
        (&[clear, other], &[]),
        (&[other, ("SANSERVE_PORT", "1")], &[port]),
        (&[other, ("SANSERVE_PORT", "1")], &["-p", port, "-q"]),
    ];
    for (variables, args) in cases {
        let output = command(variables, args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let words = format!("port {port} on 0.0.0.0 is in use");
        assert!(stderr.contains(&words), "{variables:?} {args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(1));
    }
}

/// A folder with two directories, each with a file that has its name as content.
fn folders() -> tempfile::TempDir {
    let above = tempfile::tempdir().unwrap();
    for name in ["one", "2024"] {
        fs::create_dir(above.path().join(name)).unwrap();
        fs::write(above.path().join(name).join("name"), name).unwrap();
    }
    above
}

#[test]
fn a_directory_can_be_given_in_many_ways() {
    let above = folders();
    let one = above.path().join("one").display().to_string();
    let environment = ("SANSERVE_DIRECTORY", "one");
    let cases: [(Variables<'_>, &[&str], &str); 9] = [
        (&[], &["0", "one"], "one"),
        (&[], &["one", "0"], "one"),
        (&[], &["one", "-p", "0"], "one"),
        (&[], &["./2024", "--port", "0"], "2024"),
        (&[], &["0", &one], "one"),
        (&[], &["0", "-d", "one"], "one"),
        (&[environment], &["0"], "one"),
        (&[environment], &["0", "./2024"], "2024"),
        (&[environment], &["0", "-d", "2024"], "2024"),
    ];
    for (variables, args, name) in cases {
        let mut command = command(variables, args);
        let program = Program::start(command.current_dir(above.path()));
        let reply = get(program.address(), "/name");
        assert!(reply.ends_with(&format!("\n{name}")), "{args:?}: {reply}");
        program.stop();
    }
}

#[test]
fn the_environment_sets_options_missing_on_the_command_line() {
    let above = folders();
    fs::write(above.path().join(".secret"), "").unwrap();
    let hidden = ("SANSERVE_HIDDEN", "yes");
    let field = ("SANSERVE_CACHE_CONTROL", "no-cache");
    let cases: [(Variables<'_>, &[&str], &str); 6] = [
        (&[hidden], &[], "HTTP/1.1 200 "),
        (&[("SANSERVE_HIDDEN", "no")], &[], "HTTP/1.1 404 "),
        (&[("SANSERVE_HIDDEN", "")], &[], "HTTP/1.1 404 "),
        (&[hidden, field], &[], "\nCache-Control: no-cache\r\n"),
        (
            &[hidden, field],
            &["--cache-control", "no-store"],
            "\nCache-Control: no-store\r\n",
        ),
        (
            &[hidden, ("SANSERVE_PROTOCOL", "HTTP/1.0")],
            &["-p", "0"],
            "HTTP/1.0 200 ",
        ),
    ];
    for (variables, args, words) in cases {
        let mut command = command(&[("PORT", "0")], args);
        command.envs(variables.iter().copied());
        let program = Program::start(command.current_dir(above.path()));
        let reply = get(program.address(), "/.secret");
        assert!(reply.contains(words), "{variables:?} {args:?}: {reply}");
        program.stop();
    }
}

#[test]
fn host_in_the_environment_must_be_an_address() {
    let listens_at = |variables: Variables<'_>, args: &[&str]| {
        let mut command = command(&[("PORT", "0")], args);
        let program = Program::start(command.envs(variables.iter().copied()));
        let banner = program.banner.clone();
        program.stop();
        banner.split(' ').nth(3).unwrap_or_default().to_owned()
    };
    let local = [("HOST", "127.0.0.1")];
    assert_eq!(listens_at(&local, &[]), "127.0.0.1");
    assert_eq!(listens_at(&local, &["-b", "0.0.0.0"]), "0.0.0.0");
    // The value that conda sets.
    assert_eq!(
        listens_at(&[("HOST", "x86_64-conda-linux-gnu")], &[]),
        "0.0.0.0"
    );
}

/// A variable with the version is common in images.
#[test]
fn help_and_version_cannot_be_set_in_the_environment() {
    let above = folders();
    let variables = [("SANSERVE_VERSION", "0.1.0"), ("SANSERVE_HELP", "yes")];
    let mut command = command(&variables, &["0", "one"]);
    let program = Program::start(command.current_dir(above.path()));
    assert!(get(program.address(), "/name").ends_with("\none"));
    program.stop();
}

#[test]
fn stdio_ignores_irrelevant_variables() {
    let mut command = command(&[("PORT", "9"), ("SANSERVE_BIND", "::1")], &["--stdio"]);
    let output = command.current_dir(Path::new(".")).output().unwrap();
    assert!(output.stderr.is_empty() && output.status.success());
}

/// Otherwise the server would start, and answer every request with an error. Root may enter any directory, so the test
/// runs the program as nobody.
#[test]
fn an_inaccessible_directory_is_an_error_at_the_start() {
    let above = folders();
    let (program, closed) = (above.path().join("program"), above.path().join("one"));
    let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
    assert!(copied.unwrap().success());
    fs::set_permissions(above.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new(program);
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    // With --stdio and an empty input the program ends even if the check is missing.
    command
        .args(["--stdio", "-d"])
        .arg(&closed)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("no permission to enter "), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}
