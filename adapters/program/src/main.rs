//! The program `sanserve`: `python -m http.server`, served by the library [`sanserve_server`].
//!
//! `command` reads the command line into `options`, and `run` does what they ask for; here is how the program reports a
//! failure, and with which code it ends.

#[cfg(not(target_os = "wasi"))]
mod address;
mod arguments;
mod banner;
mod colour;
mod command;
mod failure;
#[cfg(not(target_os = "wasi"))]
mod handlers;
mod header_arg;
#[cfg(unix)]
mod isolation;
mod listen;
#[cfg(unix)]
mod malloc_trim;
#[cfg(not(target_os = "wasi"))]
mod manual;
mod options;
mod output;
mod positional;
mod refusals;
#[cfg(unix)]
mod reload;
#[cfg(not(target_os = "wasi"))]
mod run;
#[cfg(not(target_os = "wasi"))]
mod secrets;
#[cfg(not(target_os = "wasi"))]
mod server;
mod settings;
#[cfg(not(target_os = "wasi"))]
mod signals;
#[cfg(unix)]
mod stdio;
#[cfg(not(target_os = "wasi"))]
mod tls;
mod value_parsers;
#[cfg(target_os = "wasi")]
mod wasi;
mod zone;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use self::command::Parsed;
use self::failure::Failure;
use self::options::Options;
use self::output::{briefly, flush_log, print};
#[cfg(not(target_os = "wasi"))]
use self::run::run;
#[cfg(target_os = "wasi")]
use self::wasi::run;

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
    let done = match command::read() {
        Parsed::Run(options) => run(&Arc::<Options>::from(options)),
        Parsed::Print(answer) => print(&answer),
        Parsed::UsageError(line) => Err(Failure::Usage(line)),
    };
    flush_log();
    let (line, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Service(line)) => (line, 1),
        Err(Failure::Usage(line)) => (line, 2),
    };
    briefly(move || _ = writeln!(io::stderr(), "sanserve: error: {line}"));
    ExitCode::from(code)
}
