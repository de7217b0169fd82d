//! In the event loop a server knows its workers, and no worker knows its server.

#[path = "../../core/tests/imports/mod.rs"]
mod imports;

use std::path::Path;

use self::imports::Imports;

#[test]
fn no_worker_of_the_event_loop_imports_its_server() {
    let imports = Imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let module = |path: &[&str]| path.iter().copied().map(String::from).collect();
    let edge = (
        module(&["event_loop", "server"]),
        module(&["event_loop", "worker"]),
    );
    assert!(
        imports.edges().contains(&edge),
        "a server knows its workers"
    );
    let cycles = imports.cycles();
    let with_server = cycles
        .iter()
        .filter(|cycle| cycle.starts_with("event_loop:") && cycle.contains("server"));
    let with_server: Vec<_> = with_server.collect();
    assert!(
        with_server.is_empty(),
        "these import each other: {with_server:?}"
    );
}
