//! What the program says before it serves, or instead.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sanserve");

/// Runs the program to its end.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(PROGRAM).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn what_cannot_be_is_said_in_one_line() {
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases: &[(i32, &[&str], &str)] = &[
        (1, &[&port], "is in use: try --port "),
        (1, &["0", "-d", "/nope"], "there is no directory /nope"),
        (
            1,
            &["0", "-b", "192.0.2.1"],
            "192.0.2.1 is not an address of this machine",
        ),
        (
            1,
            &["0", "-b", "nope.invalid"],
            "unknown address \"nope.invalid\"",
        ),
        (1, &["0", "-b", ""], "unknown address \"\""),
        (2, &["65536"], "from 0 to 65535"),
        (2, &["-1"], "from 0 to 65535"),
        (2, &["http"], "from 0 to 65535"),
        (2, &["0", "1"], "two ports are given, 0 and 1"),
        (2, &["0", "-p", "1"], "two ports are given, 0 and 1"),
        (2, &["0", "src", "--directory", "tests"], "two directories"),
        (2, &["src", "tests"], "two directories are given, src and"),
        (2, &["0", "src", "1"], "unexpected argument '1'"),
        (2, &["nope"], "there is no directory nope, and a port"),
        (2, &["Cargo.toml"], "Cargo.toml is no directory"),
        (2, &["--port", "http"], "from 0 to 65535"),
        (2, &["-p", "65536"], "from 0 to 65535"),
        (2, &["-p", "HTTP/2"], "HTTP/1.0 or HTTP/1.1"),
        (2, &["--host", "a.example:80"], "without a port, such as"),
        (2, &["--host", ""], "without a port, such as"),
        (2, &["--host", "[192.0.2.1]"], "without a port, such as"),
        (
            2,
            &["--log-format", "xml"],
            "[possible values: python, combined, json]",
        ),
        (2, &["--nope"], "unexpected argument '--nope'"),
        (2, &["--hiden"], "did you mean --hidden?"),
        (
            2,
            &["--runtime", "nope"],
            "invalid value 'nope' for '--runtime",
        ),
        (
            2,
            &["--tls-key", "key"],
            "--tls-key requires --tls-cert to be set",
        ),
        (
            2,
            &["--tls-password-file", "file"],
            "--tls-password-file requires --tls-cert to be set",
        ),
        (
            2,
            &["--tls-cert", "cert", "--tls-password-file", "/nope"],
            "Failed to read TLS password file: /nope: ",
        ),
        (
            2,
            &["--tls", "self-signed", "--tls-cert", "cert"],
            "--tls and --tls-cert are two certificates",
        ),
        (
            2,
            &["--auth", "secret"],
            "--auth is USER:PASSWORD, with a colon",
        ),
        (1, &["--auth", "a:b\n"], "--auth a: user and password have"),
        (1, &["--auth-file", "/nope"], "cannot read /nope: "),
        (1, &["--auth-file", "/dev/null"], "has no user in it"),
        (2, &["--tls", "cert.pem"], "[possible values: self-signed]"),
        (1, &["0", "--tls-cert", "/nope"], "there is no file /nope"),
        (
            1,
            &["0", "--tls-cert", "Cargo.toml"],
            "Cargo.toml has no certificate in it",
        ),
        (2, &["--bind"], "a value is required for '--bind"),
        (2, &["-H"], "a value is required for '--header"),
        (2, &["-H", "A"], "a field is a name and a value"),
        (2, &["-H", "", "a"], "a field's name"),
        (2, &["-H", "A b", "c"], "a field's name"),
        (2, &["-H", "A b: c"], "a field's name"),
        (2, &["-H", "\u{c4}", "c"], "a field's name"),
        (2, &["-H", "A", "b\r\nC: d"], "no control character"),
        (2, &["-H", "A: b\n\nd"], "no control character"),
        (2, &["-H", "A: b\u{1b}"], "no control character"),
        (2, &["-H", "A: \u{20ac}"], "no character above U+00FF"),
        (2, &["-H", "A", "b", "c"], "from 0 to 65535"),
        (2, &["-H", "Transfer-Encoding", "chunked"], "the server"),
        (2, &["--content-type", ""], "a media type"),
        (2, &["--content-type", "a\nb"], "no control character"),
        (2, &["--content-type", "\u{20ac}"], "above U+00FF"),
        (2, &["--charset", "utf 8"], "a name, such as utf-8"),
        (2, &["--cache-control", ""], "such as no-cache"),
        (2, &["--cache-control", "a\nb"], "no control character"),
        (2, &["--cors=https://a.example/"], "without a slash"),
        (2, &["--cors=a.example"], "without a slash"),
        (2, &["--cors", "https://a.example"], "from 0 to 65535"),
        (2, &["--spa", "../a"], "a path below the directory"),
        (2, &["--not-found", "/"], "a path below the directory"),
        (2, &["--cgi-dir", "/"], "a path below the directory"),
        (2, &["--upload", "--cgi"], "cannot be used with"),
        (2, &["--overwrite"], "required arguments"),
        (2, &["--overwrite", "--cgi"], "cannot be used with"),
        (2, &["--overwrite", "--cgi-dir", "a"], "cannot be used with"),
        (2, &["--upload-limit", "1M"], "requires --upload or --cgi"),
        (2, &["--cgi-limit", "3"], "requires --cgi or --cgi-dir"),
        (
            2,
            &["--cgi", "--cgi-limit", "0"],
            "expected a number of at least 1",
        ),
        (
            2,
            &["--cgi-dir", "skr\u{ef}pte"],
            "expected a path in ASCII",
        ),
        (2, &["--upload", "--upload-limit", "1X"], "500K, 20M or 2G"),
        (
            2,
            &["--upload", "--upload-limit", "99999999T"],
            "500K, 20M or 2G",
        ),
        (2, &["--cgi-dir", "a/../b"], "a path below the directory"),
    ];
    for (code, args, words) in cases {
        let (status, stdout, stderr) = run(args);
        assert_eq!((status, &*stdout), (Some(*code), ""), "{args:?}: {stderr}");
        assert!(
            stderr.starts_with("sanserve: error: ") && stderr.contains(words),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn what_can_be_a_port_and_a_directory_is_not_guessed() {
    let here = tempfile::tempdir().unwrap();
    std::fs::create_dir(here.path().join("2024")).unwrap();
    let mut command = Command::new(PROGRAM);
    let output = command.arg("2024").current_dir(here.path()).output();
    let Output { status, stderr, .. } = output.unwrap();
    let line = "sanserve: error: 2024 can be the port and what lies here: \
                say --port 2024 or ./2024\n";
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), &*said), (Some(2), line));
}

