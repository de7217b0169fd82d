//! The command `sanserve`: Python's `http.server`, done again in Rust. It serves a directory over HTTP and HTTPS.
//!
//! ```text
//! sanserve                                          # this directory, at port 8000
//! sanserve site 9000                                # that one, at that port
//! sanserve -b 127.0.0.1 --open                      # for this machine alone, and in its browser
//! sanserve --auth mary:secret --tls self-signed     # require a password, over HTTPS
//! ```
//!
//! `sanserve --help` lists all options, and the README of the repository explains each. Options are Python's where Python has them.
//!
//! This crate is the command line only: options, environment, messages, signals, and what a service manager expects. The server is
//! [`sanserve_server`], to be used in programs of your own, and the protocol is [`sanserve_core`].
//!
//! # Inside
//!
//! `command` reads the command line and the environment into `options`; `settings` and `handlers` turn them into what the library takes;
//! `run` listens (`listen`), announces that (`banner`) and serves (`server`) until a signal comes (`signals`, `reload`). `main` reports a
//! failure and chooses the exit code.

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
