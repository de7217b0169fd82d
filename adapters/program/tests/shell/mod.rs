//! Creates a temporary folder and a shell in it, in which tests run the commands of the pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::PROGRAM;

/// Creates a folder with the files that the commands name.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["site", "2024"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("site/a.txt"), "hello\n").unwrap();
    fs::write(folder.path().join("notes.txt"), "").unwrap();
    folder
}

/// Returns a shell that runs the command in the folder.
pub(crate) fn shell(command: &str, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    let bin = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap();
    shell.env("PATH", format!("{bin}:{path}")).env("PORT", "0");
    for name in ["HOST", "FORCE_COLOR", "NO_COLOR"] {
        shell.env_remove(name);
    }
    shell.args(["-c", command]).current_dir(folder);
    shell
}
