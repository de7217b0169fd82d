//! Tests help, manual page, completions and usage errors.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sanserve");

/// Runs the program. Returns its exit code, standard output and standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    finish(Command::new(PROGRAM).args(args))
}

fn finish(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Wrong command lines, with a part of the error message.
const WRONG: &[(&[&str], &str)] = &[
    (
        &["65536"],
        "'65536' is not a port: expected a number from 0 to 65535",
    ),
    (&["-1"], "from 0 to 65535"),
    (
        &["http"],
        "'http' is neither a directory, a file nor a port from",
    ),
    (&["0", "1"], "only one port may be given (got 0 and 1)"),
    (
        &["0", "-p", "1"],
        "only one port may be given (got 0 and 1)",
    ),
    (
        &["src", "--directory", "tests"],
        "only one directory or file may",
    ),
    (
        &["src", "tests"],
        "only one directory or file may be given (got src and",
    ),
    (&["0", "src", "1"], "unexpected argument '1'"),
    (
        &["nope"],
        "'nope' is neither a directory, a file nor a port",
    ),
    (
        &["Cargo.toml", "src"],
        "only one directory or file may be given (got Cargo.toml and",
    ),
    (
        &["Cargo.toml", "--archive"],
        "--archive needs a directory, and 'Cargo.toml' is a file: leave",
    ),
    (
        &["Cargo.toml", "--spa", "a"],
        "--spa needs a directory, and",
    ),
    (&["Cargo.toml", "--not-found", "a"], "--not-found needs a"),
    (&["Cargo.toml", "--clean-urls"], "--clean-urls needs a"),
    (
        &["Cargo.toml", "--precompressed"],
        "--precompressed needs a",
    ),
    (&["Cargo.toml", "--cgi-dir", "a"], "--cgi needs a directory"),
    #[cfg(unix)]
    (&["Cargo.toml", "--upload"], "--upload needs a directory"),
    #[cfg(unix)]
    (&["Cargo.toml", "--delete"], "--delete needs a directory"),
    #[cfg(unix)]
    (
        &["/dev/null"],
        "'/dev/null' is neither a directory nor a regular file",
    ),
    (&["--prefix", "files"], "letters, digits and any of -._~"),
    (&["--prefix", "/"], "letters, digits and any of -._~"),
    (&["--prefix", "/a/../b"], "letters, digits and any of -._~"),
    (&["--prefix", "/a//b"], "letters, digits and any of -._~"),
    (&["--prefix", "/a%20b"], "letters, digits and any of -._~"),
    (
        &["--prefix", "/a", "--cgi"],
        "--prefix cannot be used with --cgi: leave one of them out",
    ),
    (
        &["--mime-types", "/nope"],
        "'/nope' for '--mime-types <FILE>': ",
    ),
    (
        &["--mime-types", "Cargo.toml"],
        "line 1: expected a media type, such as text/plain (got [package])",
    ),
    (
        &[""],
        "an empty argument is neither a port, a directory nor a file",
    ),
    (
        &["127.0.0.1"],
        "to listen on this address, use --bind 127.0.0.1",
    ),
    (&["--directory", ""], "a value is required for '--directory"),
    (
        &["-d", "/nope"],
        "no directory /nope: give another one with --directory",
    ),
    (
        &["-d", "Cargo.toml"],
        "Cargo.toml is not a directory: give another",
    ),
    (
        &["--port", "http"],
        "'http' for '--port <PORT>': expected a number from",
    ),
    (&["-p", "65536"], "from 0 to 65535"),
    (&["-p", "HTTP/2"], "HTTP/1.0 or HTTP/1.1"),
    (&["--protocol", "1.1"], "HTTP/1.0 or HTTP/1.1"),
    (&["--bind"], "a value is required for '--bind"),
    (&["-b", ""], "'' is not an address or a host name: give an"),
    (
        &["-b", "127.0.0.1:9000"],
        "use --bind 127.0.0.1 --port 9000",
    ),
    (&["-b", "[::1]:9000"], "use --bind ::1 --port 9000"),
    (&["-b", "300.0.0.1"], "'300.0.0.1' is not an address"),
    (&["-b", "a b"], "'a b' is not an address"),
    (
        &["-b", "http://localhost"],
        "'http://localhost' is not an address",
    ),
    (
        &["-b", "127.0.0.1", "-b", "unix:"],
        "'--bind unix:' has no path: give",
    ),
    (
        &["-b", "unix:a", "--runtime", "std"],
        "only --runtime mio can listen on a path",
    ),
    (&["--host", "a.example:80"], "without a port, such as"),
    (&["--host", ""], "without a port, such as"),
    (
        &["--proxy-protocol"],
        "--proxy-protocol requires --trust-proxy: add it",
    ),
    (
        &["--proxy-protocol", "--trust-proxy", "unix", "--stdio"],
        "cannot be used with '--proxy-protocol'",
    ),
    (
        &["--tls-save", "x"],
        "--tls-save requires --tls self-signed: add it",
    ),
    (
        &[
            "--tls",
            "self-signed",
            "--tls-save",
            "Cargo.toml",
            "-d",
            "src",
        ],
        "was not written by --tls-save: choose another name",
    ),
    (
        &["--tls", "self-signed", "--tls-save", "src/new", "-d", "src"],
        "the private key in --tls-save src/new is in the served directory",
    ),
    (&["--explain", ""], "expected one line, such as 'GET /path'"),
    (
        &["--explain-header", "A: b"],
        "--explain-header requires --explain: add it",
    ),
    (
        &["--explain", "-", "--explain-header", "A: b"],
        "--explain-header cannot be used with --explain -: add the field to the request",
    ),
    (
        &["--trust-proxy", "localhost"],
        "a network such as 10.0.0.0/8, or",
    ),
    (&["--trust-proxy", "10.0.0.0/33"], "a network such as"),
    (&["--host", "[192.0.2.1]"], "without a port, such as"),
    (
        &["--log-format", "xml"],
        "[possible values: python, combined, json]",
    ),
    (
        &["--record", "/nope/a"],
        "cannot create /nope/a for --record: ",
    ),
    (
        &["--record-limit", "1M"],
        "--record-limit requires --record: add it",
    ),
    (
        &["--record-secret", "a"],
        "--record-secret requires --record: add it",
    ),
    (&["--nope"], "unexpected argument '--nope'"),
    (&["--hiden"], "did you mean --hidden?"),
    (
        &["--runtime", "nope"],
        "invalid value 'nope' for '--runtime",
    ),
    (
        &["--stdio", "8000"],
        "cannot be used with '[PORT]': leave one of them out",
    ),
    (&["--tls", "cert.pem"], "[possible values: self-signed]"),
    (
        &["--tls", "self-signed", "--tls-cert", "cert"],
        "--tls cannot be used with --tls-cert: leave",
    ),
    (&["--tls-cert", "/nope"], "there is no file /nope"),
    (&["--tls-cert", "src"], "cannot read the file src: "),
    (
        &["--tls-cert", "Cargo.toml"],
        "Cargo.toml contains no certificate",
    ),
    (
        &["--tls-key", "key"],
        "--tls-key requires --tls-cert to be set",
    ),
    (
        &["--tls-password-file", "file"],
        "--tls-password-file requires --tls-cert to be set",
    ),
    (
        &["--tls-cert", "cert", "--tls-password-file", "/nope"],
        "Failed to read TLS password file: /nope: ",
    ),
    (
        &["--auth", "secret"],
        "--auth: expected USER:PASSWORD, with a colon",
    ),
    (
        &["--auth", ""],
        "--auth: expected USER:PASSWORD, with a colon",
    ),
    (&["--auth", ":"], "the password is empty: choose one"),
    (
        &["--auth", "mary:"],
        "--auth 'mary:...': the password is empty",
    ),
    (&["--auth", ":secret"], "the user has no name: write one"),
    (
        &["--auth", "a:b\n"],
        "--auth 'a:...': user and password must have",
    ),
    (
        &["--auth", "a:b", "--auth", "a:c"],
        "--auth 'a:...': there is another",
    ),
    (&["--auth-file", "/nope"], "cannot read /nope: "),
    (
        &["--auth-file", "/dev/null"],
        "--auth-file /dev/null contains no user: add",
    ),
    (
        &["--auth", "a:b", "--auth-file", "/dev/null"],
        "contains no user: add",
    ),
    (&["-H"], "a value is required for '--header"),
    (&["-H", "A"], "expected NAME VALUE, or 'NAME: VALUE'"),
    (&["-H", "", "a"], "a header name has only"),
    (&["-H", "A b", "c"], "a header name has only"),
    (&["-H", "A b: c"], "a header name has only"),
    (&["-H", "\u{c4}", "c"], "a header name has only"),
    (&["-H", "A", "b\r\nC: d"], "a control character"),
    (&["-H", "A: b\n\nd"], "a control character"),
    (&["-H", "A: b\u{1b}"], "a control character"),
    (&["-H", "A: \u{20ac}"], "a character above U+00FF"),
    (&["-H", "A", "b", "c"], "from 0 to 65535"),
    (
        &["-H", "Transfer-Encoding", "chunked"],
        "only the server may set how",
    ),
    (
        &["-H", "Content-Length: 5"],
        "'Content-Length: 5' for '--header",
    ),
    (
        &["-H", "content-range: bytes 0-1/2"],
        "only the server may set",
    ),
    (&["-H", "CONNECTION", "close"], "only the server may set"),
    (&["-H", "Keep-Alive: timeout=5"], "only the server may set"),
    (&["-H", "Trailer: A"], "only the server may set"),
    (&["-H", "Upgrade: h2c"], "only the server may set"),
    (
        &["-H", "ETag: \"a\""],
        "the server sends its own, which caches",
    ),
    (
        &["-H", "Last-Modified: never"],
        "the server sends its own, which caches",
    ),
    (
        &["-H", "Accept-Ranges: none"],
        "the server sends its own, which caches",
    ),
    (
        &["-H", "Date: now"],
        "the server sends its own with every reply: leave",
    ),
    (
        &["-H", "Server: me"],
        "the server sends its own with every reply",
    ),
    (
        &["-H", "Content-Type: a/b"],
        "use --content-type or --charset",
    ),
    (
        &["--content-type", ""],
        "expected a media type, such as text/plain",
    ),
    (&["--content-type", "text"], "expected a media type"),
    (&["--content-type", "text/ ;a=b"], "expected a media type"),
    (&["--content-type", "a\nb"], "a control character"),
    (&["--content-type", "\u{20ac}"], "above U+00FF"),
    (&["--charset", "utf 8"], "a name, such as utf-8"),
    (
        &["--cache-control", ""],
        "expected directives, such as no-cache",
    ),
    (&["--cache-control", "a\nb"], "a control character"),
    (&["--cors=https://a.example/"], "without a trailing slash"),
    (&["--cors=a.example"], "without a trailing slash"),
    (&["--cors", "https://a.example"], "from 0 to 65535"),
    (
        &["--spa", "../a"],
        "expected a path below the served directory",
    ),
    (
        &["--not-found", "/"],
        "expected a path below the served directory",
    ),
    (
        &["--cgi-dir", "/"],
        "expected a path below the served directory",
    ),
    (&["--cgi-dir", "a/../b"], "expected a path below the served"),
    (&["--cgi-dir", "skr\u{ef}pte"], "expected a path in ASCII"),
    (
        &["--upload", "--cgi"],
        "'--upload' cannot be used with '--cgi'",
    ),
    (&["--overwrite"], "--overwrite requires --upload: add it"),
    #[cfg(unix)]
    (
        &["--upload-auth", "mary:secret"],
        "--upload-auth requires --upload or --delete: add one of them",
    ),
    #[cfg(unix)]
    (
        &["--upload", "--upload-auth", "secret"],
        "--upload-auth: expected USER:PASSWORD, with a colon",
    ),
    #[cfg(unix)]
    (
        &["--upload", "--upload-auth", "a:b", "--auth", "a:c"],
        "--upload-auth 'a:...': there is another password for this user",
    ),
    #[cfg(unix)]
    (
        &["--upload-only", "--upload-auth", "mary:secret"],
        "'--upload-only' cannot be used with '--upload-auth",
    ),
    #[cfg(unix)]
    (
        &["--upload-only", "--cgi"],
        "'--upload-only' cannot be used with '--cgi'",
    ),
    (&["--overwrite", "--cgi"], "cannot be used with"),
    (&["--overwrite", "--cgi-dir", "a"], "cannot be used with"),
    (&["--delete", "--cgi"], "cannot be used with"),
    (
        &["--compress", "--plain"],
        "'--compress' cannot be used with '--plain'",
    ),
    (
        &["--overwrite", "--upload-limit", "5"],
        "--overwrite requires --upload: add it",
    ),
    (
        &["--upload-limit", "1M"],
        "--upload-limit requires --upload or --cgi: add one",
    ),
    (&["--upload", "--upload-limit", "1X"], "500K, 20M or 2G"),
    (
        &["--upload", "--upload-limit", "99999999T"],
        "500K, 20M or 2G",
    ),
    (
        &["--cgi-limit", "3"],
        "--cgi-limit requires --cgi or --cgi-dir: add one",
    ),
    (
        &["--cgi", "--cgi-limit", "0"],
        "expected a number of at least 1",
    ),
    (
        &["--completions", "sh"],
        "[possible values: bash, elvish, fish, powershell, zsh]",
    ),
    (
        &["--quiet", "--quiet"],
        "'--quiet' cannot be used multiple times",
    ),
];

/// Returns the long names of all options, and whether each takes a value.
fn all_options() -> Vec<(String, bool)> {
    let (_, help, _) = run(&["--help"]);
    let lines = help.lines().filter_map(|line| {
        let (_, option) = line.trim_start().split_once("--")?;
        let is_head = line.trim_start().starts_with('-') && line.starts_with("  ");
        let name = option.split([' ', '[', '=']).next()?;
        is_head.then(|| (format!("--{name}"), option.contains('<')))
    });
    lines.collect()
}

/// The port is in use, so a program that listened before checking the options would report that instead.
#[test]
fn a_usage_error_is_one_line_and_binds_nothing() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let wrong = |args: &[&str], words: &str| {
        let mut command = Command::new(PROGRAM);
        let command = command.env("PORT", &port).env("HOST", "127.0.0.1");
        let (status, stdout, stderr) = finish(command.args(args));
        assert_eq!((status, &*stdout), (Some(2), ""), "{args:?}: {stderr}");
        let line = stderr.strip_prefix("sanserve: error: ").unwrap();
        assert!(line.contains(words), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    };
    for (args, words) in WRONG {
        wrong(args, words);
    }
    let options = all_options();
    assert!(options.len() >= 41, "{options:?}");
    for (option, has_value) in options {
        if has_value {
            let short = match &*option {
                "--bind" => "-b",
                "--directory" => "-d",
                "--header" => "-H",
                _ => &*option,
            };
            let is_wrong = |args: &[&str]| {
                let mut names = args.iter().map(|arg| arg.split('=').next().unwrap());
                names.any(|name| name == option || name == short)
            };
            assert!(WRONG.iter().any(|(args, _)| is_wrong(args)), "{option}");
        } else if option != "--help" && option != "--version" {
            let words = format!("'{option}' takes no value (got 'x'): leave");
            wrong(&[&format!("{option}=x")], &words);
        }
    }
}

#[test]
fn a_listen_error_is_one_line() {
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&[&port], "is in use: try --port "),
        (
            &["0", "-b", "192.0.2.1"],
            "192.0.2.1 is not an address of this machine",
        ),
        (
            &["0", "-b", "nope.invalid"],
            "unknown address 'nope.invalid'",
        ),
        #[cfg(unix)]
        (
            &["-b", "unix:/nope/socket"],
            "cannot listen on /nope/socket: ",
        ),
    ];
    for (args, words) in cases {
        let (status, stdout, stderr) = run(args);
        assert_eq!((status, &*stdout), (Some(1), ""), "{args:?}: {stderr}");
        assert!(
            stderr.starts_with("sanserve: error: ") && stderr.contains(words),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

/// Only a build with tokio offers it; otherwise the error says how to get it.
#[test]
fn only_built_in_runtimes_are_offered() {
    let (_, _, stderr) = run(&["--runtime", "nope"]);
    let (_, help, _) = run(&["--help"]);
    let (_, page, _) = run(&["--manpage"]);
    let has_tokio = cfg!(feature = "tokio");
    for text in [stderr, help, page] {
        assert_eq!(text.contains("tokio"), has_tokio, "{text}");
    }
    if !has_tokio {
        let (status, _, stderr) = run(&["--runtime", "tokio"]);
        assert_eq!(status, Some(2));
        assert!(
            stderr.contains("build it with --features tokio"),
            "{stderr}"
        );
    }
}

/// A full disk is an error; a closed pipe is not, since its reader has read enough.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    for option in [
        "--help",
        "-h",
        "--version",
        "--manpage",
        "--completions=bash",
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = Command::new(PROGRAM);
        let command = command.arg(option).stdout(full.unwrap());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{option}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(PROGRAM);
        let status = command.arg(option).stdout(writer).status().unwrap();
        assert_eq!(status.code(), Some(0), "{option}");
    }
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = Command::new(PROGRAM);
    command
        .arg("--help")
        .stdout(full.unwrap())
        .stderr(std::process::Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("sanserve: error: cannot write to standard output: ")
            && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn a_name_that_is_a_port_and_a_directory_is_refused() {
    let here = tempfile::tempdir().unwrap();
    std::fs::create_dir(here.path().join("2024")).unwrap();
    let mut command = Command::new(PROGRAM);
    let output = command.arg("2024").current_dir(here.path()).output();
    let Output { status, stderr, .. } = output.unwrap();
    let line = "sanserve: error: '2024' is ambiguous: use --port 2024 or ./2024\n";
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), &*stderr), (Some(2), line));
}

