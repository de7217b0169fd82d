//! Tests the pages of the repository: their commands, code blocks, links and options, and the names of tests and cases.
//!
//! Commands that serve are run here; for make, cargo and rustup, the targets, packages and variables are looked up.
//! Every other command is listed, with the test that runs it or the reason why none can. A command that is neither run,
//! looked up nor listed fails the test, as does a list entry that is on no page. Rust code must be
//! on a page that is compiled as doctests; `markdown` checks configuration files and Python programs.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod markdown;
mod process;
mod shell;

use std::fs;
use std::path::Path;

use markdown::attempt::{
    cargo, is_a_password, is_target, is_there, is_variable, make, serves, serves_standard_input,
};
use markdown::{Page, all, blocks, root, split};

/// Commands, by prefix, with the file and the name of the test that runs them.
const ELSEWHERE: [(&str, &str, &str); 17] = [
    (
        "cc -I adapters/c/include examples/c/ready.c ",
        "adapters/c/tests/c.rs",
        "the_ready_server_serves_in_three_calls",
    ),
    (
        "sanserve --directory site --record ",
        "adapters/program/tests/record.rs",
        "a_replay_is_equal_to_what_was_recorded",
    ),
    (
        "cargo run --package sanserve-conformance --bin sanserve-replay",
        "conformance/tests/recording.rs",
        "the_command_prints_the_differences_and_exits_with_1",
    ),
    (
        "curl -r 0-16 ",
        "conformance/tests/firmware.rs",
        "runs_as_documented",
    ),
    (
        "cargo run --release --bin ethernet",
        "conformance/tests/firmware.rs",
        "runs_as_documented",
    ),
    (
        "curl ",
        "adapters/program/tests/command_output.rs",
        "a_folder_can_be_downloaded_and_files_uploaded",
    ),
    (
        "sanserve --directory site --hidden",
        "adapters/program/tests/command_output.rs",
        "commands_print_what_the_pages_show",
    ),
    (
        "sanserve 2024",
        "adapters/program/tests/command_output.rs",
        "commands_print_what_the_pages_show",
    ),
    (
        "sanserve site.zip",
        "adapters/program/tests/zip.rs",
        "an_archive_is_served_like_a_directory",
    ),
    (
        "wasmtime run ",
        "conformance/tests/wasi_program.rs",
        "it_serves_as_documented",
    ),
    (
        "wasmtime serve ",
        "conformance/tests/wasi_http.rs",
        "the_example_serves_as_documented",
    ),
    (
        "make browser",
        "conformance/tests/browser/appearance.rs",
        "the_documented_command_builds_and_serves_it",
    ),
    (
        "cargo run --package sanserve-examples --bin replay",
        "examples/tests/run.rs",
        "a_transcript_is_replayed",
    ),
    (
        "cargo install --path adapters/program --no-default-features",
        "adapters/program/tests/without_features.rs",
        "a_program_without_passwords_and_tls_serves_and_refuses_their_options",
    ),
    (
        "wget -r ",
        "adapters/program/tests/crawlers.rs",
        "wget_and_httrack_fetch_each_file_once",
    ),
    (
        "htpasswd -B",
        "adapters/tests/passwords.rs",
        "hashes_of_other_tools_are_verified_and_remembered",
    ),
    (
        "systemd-analyze security",
        "adapters/program/tests/documentation.rs",
        "every_block_is_run",
    ),
];

