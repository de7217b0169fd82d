//! [`cargo`]: returns the command for a build inside a test, isolated from the build of the test itself.
//!
//! The two must not share a target folder. Their environment and features differ, so cargo would rebuild `ring`,
//! `rustls` and `sanserve` while running tests still need the old files.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns cargo, to be run in a folder of the repository, with this isolation: [`isolate`].
pub(crate) fn cargo(folder: impl AsRef<Path>) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root().join(folder));
    isolate(&mut cargo);
    cargo
}

/// Gives a build command its own target folder, and removes the variables that cargo and make have set for this test
/// from its environment.
pub(crate) fn isolate(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(belongs_to_the_outer_build) {
            command.env_remove(name);
        }
    }
    command.env("CARGO_TARGET_DIR", target());
}

/// Returns the folder of the repository, above the package that the test belongs to.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut above = package.ancestors().skip(1);
    let root = above.find(|folder| folder.join("Makefile").is_file());
    root.expect("the package is in the repository").into()
}

/// Returns the target folder of all inner builds. It is kept, so that only the first `make test` takes longer.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("inner")
}

/// Returns whether a variable describes the outer build, and not the machine, like `CARGO_HOME` or a proxy.
fn belongs_to_the_outer_build(name: &str) -> bool {
    let of_the_machine = [
        "CARGO_HOME",
        "CARGO_BUILD_JOBS",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
    ];
    let flags = ["RUSTFLAGS", "RUSTDOCFLAGS", "RUSTC_WRAPPER"];
    let of_make = ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"];
    flags.contains(&name)
        || of_make.contains(&name)
        || name.starts_with("CARGO") && !of_the_machine.iter().any(|kept| name.starts_with(kept))
}
