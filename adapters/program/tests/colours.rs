//! Tests the variables `FORCE_COLOR` and `NO_COLOR`, which decide whether the banner and the log are coloured in a
//! pipe.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use client::{get, site};
use process::Program;

/// Requests an existing and a missing file, and returns the banner and the log.
fn printed(variables: &[(&str, &str)]) -> (String, String) {
    let site = site();
    let mut command = Program::command(site.path());
    let command = command.args(["--bind", "127.0.0.1"]);
    let mut program = Program::start(command.envs(variables.iter().copied()));
    let banner = program.banner.clone();
    program.banner = plain(&banner);
    get(program.address(), "/a.txt");
    get(program.address(), "/nope");
    let ended = program.interrupt_after("/nope");
    assert_eq!(ended.stdout, "\nKeyboard interrupt received, exiting.\n");
    (banner, ended.stderr)
}

/// Removes the colour codes.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').unwrap().1);
    first + &rest.collect::<String>()
}

#[test]
fn a_pipe_gets_no_colours() {
    let settings: [&[(&str, &str)]; 4] = [
        &[],
        &[("FORCE_COLOR", "")],
        &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")],
        &[("NO_COLOR", "1")],
    ];
    for variables in settings {
        let (banner, log) = printed(variables);
        assert!(!banner.contains('\x1b') && !log.contains('\x1b'));
    }
}

#[test]
fn force_color_colours_a_pipe() {
    let (banner, log) = printed(&[("FORCE_COLOR", "1"), ("NO_COLOR", ""), ("TERM", "dumb")]);
    assert!(
        banner.starts_with("\x1b[32mServing HTTP on 127.0.0.1 port "),
        "{banner}"
    );
    assert!(
        banner.contains("\x1b[0m (\x1b[36mhttp://127.0.0.1:"),
        "{banner}"
    );
    assert!(banner.ends_with("/\x1b[0m) ...\n"), "{banner}");

    let lines: Vec<_> = log.lines().collect();
    let [found, error, lost] = lines[..] else {
        panic!("{log}");
    };
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("\x1b[90m127.0.0.1 - - ["))
    );
    let end = "]\x1b[0m \"GET \x1b[36m/a.txt\x1b[0m HTTP/1.0\" \x1b[32m200\x1b[0m \x1b[90m-\x1b[0m";
    assert!(found.ends_with(end), "{found}");
    let end = "]\x1b[0m \x1b[33mcode 404, message File not found\x1b[0m";
    assert!(error.ends_with(end), "{error}");
    let end = "]\x1b[0m \"GET \x1b[36m/nope\x1b[0m HTTP/1.0\" \x1b[33m404\x1b[0m \x1b[90m-\x1b[0m";
    assert!(lost.ends_with(end), "{lost}");
    assert!(
        plain(found).ends_with("] \"GET /a.txt HTTP/1.0\" 200 -"),
        "{found}"
    );
}
