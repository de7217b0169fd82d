//! Tests that work, memory and output are at most a small constant times the bytes that a client sends: runs
//! `benches/src/amplification.rs`, which counts the instructions of some hundred long requests for each handler.

mod tools;

use std::process::Command;

#[test]
fn the_cost_of_a_request_is_linear_in_its_length() {
    if tools::find("valgrind").is_none() {
        return;
    }
    let arguments = ["build", "--release", "--message-format", "json"];
    let program = tools::built("conformance/benches", &arguments);
    let ran = Command::new(program).arg("amplification").output();
    let ran = ran.expect("the program runs");
    let output = String::from_utf8_lossy(&ran.stdout);
    println!("{output}");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
