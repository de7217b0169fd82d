//! The floors of this crate: `text` < `fs` < `engine` < `service`. No file imports from a floor above its own, and no parts of a
//! folder import each other in a circle.

mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use self::imports::Imports;

/// From the lowest to the highest. The parser stands beside them all.
const FLOORS: [&str; 4] = ["text", "fs", "engine", "service"];

/// Files that may import each other, since they are pieces of one type: the states of a connection, and its transitions.
const PIECES_OF_ONE: [&str; 1] = ["engine/connection: source, state, timeouts"];

#[test]
fn no_import_leads_to_a_higher_floor() {
    let mut wrong = Vec::new();
    for (height, floor) in FLOORS.iter().enumerate() {
        let files = sources(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src")
                .join(floor),
        );
        assert!(!files.is_empty(), "{floor} has files");
        for file in files {
            let text = fs::read_to_string(&file).expect("a source can be read");
            for name in imported(&text) {
                let allowed = name == "wire" || FLOORS[..=height].contains(&name);
                if !allowed {
                    wrong.push(format!("{}: crate::{name}", file.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these lead to a higher floor, or past the floors:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_parts_of_a_folder_form_no_cycle() {
    let imports = Imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for (from, to) in [
        ("service/files/file_reply", "service/etag"), // as `crate::service::etag`
        ("service/files/file_reply", "service/files/content_type"), // as `super::content_type`
        ("service/upload", "service/files"),          // as `crate::service::Files`
    ] {
        let module = |path: &str| path.split('/').map(String::from).collect();
        let edge = (module(from), module(to));
        assert!(imports.edges().contains(&edge), "{from} imports {to}");
    }
    let mut cycles = imports.cycles();
    cycles.retain(|cycle| !PIECES_OF_ONE.contains(&cycle.as_str()));
    assert!(
        cycles.is_empty(),
        "these import each other:\n{}",
        cycles.join("\n")
    );
}

/// The first name of each path that begins with `crate::`, outside of comments.
fn imported(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a floor is a folder");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}
