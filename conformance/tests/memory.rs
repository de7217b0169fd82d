//! The list on the memory adapter, with files that are read and with files that are sent.

mod tree;

use sanserve_conformance::{Case, Fragmentation, Observed, Suite, run};
use sanserve_core::Connection;
use sanserve_server::memory::{self, PeerScript, Tree, WritableTree};

/// Holds conversations with a server of this tree.
fn converse_in(tree: &Tree) -> impl FnMut(&Case, Fragmentation) -> Observed {
    |case, fragmentation| {
        let mut conn = Connection::new(case.config(), "192.0.2.1", case.handler());
        let script = PeerScript {
            input: &case.request,
            half_close: case.half_close,
        };
        let mut sizes = fragmentation.sizes();
        // A new one for each conversation: something may be stored.
        let shelf = WritableTree::new(tree.clone().portable_names(case.portable_names()));
        let transcript = memory::run(&mut conn, &shelf, script, |n| sizes.next_size(n));
        Observed::new(transcript.bytes, &transcript.log)
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
    assert!(report.passed(), "\n{report}");
    println!("{report}");
}
