//! Tests `--readme` on large directories and long files.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
#[path = "../../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs;
use std::process::Command;

use client::get;
use process::Program;

/// The escaped text of the readme of a page.
fn readme(page: &str) -> &str {
    let (_, rest) = page.split_once("<pre>\n").expect("a readme");
    rest.split_once("</pre>").expect("its end").0
}

#[test]
fn the_first_32_kib_of_a_long_readme_are_shown() {
    let site = tempfile::tempdir().unwrap();
    // A letter of two bytes lies across the limit.
    let text = "<".to_string() + &"\u{e9}".repeat(40_000);
    fs::write(site.path().join("README"), &text).unwrap();
    let program = Program::serve(site.path(), &["-b", "127.0.0.1", "--readme"]);
    let page = get(program.address(), "/");
    let (head, content) = page.split_once("\r\n\r\n").unwrap();
    let len = format!("Content-Length: {}\r\n", content.len());
    assert!(head.contains(&len), "{head}");
    let shown = "&lt;".to_string() + &"\u{e9}".repeat(16_383) + "\n\u{2026}";
    assert!(readme(content) == shown);
}

#[test]
fn a_changed_readme_is_shown_at_once_also_in_a_large_compressed_listing() {
    let Some(curl) = tools::find("curl") else {
        return;
    };
    let site = tempfile::tempdir().unwrap();
    for number in 0..2_500 {
        fs::write(site.path().join(format!("file {number}")), "").unwrap();
    }
    let file = site.path().join("readme.md");
    let program = Program::serve(site.path(), &["-b", "127.0.0.1", "--readme"]);
    let url = format!("http://{}/", program.address());
    let mut tags = Vec::new();
    for text in ["one", "two", "six"] {
        fs::write(&file, text.repeat(5_000)).unwrap();
        let mut curl = Command::new(&curl);
        let output = curl.args(["-si", "--compressed", &url]).output().unwrap();
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.contains("Content-Encoding: gzip"), "{page}");
        assert!(readme(&page) == text.repeat(5_000));
        assert!(page.ends_with("</html>\n"));
        let tag = page.lines().find(|line| line.starts_with("ETag: "));
        tags.push(tag.unwrap().to_owned());
    }
    tags.dedup();
    assert_eq!(tags.len(), 3);
}
