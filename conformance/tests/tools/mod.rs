//! Finds programs that a machine may lack, skips tests without them, ends those that were started, and runs cargo in
//! other packages.

#[allow(dead_code, reason = "not every test builds something")]
pub(crate) mod inner_build;

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Child;

/// Returns the path of a program. If it is missing, prints that the test is skipped, even if output is captured; in CI
/// it panics, because no test may be skipped there.
#[allow(dead_code, reason = "not every test needs a program")]
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&path).map(|folder| folder.join(program));
    let found = found.find(|file| file.is_file());
    if found.is_none() {
        skip(format_args!("{program} is not installed"));
    }
    found
}

/// Prints why a test, or a part of it, is skipped, even if output is captured.
///
/// # Panics
/// In CI, where no test may be skipped.
#[allow(dead_code, reason = "not every test needs something")]
pub(crate) fn skip(reason: impl Display) {
    assert!(env::var_os("CI").is_none(), "{reason}");
    let _ = writeln!(io::stderr(), "SKIPPED: {reason}");
}

/// A process that is killed when this is dropped.
#[allow(dead_code, reason = "not every test starts a program")]
pub(crate) struct KillOnDrop(pub(crate) Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs cargo in a folder of the repository, isolated from the build of the tests, with these arguments and `--locked`.
/// Returns its output.
///
/// # Panics
/// With its error output, if it fails.
#[allow(dead_code, reason = "not every test builds something")]
pub(crate) fn cargo(folder: &str, arguments: &[&str]) -> String {
    let mut cargo = inner_build::cargo(folder);
    let cargo = cargo.arg("--locked").args(arguments);
    let ran = cargo.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "cargo {arguments:?}:\n{said}");
    String::from_utf8_lossy(&ran.stdout).into()
}

/// Builds the only program of a package. Returns its path.
///
/// # Panics
/// As [`cargo`] does.
#[allow(dead_code, reason = "not every test builds a program")]
pub(crate) fn built(folder: &str, arguments: &[&str]) -> PathBuf {
    let said = cargo(folder, arguments);
    let found = said.rsplit_once(r#""executable":""#);
    let found = found.and_then(|(_, rest)| rest.split_once('"'));
    found.expect("cargo names the program").0.into()
}

/// Builds the only library of a package that is a single file. Returns its path.
///
/// # Panics
/// As [`cargo`] does.
#[allow(dead_code, reason = "not every test builds a library")]
pub(crate) fn built_library(folder: &str, arguments: &[&str]) -> PathBuf {
    let said = cargo(folder, arguments);
    let made = said
        .lines()
        .rfind(|line| line.contains(r#""crate_types":["cdylib"]"#));
    let found = made.and_then(|line| line.split_once(r#""filenames":[""#));
    let found = found.and_then(|(_, rest)| rest.split_once('"'));
    found.expect("cargo names the library").0.into()
}