/// Commands that are not run, with the reason.
const NOT_HERE: [(&str, &str); 27] = [
    (
        "systemctl enable --now sanserve.socket",
        "needs systemd as the first process; the units are verified",
    ),
    (
        "systemctl reload sanserve",
        "needs systemd as the first process; what SIGHUP does is in reload.rs",
    ),
    (
        "docker build --tag sanserve .",
        "needs Docker; each line of the file is checked",
    ),
    (
        "docker run --read-only --cap-drop ALL --publish 8000:8000 --volume /srv/www:/srv:ro sanserve",
        "needs Docker; what the image runs is run",
    ),
    (
        "docker stop",
        "needs Docker; what SIGTERM does is in serving.rs",
    ),
    (
        "npx @bytecodealliance/jco serve sanserve_component.wasm",
        "needs a package of npm; the page says that it was run by hand",
    ),
    ("spin up", "needs Spin; the page says that it was not run"),
    ("spin registry push", "needs Spin and a registry"),
    (
        "wash app deploy wadm.yaml",
        "needs wasmCloud; the page says that it was not run",
    ),
    ("wash push", "needs wasmCloud and a registry"),
    ("kubectl apply", "needs a cluster"),
    (
        "cargo publish --package",
        "publishes; make package creates the packages",
    ),
    (
        "apt-get install qemu-system-",
        "installs something; .ci/run does so",
    ),
    (
        "make dist-check DIST=target/dist",
        "builds for half an hour",
    ),
    (
        "apt install ./sanserve_0.1.0-1_amd64.deb",
        "installs something; make install-check does so",
    ),
    (
        "tar xf sanserve-0.1.0-x86_64-unknown-linux-musl.tar.gz",
        "needs the archive; make install-check unpacks it",
    ),
    (
        "npx --package ./sanserve-0.1.0-npm.tgz sanserve site 9000",
        "needs the package; make install-check runs it",
    ),
    (
        "npx sanserve site 9000",
        "the package is not published; make install-check runs it from a file",
    ),
    (
        "podman load --input sanserve-0.1.0-image.tar",
        "needs Podman; make install-check loads the image with buildah",
    ),
    (
        "podman run --read-only --cap-drop ALL --publish 8000:8000 --volume /srv/www:/srv:ro sanserve:0.1.0",
        "needs Podman; make install-check runs the image with buildah",
    ),
    (
        "systemctl edit sanserve.s",
        "needs systemd as the first process",
    ),
    (
        "cargo install sanserve",
        "the package is not published; make install-check installs its archive",
    ),
    (
        "cargo binstall",
        "the package is not published; make install-check compares the names of files",
    ),
    ("cargo audit bin", "needs a database of vulnerabilities"),
    (
        "pip install sanserve",
        "installs something; .ci/python installs the package",
    ),
    (
        "python -m sanserve",
        "needs the package: adapters/python/tests/test_command.py runs it",
    ),
    (
        "python -m http.server",
        "the reference: conformance/cpython records it",
    ),
];

/// Spans and lines that look like commands but are not.
const NO_COMMANDS: [&str; 9] = [
    "connection 1, reply 0, ",
    "sanserve [OPTIONS] [PORT] [PATH]",
    "only one port may be given (got 8000 and 9000)",
    "stderr [0] :: - - - [",
    "match ex.command() {",
    "seed 14-faults",
    "to run it again and print its transcript",
    "events --> Worker::turn",
    "admission   |",
];

/// Other lines in blocks of commands: output, and syntax.
const SHOWN: [&str; 28] = [
    // make install-check runs it.
    "sanserve-0.1.0-x86_64-unknown-linux-musl/sanserve",
    // rights.rs reads the file.
    "*:rights=",
    "mary:$2b$",
    "admin:$2b$",
    "2 connections, 2 replies, ",
    // conformance/tests/recording.rs replays it.
    "# sanserve recording 1",
    "note\t",
    "0\t",
    "end\t0",
    "Serving HTTP on ",
    "127.0.0.1 - - [",
    "[26/Nov/2026 ",
    "line 0001 of the",
    "Directory: ",
    "Ctrl-C stops it.",
    "Local: ",
    "Network: ",
    "Anyone who can reach this machine can read it",
    "Names that begin with a dot are served",
    "socket, files, clock",
    "|             Got -->",
    "Adapter  <---",
    "<-- Want",
    "System: poll, accept, clock",
    "|                                      |",
    "|   ^                 |",
    "|                                          |",
    "+-- CompletionQueue <--",
];

