//! The site as a tree in memory, its scripts played by functions.

use sanserve_conformance::{Entry, Played, Site, play};
use sanserve_core::CgiScript;
use sanserve_server::memory::{self, Tree};

pub(crate) fn tree() -> Tree {
    let entries = Site::standard().entries.into_owned();
    entries
        .into_iter()
        .fold(Tree::new(), |tree, entry| match entry {
            Entry::File {
                path,
                executable: true,
                ..
            } => tree.script(path, play_script),
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

/// Plays a script of the site.
fn play_script(program: &CgiScript, stdin: &[u8]) -> memory::ProcessOutput {
    let played = play(program.path.as_bytes(), &program.env, &program.args, stdin);
    let Played {
        stdout,
        stderr,
        status,
    } = played.expect("no case runs another script");
    memory::ProcessOutput {
        stdout,
        stderr,
        status,
    }
}
