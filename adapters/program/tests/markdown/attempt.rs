//! Checks the commands on a page: runs those that serve or hash a password, and looks up the targets, packages and
//! variables of make and cargo.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::{inner_build, root};
use crate::client::get;
use crate::process::Program;
use crate::shell::{folder, shell};

/// Runs the program as on the page, with other ports and paths, until it serves, and interrupts it.
pub(crate) fn serves(command: &str) -> Result<(), String> {
    let folder = folder();
    let browser = folder.path().join("xdg-open");
    fs::write(&browser, "#!/bin/sh\n").unwrap();
    fs::set_permissions(
        &browser,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let here = folder.path().display();
    let words = command.split(' ').map(|word| match word {
        "8000" | "9000" => "0".to_owned(),
        "DIR" | "/srv/www" | "/srv" => "site".to_owned(),
        "FILE" | "report.pdf" => "site/a.txt".to_owned(),
        word if word.starts_with("unix:") => format!("unix:{here}/http"),
        word => word.to_owned(),
    });
    let words: Vec<String> = words.collect();
    let command = words.join(" ").replacen("sanserve", "exec sanserve", 1);
    let mut shell = shell(
        &format!("PATH='{here}':\"$PATH\"; {command}"),
        folder.path(),
    );
    let program = Program::start(&mut shell);
    if !program.banner.starts_with("Serving HTTP") {
        return Err(program.banner.clone() + &program.ends().stderr);
    }
    if let Some((_, url)) = program.banner.split_once("(http://") {
        let path = url.find('/').zip(url.find(')'));
        let (start, end) = path.expect("the URL has a path");
        let reply = get(program.address(), &url[start..end]);
        assert!(
            reply.contains(" 200 ") || reply.contains(" 401 "),
            "{command}: {reply}"
        );
    }
    let ended = program.stop();
    let well = ended.status.success() && !ended.stderr.contains("error:");
    well.then_some(()).ok_or(ended.stderr)
}

pub(crate) fn serves_standard_input(command: &str) -> Result<(), String> {
    let reply = output_of(command, "GET /site/a.txt HTTP/1.0\r\n\r\n")?;
    reply
        .ends_with("\r\n\r\nhello\n")
        .then_some(())
        .ok_or(reply)
}

/// Checks that the server accepts the hash that a command makes of a password, and no other password.
pub(crate) fn is_a_password(command: &str) -> Result<(), String> {
    let hash = output_of(&format!("{command} -stdin"), "a:secret\n")?;
    let folder = folder();
    let file = folder.path().join("users");
    fs::write(&file, format!("mary:{hash}")).unwrap();
    for (password, right) in [("a:secret", true), ("a:Secret", false)] {
        let mut passwords = sanserve_server::Passwords::new().unwrap();
        passwords.read(&file).map_err(|error| error.to_string())?;
        let given = sanserve_core::Credentials::new("mary", password).unwrap();
        assert_eq!(passwords.verify(&given).is_ok(), right, "{password}");
    }
    Ok(())
}

/// Runs a command with this input, and returns its output.
fn output_of(command: &str, input: &str) -> Result<String, String> {
    let folder = folder();
    let mut shell = shell(command, folder.path());
    let mut child = shell
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing is detected by its output.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    stdout_of(&child.wait_with_output().unwrap())
}

pub(crate) fn stdout_of(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    output
        .status
        .success()
        .then(|| text(&output.stdout))
        .ok_or_else(|| text(&output.stderr))
}

pub(crate) fn is_there(folder: &str) -> Result<(), String> {
    root()
        .join(folder)
        .is_dir()
        .then_some(())
        .ok_or_else(|| "there is no such folder".into())
}

/// Checks that make knows the target, and the Makefile the variables.
pub(crate) fn make(words: &[&str]) -> Result<(), String> {
    let mut make = Command::new("make");
    inner_build::isolate(&mut make);
    make.arg("--dry-run")
        .arg("--directory")
        .arg(root())
        .args(words);
    stdout_of(&make.output().unwrap())?;
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let variables = words.iter().filter_map(|word| word.split_once('='));
    let unknown = variables
        .into_iter()
        .find(|(name, _)| !makefile.contains(name));
    unknown.map_or(Ok(()), |(name, _)| {
        Err(format!("the Makefile knows no {name}"))
    })
}

pub(crate) fn is_target(target: &str) -> Result<(), String> {
    let listed = stdout_of(
        &Command::new("rustc")
            .args(["--print", "target-list"])
            .output()
            .unwrap(),
    )?;
    listed
        .lines()
        .any(|line| line == target)
        .then_some(())
        .ok_or_else(|| "there is no such target".into())
}

/// Checks that a test or build script reads this variable.
pub(crate) fn is_variable(variable: &str) -> Result<(), String> {
    let (name, _) = variable.split_once('=').unwrap();
    if let Some(target) = name.strip_prefix("CC_") {
        // A variable of the crate cc: the target with `_` for `-`.
        let target = target.replace('_', "-").replacen('-', "_", 1);
        return is_target(&target);
    }
    let asked = format!("\"{name}\"");
    let files = [
        "examples/component/build.rs",
        "conformance/src/sim/report.rs",
        "conformance/src/suite.rs",
    ];
    let asks =
        |file: &&str| fs::read_to_string(root().join(file)).is_ok_and(|text| text.contains(&asked));
    files
        .iter()
        .any(asks)
        .then_some(())
        .ok_or_else(|| format!("no test reads {name}"))
}

/// Checks that the packages, programs, targets and files of a cargo command exist. Builds nothing.
pub(crate) fn cargo(words: &[&str], folder: &str) -> Result<(), String> {
    let here = root().join(folder);
    let mut metadata = inner_build::cargo(folder);
    metadata.args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]);
    let metadata = stdout_of(&metadata.output().unwrap())?;
    let (cargo_args, passed) = match words.iter().position(|word| *word == "--") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (words, &[][..]),
    };
    let mut rest = cargo_args.iter();
    let verb = *rest.next().unwrap_or(&"");
    while let Some(word) = rest.next() {
        let mut value = || rest.next().copied().unwrap_or_default();
        let known = match *word {
            "--release" => true,
            "--package" => metadata.contains(&format!("\"name\":\"{}\",\"version\"", value())),
            "--bin" => metadata.contains(&format!(
                "\"kind\":[\"bin\"],\"crate_types\":[\"bin\"],\"name\":\"{}\"",
                value()
            )),
            "--target" => is_target(value()).is_ok(),
            "--path" => here.join(value()).join("Cargo.toml").is_file(),
            // A package of the reader.
            "hello" => verb == "test",
            _ => false,
        };
        if !known {
            return Err(format!(
                "cargo is not known to understand {word}, or what follows it"
            ));
        }
    }
    match (verb, passed) {
        ("build" | "install" | "test", [] | ["--nocapture"]) => Ok(()),
        ("run", arguments) => serves(&format!("sanserve {}", arguments.join(" "))),
        _ => Err(format!("no check for cargo {verb}")),
    }
}
