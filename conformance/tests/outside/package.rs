//! [`Package`]: creates a package in a temporary folder that depends on the packaged crates of this workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::page::Block;
use crate::tools::inner_build::{self, root};

/// A package whose tests are run.
pub(crate) struct Package {
    folder: TempDir,
    manifest: String,
}

/// The result of a test of a [`Package`].
pub(crate) struct Ran {
    pub(crate) passed: bool,
    /// Its standard output and standard error.
    pub(crate) output: String,
}

impl Ran {
    /// Returns the line with this text.
    pub(crate) fn line(&self, text: &str) -> &str {
        let mut lines = self.output.lines();
        let found = lines.find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no line with {text:?}:\n{}", self.output))
    }
}

impl Package {
    /// Creates a package with these dependencies, which are replaced by the packages of this workspace.
    pub(crate) fn new(dependencies: &Block) -> Package {
        let folder = TempDir::new().expect("a folder");
        let mut manifest = String::from(
            "[package]\nname = \"port\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nsanserve-core = \"0.1\"\n\n",
        );
        manifest += &dependencies.text;
        manifest += "sanserve-server = \"0.1\"\n\n[patch.crates-io]\n";
        for (name, path) in unpacked(folder.path()) {
            manifest += &format!("{name} = {{ path = {path:?} }}\n");
        }
        fs::create_dir_all(folder.path().join("src")).expect("a folder");
        fs::create_dir(folder.path().join("tests")).expect("a folder");
        fs::write(folder.path().join("src/lib.rs"), "").expect("a file");
        // The versions that the workspace uses are downloaded already.
        fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("a file");
        Package { folder, manifest }
    }

    /// Adds a file of tests.
    pub(crate) fn add_test(&mut self, name: &str, code: &str) {
        let path = self.folder.path().join(format!("tests/{name}.rs"));
        fs::write(path, code).expect("a file");
        self.write_manifest();
    }

    /// Adds a test that is a whole program.
    pub(crate) fn add_program(&mut self, name: &str, code: &str) {
        self.manifest += &format!("\n[[test]]\nname = \"{name}\"\nharness = false\n");
        self.add_test(name, code);
    }

    fn write_manifest(&self) {
        fs::write(self.folder.path().join("Cargo.toml"), &self.manifest).expect("a file");
    }

    /// Builds all tests.
    ///
    /// # Panics
    /// If there is an error.
    pub(crate) fn build(&self) {
        let mut cargo = self.cargo(&["test", "--no-run", "--tests"]);
        let built = cargo.output().expect("cargo runs");
        let output = String::from_utf8_lossy(&built.stderr);
        assert!(
            built.status.success(),
            "the package does not build:\n{output}"
        );
    }

    /// Runs a test, with these variables in its environment.
    pub(crate) fn run(&self, name: &str, variables: &[(&str, &str)]) -> Ran {
        let mut cargo = self.cargo(&["test", "--test", name, "--", "--nocapture"]);
        let ran = cargo.envs(variables.iter().copied()).output();
        let ran = ran.expect("cargo runs");
        let output = [ran.stdout, ran.stderr].concat();
        Ran {
            passed: ran.status.success(),
            output: String::from_utf8_lossy(&output).into(),
        }
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = inner_build::cargo(self.folder.path());
        // This folder is kept, so that the dependencies are built only once.
        cargo.env("CARGO_TARGET_DIR", inner_build::target().join("outside"));
        cargo.env_remove("CASE").args(arguments);
        cargo
    }
}

/// Packages the crates and unpacks the archives of libraries into a folder. Returns their names and paths.
fn unpacked(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut package = Command::new(root().join(".ci/package"));
    inner_build::isolate(&mut package);
    let packaged = package.arg("--no-verify").output().expect("it runs");
    let errors = String::from_utf8_lossy(&packaged.stderr);
    assert!(packaged.status.success(), "{errors}");
    let archives = fs::read_dir(inner_build::target().join("package")).expect("a folder");
    let archives = archives.map(|entry| entry.expect("an archive").path());
    let mut found = Vec::new();
    for archive in archives.filter(|path| path.extension() == Some("crate".as_ref())) {
        let stem = archive.file_stem().and_then(|stem| stem.to_str());
        let stem = stem.expect("a name");
        let (name, _) = stem.rsplit_once('-').expect("a version");
        if name != "sanserve" {
            unpack(&archive, folder);
            found.push((name.to_owned(), folder.join(stem)));
        }
    }
    assert_eq!(found.len(), 5, "{found:?}");
    found
}

fn unpack(archive: &Path, folder: &Path) {
    let mut tar = Command::new("tar");
    // The files have the time of now, because cargo would not build those of a changed archive again: all have the same
    // old time there.
    tar.args(["--extract", "--touch", "--gzip", "--file"]);
    let unpacked = tar.arg(archive).arg("--directory").arg(folder).status();
    let unpacked = unpacked.expect("tar runs");
    assert!(unpacked.success(), "{}", archive.display());
}
