//! Tests the program without the features `passwords` and `tls`: it serves files, shows no option that it lacks, and refuses
//! such options with the name of the feature.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
#[path = "../../../conformance/tests/tools/inner_build.rs"]
mod inner_build;
mod process;

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use client::{connect, get_hello, site};
use process::Program;

/// Builds the program without both features, and returns its path.
fn build() -> PathBuf {
    let mut cargo = inner_build::cargo(".");
    cargo.args(["build", "--quiet", "--locked", "--package", "sanserve"]);
    let built = cargo.arg("--no-default-features").status();
    assert!(built.expect("cargo can be run").success());
    inner_build::target().join("debug/sanserve")
}

/// Returns the output of the program: what it prints, or its error.
fn output(command: &mut Command) -> String {
    let output = command.output().expect("the program can be run");
    let text = if output.status.success() {
        output.stdout
    } else {
        output.stderr
    };
    String::from_utf8(text).expect("the output is UTF-8")
}

#[test]
fn a_program_without_passwords_and_tls_serves_and_refuses_their_options() {
    let (program, site) = (build(), site());
    let command = || Command::new(&program);

    let serving = Program::start(command().args(["-b", "127.0.0.1", "0"]).arg(site.path()));
    get_hello(&connect(serving.address()));

    for [option, value] in [
        ["--auth", "mary:secret"],
        ["--auth-file", "users"],
        ["--upload-auth", "mary:secret"],
        ["--tls", "self-signed"],
        ["--tls-save", "saved.pem"],
        ["--tls-cert", "cert.pem"],
        ["--tls-key", "key.pem"],
        ["--tls-password-file", "password"],
    ] {
        let (title, feature) = match option.starts_with("--tls") {
            true => ("TLS", "tls"),
            false => ("passwords", "passwords"),
        };
        let refusal = |given: &str| {
            format!(
                "sanserve: error: this sanserve was built without {title}: \
                 leave {given} out, or build it with --features {feature}\n"
            )
        };
        let refused = output(command().args([option, value]));
        assert_eq!(refused, refusal(option));
        let variable = format!("SANSERVE_{}", option[2..].to_uppercase().replace('-', "_"));
        let refused = output(command().env(&variable, value));
        assert_eq!(refused, refusal(&variable));
    }

    for text in ["-h", "--help", "--manpage"] {
        let text = output(command().arg(text)).replace("\\-", "-");
        assert!(text.contains("--upload"), "{text}");
        assert!(
            !text.contains("--auth") && !text.contains("--tls"),
            "{text}"
        );
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = output(command().args(["--completions", shell]));
        assert!(text.contains("archive"), "{text}");
        assert!(!text.contains("auth") && !text.contains("tls"), "{text}");
    }
}

#[test]
fn a_program_without_passwords_lets_everybody_only_upload() {
    let (program, site) = (build(), site());
    let mut command = Command::new(program);
    let command = command.args(["-b", "127.0.0.1", "0", "--upload-only"]);
    let serving = Program::start(command.arg(site.path()));
    let reply = client::get(serving.address(), "/a.txt");
    assert!(reply.starts_with("HTTP/1.1 403 "), "{reply}");
    let reply = put(&connect(serving.address()), "/new.txt");
    assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
}

/// Stores a file, and returns the head of the reply.
fn put(mut socket: &TcpStream, target: &str) -> String {
    write!(
        socket,
        "PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nnew"
    )
    .unwrap();
    client::read_head(socket)
}
