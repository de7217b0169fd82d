//! The list on the memory adapter, with files that are read and with files that are sent.

mod tree;

use sanserve::memory::{Script, Shelf, Tree, converse};
use sanserve_conformance::{Transcript, run};
use sanserve_core::Connection;

fn conform(name: &str, tree: &Tree) {
    run(name, |case, pace| {
        let mut conn = Connection::new(case.config(), "192.0.2.1", case.handler());
        let script = Script {
            input: &case.request,
            half_close: case.half_close,
        };
        let mut pieces = pace.pieces();
        // A new one for each conversation: something may be stored.
        let shelf = Shelf::new(tree.clone().portable_names(case.portable_names()));
        let said = converse(&mut conn, &shelf, script, |n| pieces.next_len(n));
        Transcript::new(said.bytes, &said.log)
    });
}

#[test]
fn conforms() {
    conform("memory", &tree::tree());
}

#[test]
fn conforms_with_files_that_can_be_sent() {
    conform("memory, files sent", &tree::tree().sendable(true));
}
