//! The list on the memory adapter, with files that are read and with files that are sent.

use sanserve::memory::{self, Script, Tree, converse};
use sanserve_conformance::{Entry, Played, Site, Transcript, play, run};
use sanserve_core::{Connection, Program};

fn tree() -> Tree {
    let entries = Site::standard().entries.into_owned();
    entries
        .into_iter()
        .fold(Tree::new(), |tree, entry| match entry {
            Entry::File {
                path,
                executable: true,
                ..
            } => tree.program(path, play_script),
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
fn play_script(program: &Program, stdin: &[u8]) -> memory::Played {
    let played = play(program.path.as_bytes(), &program.env, &program.args, stdin);
    let Played {
        stdout,
        stderr,
        status,
    } = played.expect("no case runs another script");
    memory::Played {
        stdout,
        stderr,
        status,
    }
}

fn conform(name: &str, tree: &Tree) {
    run(name, |case, pace| {
        let mut conn = Connection::new(case.config(), "192.0.2.1", case.handler());
        let script = Script {
            input: &case.request,
            half_close: case.half_close,
        };
        let mut pieces = pace.pieces();
        let said = converse(&mut conn, tree, script, |n| pieces.next_len(n));
        Transcript::new(said.bytes, &said.log)
    });
}

#[test]
fn conforms() {
    conform("memory", &tree());
}

#[test]
fn conforms_with_files_that_can_be_sent() {
    conform("memory, files sent", &tree().sendable(true));
}
