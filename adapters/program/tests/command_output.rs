//! Tests that the `sanserve` commands of the README, of the other pages and of `commands.md` print what the page
//! shows, and that the `curl` commands of the README work.
//!
//! A command follows a `$` in an indented block; the rest of the block is its output, in which `[..]` matches anything
//! within a line. A server gets a request for `/` and is stopped. Ports, times and network addresses are replaced
//! before comparing. `documentation` checks the rest of the pages.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod shell;
mod terminal;

use std::fs;
use std::path::Path;
use std::process::Command;

use client::get;
use process::Program;
use shell::{folder, shell};

/// A command and its output.
type Example<'a> = (&'a str, Vec<&'a str>);

/// Returns all commands of a page that run the program.
fn examples(page: &str) -> Vec<Example<'_>> {
    let mut found: Vec<Example<'_>> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("    ") {
            Some(line) if line.starts_with("$ ") => {
                let command = &line[2..];
                let mut words = command.split(' ');
                let program = words.find(|word| !word.contains('='));
                inside = program == Some("sanserve");
                found.extend(inside.then(|| (command, Vec::new())));
            }
            Some(line) if inside => found.last_mut().unwrap().1.push(line),
            None if inside && line.is_empty() => found.last_mut().unwrap().1.push(""),
            _ => inside = false,
        }
    }
    for (_, lines) in &mut found {
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
    }
    found
}

/// Replaces ports and times in the output of a server by those of the pages.
fn on_paper(text: &str, port: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with("  Network:"));
    let lines = lines.map(|line| {
        let line = line.replace(&format!(":{port}/"), ":8000/");
        let line = line.replace(&format!("port {port} "), "port 8000 ");
        match line.split_once(" - - [") {
            Some((start, rest)) => {
                format!("{start} - - [..]{}", &rest[rest.find(']').unwrap() + 1..])
            }
            None => line,
        }
    });
    lines.collect()
}

/// Runs a command that serves, on a terminal if the page shows the lines for one, and otherwise into a pipe. Returns
/// the output and the expected output.
fn served(command: &str, shown: &[&str], folder: &Path) -> (Vec<String>, Vec<String>) {
    let command = command.replacen("sanserve", "exec sanserve", 1);
    let (text, port) = if shown.iter().any(|line| line.starts_with("  ")) {
        let text = terminal::shown(&mut shell(&command, folder));
        let text = text.replace(&folder.display().to_string(), "/home/me");
        let port = text.split(' ').nth(5).unwrap().to_owned();
        let end = "\n\nKeyboard interrupt received, exiting.\n";
        (text.trim_end_matches(end).to_owned(), port)
    } else {
        let program = Program::start(&mut shell(&command, folder));
        get(program.address(), "/");
        let (banner, port) = (program.banner.clone(), program.address().port());
        (banner + &program.stop().stderr, port.to_string())
    };
    let shown = on_paper(&shown.join("\n"), "8000");
    let printed = on_paper(&text, &port);
    // The test sends HTTP/1.0, and the pages show HTTP/1.1.
    let printed = printed
        .iter()
        .map(|line| line.replace("HTTP/1.0\"", "HTTP/1.1\""));
    (printed.collect(), shown)
}

/// Whether a line matches the page, where `[..]` matches anything.
fn fits(line: &str, shown: &str) -> bool {
    let mut parts = shown.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

fn try_page(name: &str, page: &str) -> usize {
    let examples = examples(page);
    for (command, shown) in &examples {
        let folder = folder();
        let (printed, shown): (Vec<String>, Vec<String>) = if shown[0].starts_with("Serving ") {
            served(command, shown, folder.path())
        } else {
            let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
            let port = taken.local_addr().unwrap().port().to_string();
            let command = format!("exec 2>&1; {command}");
            let mut shell = shell(&command, folder.path());
            let output = shell.env("TAKEN", port).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let printed = text
                .lines()
                .map(|line| line.trim_end().to_owned())
                .collect();
            (
                printed,
                shown.iter().map(|line| (*line).to_owned()).collect(),
            )
        };
        let whole = printed.len() == shown.len();
        let lines = printed.iter().zip(&shown);
        let wrong = lines.clone().find(|(line, shown)| !fits(line, shown));
        assert!(
            whole && wrong.is_none(),
            "{name}: {command}\n{wrong:?}\n--- it prints\n{}\n--- it should\n{}",
            printed.join("\n"),
            shown.join("\n")
        );
    }
    examples.len()
}

#[test]
fn commands_print_what_the_pages_show() {
    assert!(try_page("commands.md", include_str!("commands.md")) >= 10);
    assert_eq!(try_page("README.md", include_str!("../../../README.md")), 1);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for page in fs::read_dir(docs).unwrap() {
        let path = page.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "md") {
            let page = fs::read_to_string(&path).unwrap();
            try_page(&path.display().to_string(), &page);
        }
    }
}

#[test]
fn a_difference_in_the_output_is_found() {
    assert!(fits("port 80 is in use", "port [..] is in use"));
    assert!(fits("abc", "abc") && fits("abc", "a[..]") && fits("", ""));
    assert!(!fits("abcd", "abc") && !fits("abc", "a[..]b") && !fits("abc", "x[..]c"));
}

/// Runs the `curl` commands of the README one after the other.
#[test]
fn a_folder_can_be_downloaded_and_files_uploaded() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "curl is not installed");
        return eprintln!("SKIPPED: curl is not installed");
    }
    let (site, here) = (folder(), folder());
    fs::create_dir(site.path().join("photos")).unwrap();
    fs::write(site.path().join("photos/tree.jpg"), "green").unwrap();
    for name in ["film.mp4", "a.jpg", "b.jpg"] {
        fs::write(here.path().join(name), name).unwrap();
    }
    let options = ["-b", "127.0.0.1", "--archive", "--upload", "--delete"];
    let program = Program::serve(site.path(), &options);
    let port = format!(":{}/", program.address().port());
    let readme = include_str!("../../../README.md").lines();
    let lines = readme.filter(|line| line.starts_with("    curl "));
    for line in lines.clone() {
        let line = line.trim().replacen("curl", "curl --fail --silent", 1);
        let ran = shell(&line.replace(":8000/", &port), here.path()).output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{line}: {ran:?}");
    }
    assert_eq!(lines.count(), 8);
    program.stop();
    let read = |folder: &tempfile::TempDir, name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read(&here, "photos.zip").starts_with(b"PK"));
    assert_eq!(read(&here, "photos/tree.jpg"), b"green");
    for name in ["film.mp4", "a.jpg", "b.jpg"] {
        let path = format!("photos/{name}");
        assert_eq!(read(&site, &path), name.as_bytes());
    }
    assert!(site.path().join("photos/new").is_dir());
    assert!(!site.path().join("photos/tree.jpg").exists());
}