/// The entries of the lists above that were used.
#[derive(Default)]
struct Found(Vec<&'static str>);

impl Found {
    fn any(&mut self, list: impl IntoIterator<Item = &'static str>, text: &str) -> bool {
        let found = list.into_iter().find(|start| text.starts_with(start));
        self.0.extend(found);
        found.is_some()
    }
}

#[test]
fn every_command_is_run_or_listed() {
    let mut found = Found::default();
    let mut wrong = Vec::new();
    for page in all() {
        for command in &page.commands {
            if let Err(why) = try_command(command, &mut found) {
                wrong.push(format!("{}: {}\n    {why}", command.place, command.text));
            }
        }
        for shown in &page.shown {
            if !found.any(SHOWN, &shown.text) {
                wrong.push(format!(
                    "{}: {}\n    is neither a command nor listed",
                    shown.place, shown.text
                ));
            }
        }
    }
    let lists = ELSEWHERE
        .map(|(start, ..)| start)
        .into_iter()
        .chain(NOT_HERE.map(|(text, _)| text));
    let lists = lists.chain(NO_COMMANDS).chain(SHOWN);
    wrong.extend(
        lists
            .filter(|entry| !found.0.contains(entry))
            .map(|entry| format!("on no page: {entry}")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let pages = all();
    let mut wrong = Vec::new();
    for page in &pages {
        let folder = page.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in &page.links {
            let (path, anchor) = link.text.split_once('#').unwrap_or((&link.text, ""));
            if path.contains("://") {
                continue;
            }
            let path = match path {
                "" => page.name.clone(),
                path => normal(folder, path),
            };
            let is_there = root().join(&path).exists();
            let mut others = pages.iter();
            let has_anchor = others.find(|other| other.name == path).is_none_or(|other| {
                anchor.is_empty() || other.anchors.iter().any(|it| it == anchor)
            });
            if !is_there || !has_anchor {
                wrong.push(format!("{}: {}", link.place, link.text));
            }
        }
    }
    assert!(wrong.is_empty(), "broken links:\n{}", wrong.join("\n"));
}

/// Resolves a relative path from the root of the repository.
fn normal(folder: &str, path: &str) -> String {
    let mut segments: Vec<&str> = folder.split('/').filter(|it| !it.is_empty()).collect();
    for segment in path.split('/') {
        match segment {
            ".." => drop(segments.pop()),
            "." | "" => {}
            segment => segments.push(segment),
        }
    }
    segments.join("/")
}

fn try_command(command: &markdown::Command, found: &mut Found) -> Result<(), String> {
    let text = &command.text[..];
    if found.any(NO_COMMANDS, text) || found.any(NOT_HERE.map(|(text, _)| text), text) {
        return Ok(());
    }
    if found.any(ELSEWHERE.map(|(start, ..)| start), text) {
        let entry = ELSEWHERE.iter().find(|(start, ..)| text.starts_with(start));
        let (_, file, test) = entry.expect("the entry is in the list");
        let source =
            fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))?;
        let is_there = source.contains(&format!("#[test]\nfn {test}() {{"));
        return is_there
            .then_some(())
            .ok_or_else(|| format!("{file} has no test {test}"));
    }
    let (variables, rest) = split(text);
    let words: Vec<&str> = rest.split(' ').collect();
    match words[..] {
        ["sanserve", ..] => serves(text),
        ["ssh", "HOST", ref served @ ..] => serves_standard_input(&served.join(" ")),
        ["openssl", "passwd", "-6"] => is_a_password(text),
        ["cd", folder] => is_there(folder),
        ["make", ref words @ ..] => make(words),
        ["rustup", "target", "add", target] => is_target(target),
        ["cargo", ref words @ ..] => {
            variables.into_iter().try_for_each(is_variable)?;
            cargo(words, &command.folder)
        }
        _ => Err("no test runs it".into()),
    }
}

#[test]
fn every_block_is_run() {
    for page in all() {
        for block in &page.blocks {
            match &block.kind[..] {
                "ini" | "nginx" | "dockerfile" => assert_eq!(page.name, "docs/deployment.md"),
                "toml" => blocks::manifest(block),
                // Applied, and compared, in conformance/tests/outside.rs.
                "diff" | "text,report" => assert_eq!(page.name, "docs/porting.md"),
                "python" => blocks::python(block),
                "" | "no_run" | "rust" | "rust,no_run" => is_a_doctest(&page, &block.place),
                kind => panic!("{}: no test runs a block of {kind}", block.place),
            }
        }
        if page.name == "docs/deployment.md" {
            blocks::units(&page);
            blocks::proxy(&page);
            blocks::image(&page);
        }
    }
}

/// Checks that the page is compiled as a doc comment.
fn is_a_doctest(page: &Page, place: &str) {
    let includes = format!("#[doc = include_str!(\"../../{}\")]", page.name);
    let sources = ["adapters/src/lib.rs", "conformance/src/sim.rs"];
    let compiles = |file: &&str| {
        fs::read_to_string(root().join(file))
            .unwrap()
            .contains(&includes)
    };
    assert!(sources.iter().any(compiles), "{place} is not compiled");
}

/// Options of other programs on the pages.
const OTHER_OPTIONS: [(&str, &str); 5] = [
    ("--env", "wasmtime"),
    ("--dir", "wasmtime"),
    ("--bin", "cargo"),
    ("--features", "cargo"),
    ("--bi", "Python, which allows abbreviations"),
];

#[test]
fn every_option_on_the_pages_exists() {
    let help = std::process::Command::new(process::PROGRAM)
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let is_ours = |option: &str| {
        help.split([' ', '\n', '[', '='])
            .any(|word| word.trim_end_matches(',') == option)
    };
    let manifest = fs::read_to_string(root().join("adapters/program/Cargo.toml")).unwrap();
    let mut others = Vec::new();
    for page in all() {
        for span in page.spans.iter().filter(|span| span.text.starts_with("--")) {
            let option = span.text.split([' ', '=', '[']).next().unwrap();
            if let Some(feature) = span.text.strip_prefix("--features ") {
                assert!(
                    manifest.contains(&format!("\n{feature} = [")),
                    "{}",
                    span.place
                );
            }
            match OTHER_OPTIONS.iter().find(|(other, _)| *other == option) {
                Some((other, _)) => others.push(*other),
                None => assert!(is_ours(option), "{}: there is no {option}", span.place),
            }
        }
    }
    assert!(
        OTHER_OPTIONS
            .iter()
            .all(|(other, _)| others.contains(other))
    );
}

/// The page on security names a test or a case for each promise.
#[test]
fn every_named_test_and_case_exists() {
    let (mut sources, mut cases) = (String::new(), String::new());
    for folder in ["core", "adapters", "conformance"] {
        read_all(&root().join(folder), "rs", &mut sources);
    }
    read_all(&root().join("conformance/cases"), "case", &mut cases);
    let pages = all();
    let page = pages.iter().find(|page| page.name == "docs/security.md");
    let (mut named, mut missing) = (0, Vec::new());
    for span in &page.expect("a page on security").spans {
        let text = &span.text[..];
        let is_case = text.split_once('/').is_some_and(|(group, name)| {
            let file = format!("conformance/cases/{group}.case");
            root().join(file).is_file() && !name.ends_with(".rs")
        });
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_test = text.matches('_').count() > 2 && text.chars().all(is_plain);
        let exists = match () {
            () if is_case => cases.contains(&format!("\ncase     {text}")),
            () if is_test => sources.contains(&format!("fn {text}(")),
            () => continue,
        };
        named += 1;
        if !exists {
            missing.push(format!("{}: {text}", span.place));
        }
    }
    assert!(named > 200, "{named}");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Appends the files below a folder with this extension, except build output.
fn read_all(folder: &Path, extension: &str, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                read_all(&path, extension, text);
            }
        } else if path.extension().is_some_and(|it| it == extension) {
            *text += &fs::read_to_string(&path).unwrap();
        }
    }
}

