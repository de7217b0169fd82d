//! The list on the memory adapter, with files that are read and with files that are sent.

mod tree;

use sanserve_conformance::{Case, Pace, Suite, Transcript, run};
use sanserve_core::Connection;
use sanserve_server::memory::{self, PeerScript, Tree, WritableTree};

/// Holds conversations with a server of this tree.
fn converse_in(tree: &Tree) -> impl FnMut(&Case, Pace) -> Transcript {
    |case, pace| {
        let mut conn = Connection::new(case.config(), "192.0.2.1", case.handler());
        let script = PeerScript {
            input: &case.request,
            half_close: case.half_close,
        };
        let mut pieces = pace.pieces();
        // A new one for each conversation: something may be stored.
        let shelf = WritableTree::new(tree.clone().portable_names(case.portable_names()));
        let said = memory::run(&mut conn, &shelf, script, |n| pieces.next_len(n));
        Transcript::new(said.bytes, &said.log)
    }
}

#[test]
fn conforms() {
    run("memory", converse_in(&tree::tree()));
}

#[test]
fn conforms_with_files_that_can_be_sent() {
    let tree = tree::tree().sendable(true);
    run("memory, files sent", converse_in(&tree));
}

#[test]
fn plain_replies_are_cpythons_to_the_byte() {
    let report = Suite::plain().check("memory, plain", converse_in(&tree::tree()));
    assert!(report.is_good(), "\n{report}");
    println!("{report}");
}
