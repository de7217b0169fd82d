//! Tests the layers of this crate, `text` < `fs` < `engine` < `service`: no file imports from a layer above its own. In
//! no crate of the workspace do the modules of a folder import each other in a cycle.

mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use self::imports::Imports;

/// From the lowest to the highest. The parser and `sync` may be imported from all of them.
const LAYERS: [&str; 4] = ["text", "fs", "engine", "service"];

/// The folders of the crates, from that of this one.
const CRATES: [&str; 4] = [".", "wire", "../adapters", "../adapters/program"];

/// Files that may import each other, since they implement one type together: the states of a connection, and its
/// transitions.
const EXCEPTIONS: [&str; 1] = ["./src/engine/connection: source, state, timeouts"];

#[test]
fn no_file_imports_from_a_higher_layer() {
    let mut wrong = Vec::new();
    for (height, layer) in LAYERS.iter().enumerate() {
        let files = sources(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src")
                .join(layer),
        );
        assert!(!files.is_empty(), "{layer} has files");
        for file in files {
            let text = fs::read_to_string(&file).expect("a source can be read");
            for name in imported(&text) {
                let allowed = ["sync", "wire"].contains(&name) || LAYERS[..=height].contains(&name);
                if !allowed {
                    wrong.push(format!("{}: crate::{name}", file.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these import from a higher layer, or from none:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_modules_of_a_folder_form_no_cycle() {
    let mut cycles = Vec::new();
    for folder in CRATES {
        let imports = read(folder);
        let found = imports.cycles().into_iter();
        cycles.extend(found.map(|cycle| format!("{folder}/src/{cycle}")));
    }
    for exception in EXCEPTIONS {
        let at = cycles.iter().position(|cycle| cycle == exception);
        cycles.remove(at.expect("every exception is still needed"));
    }
    assert!(
        cycles.is_empty(),
        "these import each other:\n{}",
        cycles.join("\n")
    );
}

#[test]
fn imports_are_followed_however_they_are_written() {
    let edges = read(".").edges();
    for (from, to) in [
        ("service/files/file_reply", "service/etag"), // as `crate::service::etag`
        ("service/files/file_reply", "service/files/content_type"), // as `super::content_type`
        ("service/upload", "service/files"),          // as `crate::service::Files`
    ] {
        let module = |path: &str| path.split('/').map(String::from).collect();
        let edge = (module(from), module(to));
        assert!(edges.contains(&edge), "{from} imports {to}");
    }
}

/// Reads the imports of a crate.
fn read(folder: &str) -> Imports {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Imports::read(&manifest.join(folder).join("src"))
}

/// Returns the first name of each path that begins with `crate::`, outside comments.
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
    let entries = fs::read_dir(folder).expect("a layer is a folder");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}