#[test]
fn what_is_wrong_in_the_environment_is_named() {
    for (name, value, words) in [
        ("PORT", "tcp://10.0.0.1", "PORT in the environment is tcp:"),
        (
            "SANSERVE_PORT",
            "http",
            "from 0 to 65535, from SANSERVE_PORT",
        ),
        (
            "SANSERVE_HIDDEN",
            "maybe",
            "yes or no, from SANSERVE_HIDDEN",
        ),
        ("SANSERVE_CACHE_CONTROL", "\u{20ac}", "above U+00FF"),
        ("SANSERVE_TLS_KEY", "key", "--tls-key requires"),
    ] {
        let mut command = Command::new(PROGRAM);
        let output = command.env(name, value).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_shell_can_complete_it_and_man_show_it() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (status, script, _) = run(&["--completions", shell]);
        assert_eq!(status, Some(0));
        assert!(script.contains("follow-symlinks"), "{script}");
    }
    let (status, page, _) = run(&["--manpage"]);
    assert_eq!(status, Some(0));
    assert!(
        page.contains(".TH sanserve 1") && page.contains("Exit status"),
        "{page}"
    );
}

#[test]
fn help_fits_a_screen_and_has_examples() {
    let (status, short, stderr) = run(&["-h"]);
    assert_eq!((status, &*stderr), (Some(0), ""));
    assert!(short.lines().count() <= 23, "{short}");
    let (status, long, stderr) = run(&["--help"]);
    assert_eq!((status, &*stderr), (Some(0), ""));
    assert!(
        long.contains("--log-format") && long.contains("--runtime"),
        "{long}"
    );
    assert!(long.contains("SANSERVE_HIDDEN") && long.contains("Exit status:"));
    for (help, examples) in [(short, 2), (long, 4)] {
        let wide = help.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None);
        let found = help.lines().filter(|line| line.starts_with("  sanserve"));
        assert_eq!(found.count(), examples, "{help}");
    }
    let version = format!("sanserve {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), (Some(0), version, String::new()));
}