#[test]
fn an_error_names_the_variable() {
    for (name, value, words) in [
        ("PORT", "tcp://10.0.0.1", "PORT in the environment is 'tcp:"),
        (
            "SANSERVE_DIRECTORY",
            "nodir",
            "SANSERVE_DIRECTORY in the environment is 'nodir'",
        ),
        (
            "SANSERVE_BIND",
            "127.0.0.1:80",
            "use --bind 127.0.0.1 --port 80",
        ),
        ("SANSERVE_OVERWRITE", "yes", "--overwrite requires --upload"),
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
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains(words) && stderr.lines().count() == 1,
            "{stderr}"
        );
    }
    // Of two conflicting options, the message names the variable of the one that is not on the command line.
    let mut command = Command::new(PROGRAM);
    let (status, _, stderr) = finish(command.env("SANSERVE_UPLOAD", "yes").arg("--cgi"));
    assert_eq!(status, Some(2));
    assert!(stderr.contains("from SANSERVE_UPLOAD") && !stderr.contains("SANSERVE_CGI"));
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (status, script, _) = run(&["--completions", shell]);
        assert_eq!(status, Some(0));
        assert!(script.contains("follow-symlinks"), "{script}");
    }
}

/// Runs a formatter or checker on the manual page. Returns its standard output and standard error, or `None` if it is
/// not installed.
#[cfg(unix)]
fn formatted(tool: &str, args: &[&str]) -> Option<(String, String)> {
    let (status, page, _) = run(&["--manpage"]);
    assert_eq!(status, Some(0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sanserve.1");
    std::fs::write(&path, page).unwrap();
    let Ok(output) = Command::new(tool).args(args).arg(&path).output() else {
        eprintln!("skipped: {tool} is not installed");
        return None;
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some((text(output.stdout), text(output.stderr)))
}

#[cfg(unix)]
#[test]
fn the_manual_page_has_a_text_for_every_option() {
    let plain = ["-man", "-Tascii", "-ww", "-P-c", "-P-b", "-P-o", "-P-u"];
    let Some((page, stderr)) = formatted("groff", &plain) else {
        return;
    };
    assert_eq!(stderr, "");
    let lines: Vec<&str> = page.lines().collect();
    let options = all_options();
    assert!(options.len() >= 41, "{options:?}");
    for (option, _) in options {
        let is_head = |line: &&str| {
            let head = line.strip_prefix("       ").unwrap_or_default();
            let mut names = head.split([' ', ',', '[', '=']);
            head.starts_with('-') && names.any(|name| name == option)
        };
        let at = lines.iter().position(is_head);
        let at = at.unwrap_or_else(|| panic!("{option} is not in\n{page}"));
        // The text of a short name is on the same line.
        let beside = lines[at].get(14..).unwrap_or_default();
        let below = lines[at + 1].strip_prefix("              ");
        let has_text = |text: &str| text.starts_with(|char: char| char.is_alphabetic());
        let found = below.is_some_and(has_text) || lines[at].len() > 14 && has_text(beside);
        assert!(found, "{option} has no text in\n{page}");
    }
    for heading in [
        "NAME",
        "SYNOPSIS",
        "OPTIONS",
        "EXAMPLES",
        "ENVIRONMENT",
        "EXIT STATUS",
    ] {
        assert!(lines.contains(&heading), "{heading} is not in\n{page}");
    }
    // Each example of the help has its own line.
    let (_, help, _) = run(&["--help"]);
    let examples = help.lines().filter_map(|line| {
        let example = line.strip_prefix("  ")?.split("  ").next()?;
        example.starts_with("sanserve").then_some(example)
    });
    let examples: Vec<&str> = examples.collect();
    assert!(examples.len() >= 3, "{examples:?}");
    for example in examples {
        let is_there = lines.iter().any(|line| line.trim() == example);
        assert!(is_there, "{example} is not on a line of its own in\n{page}");
    }
    let version = format!("sanserve {}", env!("CARGO_PKG_VERSION"));
    assert!(
        lines.iter().any(|line| line.starts_with(&version)),
        "{page}"
    );
}

#[cfg(unix)]
#[test]
fn the_manual_page_passes_lexgrog_and_mandoc() {
    // The line for whatis(1) and apropos(1).
    if let Some((found, _)) = formatted("lexgrog", &[]) {
        let end = ": \"sanserve - serve the files of a directory over HTTP\"\n";
        assert!(found.ends_with(end), "{found}");
    }
    if let Some((found, stderr)) = formatted("mandoc", &["-T", "lint", "-W", "warning"]) {
        let found = found + &stderr;
        // The page has a version instead of a date, which causes this warning.
        let mut warnings = found.lines().filter(|line| !line.is_empty());
        assert!(
            warnings.all(|line| line.contains("missing date")),
            "{found}"
        );
    }
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
