//! The program `sanserve`: `python -m http.server`, served by the library [`sanserve_server`].
//!
//! What it does is in `program`; here is only how it reports a failure and with which code it ends.

mod program;

use std::io::{self, Write};
use std::process::ExitCode;

use self::program::{Failure, Given};

// What unwinds a panic comes with the program, not from a library that each start would have to load.
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
// SAFETY: nothing is declared, so nothing can be declared wrong; the block only links.
#[link(name = "gcc_eh", kind = "static", modifiers = "+whole-archive,-bundle")]
unsafe extern "C" {}

fn main() -> ExitCode {
    let done = match program::read() {
        Given::Options(options) => program::run(Box::leak(options)),
        Given::Question(answer) => program::print(&answer),
        Given::Mistake(line) => Err(Failure::Usage(line)),
    };
    program::flush_log();
    let (line, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Service(line)) => (line, 1),
        Err(Failure::Usage(line)) => (line, 2),
    };
    program::briefly(move || _ = writeln!(io::stderr(), "sanserve: error: {line}"));
    ExitCode::from(code)
}