/// The component reads the variables that the page documents.
#[test]
fn the_component_reads_every_variable_on_the_pages() {
    let read = fs::read_to_string(root().join("examples/component/src/lib.rs")).unwrap();
    let pages = all();
    let page = pages
        .iter()
        .find(|page| page.name == "docs/deployment.md")
        .unwrap();
    let named = page
        .spans
        .iter()
        .filter_map(|span| span.text.strip_prefix("SANSERVE_")?.split_once('='));
    let named: Vec<_> = named.collect();
    assert_eq!(named.len(), 6);
    for (name, _) in named {
        assert!(read.contains(&format!("\"{name}\"")), "{name}");
    }
}

/// New commands on a page are found.
#[test]
fn an_unknown_command_is_found() {
    let page = "Say `frobnicate --all` or `make tea`, `sanserve --nope`:\n\n    cargo run --bin nope\n    Some output\n\n```text\nmake test TEA=1\n```\n";
    let page = Page::read("page.md", page);
    let mut found = Found::default();
    let wrong: Vec<_> = page
        .commands
        .iter()
        .filter(|command| try_command(command, &mut found).is_err())
        .collect();
    let places: Vec<_> = wrong
        .iter()
        .map(|command| (&command.place[..], &command.text[..]))
        .collect();
    assert_eq!(
        places,
        [
            ("page.md:3", "cargo run --bin nope"),
            ("page.md:7", "make test TEA=1"),
            ("page.md:1", "frobnicate --all"),
            ("page.md:1", "make tea"),
            ("page.md:1", "sanserve --nope"),
        ]
    );
    assert_eq!(page.shown[0].text, "Some output");
}
