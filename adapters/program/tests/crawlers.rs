//! Tests the listings with crawlers that follow every link (wget, httrack, lftp, rclone): they get every file, and
//! follow no link that sorts the listing or downloads an archive.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
#[path = "../../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use client::WGET_ARGS;
use process::Program;
use tempfile::TempDir;
use tools::skip;

/// The served files, by path.
const TREE: [(&str, &str); 4] = [
    ("/one.txt", "one"),
    ("/sub/two.txt", "two"),
    ("/sub/deep/three.txt", "three"),
    ("/page/more.html", "<p>more</p>"),
];

/// The directories, none of which has an index page.
const DIRECTORIES: [&str; 4] = ["/", "/page/", "/sub/", "/sub/deep/"];

fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    for (name, content) in TREE {
        let path = site.path().join(&name[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    site
}

/// Runs a crawler, with URL and INTO in its arguments replaced by the server's URL and the target folder. Returns the
/// requested targets, sorted, or `None` if the crawler is not installed.
fn crawl(command: &str, args: &[&str], into: &Path) -> Option<Vec<String>> {
    let site = site();
    let options = ["-b", "127.0.0.1", "--archive", "--upload"];
    let program = Program::serve(site.path(), &options);
    let url = format!("http://{}/", program.address());
    let args = args.iter().map(|arg| {
        let arg = arg.replace("URL", &url);
        arg.replace("INTO", into.to_str().unwrap())
    });
    let mut crawler = Command::new(command);
    crawler.args(args).current_dir(into).env("HOME", into);
    let ran = crawler
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let missing = ran
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if missing {
        skip(format_args!("{command} is not installed"));
    }
    let log = program.stop().stderr;
    if missing {
        return None;
    }
    assert!(ran.unwrap().success(), "{command}: {log}");
    let lines = log.lines();
    let targets = lines.map(|line| {
        assert!(line.contains("\" 200 -"), "{command}: {line}");
        line.split(' ').nth(6).expect(line).to_owned()
    });
    let mut targets: Vec<String> = targets.collect();
    targets.sort();
    Some(targets)
}

/// All targets, once each.
fn everything() -> Vec<String> {
    let files = TREE.iter().map(|(name, _)| (*name).to_owned());
    let directories = DIRECTORIES.iter().map(|name| (*name).to_owned());
    let mut all: Vec<String> = files.chain(directories).collect();
    all.sort();
    all
}

#[test]
fn wget_and_httrack_fetch_each_file_once() {
    let wget = [&WGET_ARGS[..], &["URL"]].concat();
    let httrack = [
        "URL",
        "-O",
        "INTO/mirror",
        "-q",
        "-s0",
        "-I0",
        "-A0",
        "-%c100",
        "--disable-security-limits",
    ];
    for (command, args) in [("wget", &wget[..]), ("httrack", &httrack)] {
        let into = TempDir::new().unwrap();
        if let Some(asked) = crawl(command, args, into.path()) {
            assert_eq!(asked, everything(), "{command}");
        }
    }
}

/// These request each file twice, first for its size.
#[test]
fn lftp_and_rclone_find_each_file_and_no_query() {
    let lftp = [
        "-c",
        "set net:max-retries 1; set net:timeout 20; mirror URL INTO/mirror",
    ];
    let rclone = [
        "copy",
        "--retries",
        "1",
        "--http-url",
        "URL",
        ":http:",
        "INTO/mirror",
    ];
    for (command, args) in [("lftp", &lftp[..]), ("rclone", &rclone)] {
        let into = TempDir::new().unwrap();
        let Some(mut asked) = crawl(command, args, into.path()) else {
            continue;
        };
        asked.dedup();
        assert_eq!(asked, everything(), "{command}");
        for (name, content) in TREE {
            let copy = fs::read_to_string(into.path().join("mirror").join(&name[1..]));
            assert_eq!(copy.unwrap(), content, "{command}: {name}");
        }
    }
}
