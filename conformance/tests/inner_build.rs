//! Tests the helper `tools/inner_build`: a build that uses it does not change the artefacts of the outer build, and no
//! test runs cargo or make without it.

mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use regex::Regex;
use tools::inner_build;

/// Returns the library files of these packages, and the files of `ring`'s build script, with their modification times.
fn outer_artefacts() -> BTreeMap<PathBuf, SystemTime> {
    let this = std::env::current_exe().expect("a path");
    let deps = this.parent().expect("a folder");
    let name = Regex::new(r"^(lib)?(ring|rustls|sanserve)[-_].*(\.rlib|\.rmeta|\.so)$");
    let name = name.expect("a pattern");
    let libraries = entries(deps).into_iter().filter(|path| {
        let file = path.file_name().and_then(|file| file.to_str());
        file.is_some_and(|file| name.is_match(file))
    });
    let scripts = entries(&deps.join("../build"));
    let scripts = scripts.into_iter().map(|folder| folder.join("output"));
    let found = libraries.chain(scripts.filter(|output| output.is_file()));
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    found
        .map(|path| (path.clone(), changed(&path).expect("a time")))
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

#[test]
fn an_inner_build_does_not_change_outer_artefacts() {
    let before = outer_artefacts();
    assert!(
        before
            .keys()
            .any(|path| path.extension() == Some("rlib".as_ref())),
        "there is something to compare: {before:?}"
    );
    let arguments = ["build", "--package", "sanserve", "--message-format", "json"];
    let program = tools::built(".", &arguments);
    let target = inner_build::target();
    assert!(program.starts_with(&target), "{}", program.display());
    let after = outer_artefacts();
    let paths = before.keys().chain(after.keys());
    let changed: BTreeSet<_> = paths
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(
        changed.is_empty(),
        "the inner build has changed {changed:#?}"
    );
}

#[test]
fn an_inner_build_gets_no_variables_of_the_outer_build() {
    let cargo = inner_build::cargo(".");
    let removed: Vec<_> = cargo
        .get_envs()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| name.to_owned())
        .collect();
    // Cargo sets these for each test; `ring` is rebuilt if they change.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
        assert!(std::env::var_os(name).is_some(), "{name}");
        assert!(removed.contains(&name.into()), "{name}: {removed:?}");
    }
    assert!(!removed.contains(&"CARGO_HOME".into()), "{removed:?}");
}

#[test]
fn no_test_runs_cargo_or_make_without_the_helper() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let run = Regex::new(r#"Command::new\([ \n]*(env!\("CARGO"\)|"(cargo|make)")"#);
    let run = run.expect("a pattern");
    let mut folders: Vec<_> = ["adapters", "adapters/program", "conformance", "examples"]
        .iter()
        .map(|package| root.join(package).join("tests"))
        .collect();
    let (mut sources, mut found) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some("rs".as_ref()) {
                sources += 1;
                let text = fs::read_to_string(&path).expect("a source");
                let is_isolated = |at: usize| {
                    text[at..]
                        .lines()
                        .take(6)
                        .any(|line| line.contains("isolate(&mut"))
                };
                let past = run.find_iter(&text).any(|run| !is_isolated(run.start()));
                if past {
                    found.push(path);
                }
            }
        }
    }
    assert!(sources > 60, "{sources} sources");
    assert_eq!(
        found,
        Vec::<PathBuf>::new(),
        "these run cargo or make past `inner_build`"
    );
}
