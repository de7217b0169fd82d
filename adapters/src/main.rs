//! The program `sanserve`: `python -m http.server`, served by the library [`sanserve`].
//!
//! What it does is in `program`; here is only how it says so and with which code it ends.

mod program;

use std::io::{self, Write};
use std::process::ExitCode;

use self::program::Given;

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
        Given::Options(options) => program::run(&options).map_err(|line| (line, 1)),
        Given::Question(answer) => {
            program::say(answer);
            Ok(())
        }
        Given::Mistake(line) => Err((line, 2)),
    };
    program::flush_log();
    let Err((line, code)) = done else {
        return ExitCode::SUCCESS;
    };
    program::briefly(move || _ = writeln!(io::stderr(), "sanserve: error: {line}"));
    ExitCode::from(code)
}
