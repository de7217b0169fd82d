//! Runs the suite on the memory adapter, with files that are read and files that are sent by reference.

mod tree;

use sanserve_conformance::{Case, Fragmentation, Observed, Suite, run_except};
use sanserve_core::{Connection, Handler};
use sanserve_server::memory::{self, PeerScript, Tree, WritableTree};

/// Returns a system under test that serves this tree with the handler of the case.
fn serve(tree: &Tree) -> impl FnMut(&Case, Fragmentation) -> Observed {
    serve_with(tree, Case::handler)
}

fn serve_with(
    tree: &Tree,
    handler: impl Fn(&Case) -> Box<dyn Handler + Send>,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let mut conn = Connection::new(case.config(), "192.0.2.1", handler(case));
        let script = PeerScript {
            input: &case.request,
            half_close: case.half_close,
        };
        let mut sizes = fragmentation.sizes();
        // A new tree for each conversation, which may store files.
        let tree = WritableTree::new(tree.clone().portable_names(case.portable_names()))
            .with_upload_tokens(sanserve_conformance::upload_token);
        let transcript = memory::run(&mut conn, &tree, script, |n| sizes.next_size(n));
        Observed::new(transcript.bytes, &transcript.log)
    }
}

/// The peer of this adapter is a script, which has no pace.
fn excludes(case: &Case) -> Option<&'static str> {
    match case {
        _ if case.upgrades => Some("upgrades"),
        _ => case.is_timed().then_some("when the client sends and reads"),
    }
}

#[test]
fn conforms() {
    run_except("memory", excludes, serve(&tree::tree()));
}

#[test]
fn conforms_with_files_that_can_be_sent() {
    let tree = tree::tree().sendable(true);
    run_except("memory, files sent", excludes, serve(&tree));
}

#[test]
fn conforms_with_asynchronous_handlers() {
    let tree = tree::tree();
    let serve = serve_with(&tree, Case::async_handler);
    run_except("memory, async handlers", excludes, serve);
}

#[test]
fn plain_replies_are_cpythons_to_the_byte() {
    let report = Suite::plain().check("memory, plain", serve(&tree::tree()));
    assert!(report.passed(), "\n{report}");
    println!("{report}");
}
