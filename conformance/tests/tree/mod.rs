//! Creates a tree in memory with the files of a site. Its CGI scripts are replaced by Rust functions.

use sanserve_conformance::{CgiOutput, Entry, Site, run_script};
use sanserve_core::CgiScript;
use sanserve_server::memory::{self, Tree};

#[allow(dead_code, reason = "not every test has the standard site")]
pub(crate) fn tree() -> Tree {
    of_site(Site::standard())
}

pub(crate) fn of_site(site: Site) -> Tree {
    let entries = site.entries.into_owned();
    entries
        .into_iter()
        .fold(Tree::new(), |tree, entry| match entry {
            Entry::File {
                path,
                executable: true,
                ..
            } => tree.script(path, run_fake_script),
            Entry::File {
                path,
                modified,
                body,
                ..
            } => tree.file_at(path, modified, body),
            Entry::Directory { path, .. } => tree.directory_at(path, Site::DIRECTORIES),
            Entry::Link { path, target } => tree.link(path, target),
        })
}

/// Runs a fake of a script of the site.
fn run_fake_script(program: &CgiScript, stdin: &[u8]) -> memory::ProcessOutput {
    let output = run_script(program.path.as_bytes(), &program.env, &program.args, stdin);
    let CgiOutput {
        stdout,
        stderr,
        status,
    } = output.expect("no case runs another script");
    memory::ProcessOutput {
        stdout,
        stderr,
        status,
    }
}
