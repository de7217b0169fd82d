//! Tests which key and password files the program refuses: those in the served directory, and endless ones.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use process::{PROGRAM, Program};
use rustix::process::Signal;
use tempfile::TempDir;

/// Creates a folder with an empty `site`, and with a certificate, its key and users in each of these folders.
fn folder(directories: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    fs::create_dir(folder.path().join("site")).unwrap();
    for directory in directories {
        let directory = folder.path().join(directory);
        fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
        write("cert.pem", &cert);
        write("key.pem", &key);
        write("both.pem", &format!("{key}{cert}"));
        write("password", "none is needed\n");
        write("users", "mary:secret\n");
    }
    folder
}

/// Runs the program with these arguments in the folder, and returns its error. It never serves, since the address does
/// not exist.
fn complaint(folder: &Path, line: &str) -> String {
    complaint_with(folder, line, ("NO_COLOR", "1"))
}

/// Like [`complaint`], with an environment variable.
fn complaint_with(folder: &Path, line: &str, variable: (&str, &str)) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["0", "-b", "192.0.2.1"]).args(line.split(' '));
    command
        .envs([variable])
        .current_dir(folder)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    let code = if message.contains(NO_ADDRESS) { 1 } else { 2 };
    assert_eq!(output.status.code(), Some(code), "{line}: {message}");
    assert_eq!(message.lines().count(), 1, "{line}: {message}");
    message
}

const NO_ADDRESS: &str = "not an address of this machine";

/// The error for a secret in the served directory.
fn refusal(what: &str) -> String {
    format!(
        "sanserve: error: {what} is in the served directory, where every client could read it: \
         move it, or serve another directory\n"
    )
}

#[test]
fn a_secret_in_the_served_directory_is_refused() {
    let folder = folder(&["site", "site/.hidden", "site/a/b"]);
    for (line, what) in [
        ("site --auth-file site/users", "--auth-file site/users"),
        (
            "site --tls-cert site/cert.pem --tls-key site/key.pem",
            "--tls-key site/key.pem",
        ),
        (
            "site --tls-cert site/both.pem",
            "the private key in --tls-cert site/both.pem",
        ),
        (
            "site --tls-cert site/cert.pem --tls-password-file site/password",
            "--tls-password-file site/password",
        ),
        // At any depth, hidden or not, with any spelling of the path.
        (
            "site --auth-file site/a/b/users",
            "--auth-file site/a/b/users",
        ),
        (
            "site --auth-file site/.hidden/users",
            "--auth-file site/.hidden/users",
        ),
        (
            "site --auth-file site/../site/users",
            "--auth-file site/../site/users",
        ),
        (". --auth-file site/users", "--auth-file site/users"),
    ] {
        assert_eq!(complaint(folder.path(), line), refusal(what), "{line}");
    }
}

#[test]
fn an_endless_secret_file_is_refused() {
    let folder = folder(&["."]);
    let folder = folder.path();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("pipe"), mode).unwrap();
    let large = fs::File::create(folder.join("large")).unwrap();
    large.set_len(4 << 30).unwrap();
    // The program would search it for a key.
    fs::hard_link(folder.join("large"), folder.join("site/large")).unwrap();
    let options = [
        "--auth-file @",
        "--tls-cert @",
        "--tls-cert cert.pem --tls-key @",
        "--tls-cert both.pem --tls-password-file @",
    ];
    let files = [
        ("/dev/zero", "it is larger than 1 MiB: give the right file"),
        ("large", "it is larger than 1 MiB: give the right file"),
        ("site/large", ""),
        ("site", "it is a directory: give a file"),
        (
            "pipe",
            "no process has opened this pipe for writing: start the one that writes to it first",
        ),
    ];
    // The program waits for a pipe.
    thread::scope(|scope| {
        for (option, (file, words)) in options.iter().flat_map(|it| files.map(|file| (it, file))) {
            scope.spawn(move || {
                let message = complaint(folder, &format!("site {}", option.replace('@', file)));
                assert!(
                    message.contains(file) && message.contains(words),
                    "{option}: {message}"
                );
                assert!(!message.contains(NO_ADDRESS), "{option}: {message}");
            });
        }
    });
}

#[test]
fn a_secret_is_found_behind_links() {
    let folder = folder(&["site", "keys"]);
    let link = |target: &str, name: &str| symlink(target, folder.path().join(name)).unwrap();
    link("site", "also-site");
    link("site/users", "users");
    link("../keys/users", "site/elsewhere");
    link("../keys", "site/folder");
    link("site/elsewhere", "twice");
    for line in [
        "also-site --auth-file site/users",
        "site --auth-file also-site/users",
        "site --auth-file users",
        // Served only with --follow-symlinks.
        "site --follow-symlinks --auth-file site/elsewhere",
        "site --follow-symlinks --auth-file site/folder/users",
        "site --follow-symlinks --auth-file twice",
    ] {
        let file = line.rsplit(' ').next().unwrap();
        let what = format!("--auth-file {file}");
        assert_eq!(complaint(folder.path(), line), refusal(&what), "{line}");
    }
}

#[test]
fn an_unreachable_secret_is_accepted() {
    let folder = folder(&["site", "site-keys", "keys"]);
    symlink("../keys/users", folder.path().join("site/elsewhere")).unwrap();
    for line in [
        "site --auth-file keys/users",
        // The folder's name starts with that of the served directory.
        "site --auth-file site-keys/users",
        "site --auth-file site/../keys/users",
        "site --follow-symlinks --auth-file site/../keys/users",
        "site --auth-file site/elsewhere",
        // A certificate is public.
        "site --tls-cert site/cert.pem --tls-key keys/key.pem",
    ] {
        let message = complaint(folder.path(), line);
        assert!(
            message.contains("not an address of this machine"),
            "{line}: {message}"
        );
    }
}

#[test]
fn a_secret_named_in_the_environment_is_refused_too() {
    let folder = folder(&["site"]);
    let message = complaint_with(folder.path(), "site", ("SANSERVE_AUTH_FILE", "site/users"));
    assert_eq!(message, refusal("--auth-file site/users"));
}

#[test]
fn a_socket_in_the_served_directory_is_accepted() {
    let folder = folder(&["keys"]);
    let mut command = Command::new(PROGRAM);
    command.args([
        "-d",
        "site",
        "-b",
        "unix:site/http",
        "--auth-file",
        "keys/users",
    ]);
    let program = Program::start(command.current_dir(folder.path()));
    assert_eq!(program.banner, "Serving HTTP on unix:site/http ...\n");
    program.signal(Signal::TERM);
    assert!(program.ends().status.success());
}
