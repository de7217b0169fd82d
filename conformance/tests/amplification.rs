//! Whatever a client sends, work, memory and output are at most a small constant times its bytes: some hundred
//! long requests for each kind of handler, whose instructions callgrind counts. What is measured, and what is
//! held, is described in `benches/src/amplification.rs`.

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
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
