//! The command `sanserve`: Python's `http.server`, reimplemented in Rust. It serves a directory over HTTP and HTTPS.
//!
//! ```text
//! sanserve                                          # serve the current directory on port 8000
//! sanserve site 9000                                # serve ./site on port 9000
//! sanserve -b 127.0.0.1 --open                      # serve this machine only, and open the browser
//! sanserve --auth mary:secret --tls self-signed     # require a password, over HTTPS
//! ```
//!
//! `sanserve --help` lists all options, and the pages of the repository explain each. Options that Python also has
//! keep their Python names.
//!
//! This crate is only the command line: options, environment, messages, signals and the interface to service managers.
//! The server is [`sanserve_server`], which your own programs can use, and the protocol is [`sanserve_core`].
//!
//! # Internals
//!
//! `command_line` reads the command line and the environment into `options`; `settings`, `access` and `handlers` convert
//! them for the library; `run` listens (`listen`), prints the banner (`banner`) and serves (`server`) until a signal arrives
//! (`signals`, `reload`). `explain` answers one request without listening. `main` reports a failure and chooses the exit code.
//! In a build without the feature `tls` or `passwords`, another file is in the place of the module `tls` or `access`, and
//! `features` refuses the options.

#[cfg(not(target_os = "wasi"))]
#[cfg_attr(not(feature = "passwords"), path = "without_passwords.rs")]
mod access;
mod arguments;
mod banner;
mod colour;
mod command_line;
#[cfg(not(target_os = "wasi"))]
mod explain;
#[cfg(not(target_os = "wasi"))]
mod explain_reply;
mod failure;
mod features;
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
mod media_types;
mod options;
mod output;
mod positional;
#[cfg(not(target_os = "wasi"))]
mod qr_code;
#[cfg(not(target_os = "wasi"))]
mod record;
mod refusals;
#[cfg(unix)]
mod reload;
#[cfg(not(target_os = "wasi"))]
mod run;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(all(not(target_os = "wasi"), feature = "tls"))]
mod saved_certificate;
#[cfg(not(target_os = "wasi"))]
mod secrets;
#[cfg(not(target_os = "wasi"))]
mod server;
mod settings;
#[cfg(not(target_os = "wasi"))]
mod signals;
#[cfg(unix)]
mod stdio;
mod time_zone;
#[cfg(not(target_os = "wasi"))]
#[cfg_attr(not(feature = "tls"), path = "without_tls.rs")]
mod tls;
#[cfg(not(target_os = "wasi"))]
mod urls;
mod value_parsers;
#[cfg(target_os = "wasi")]
mod wasi;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use self::command_line::Parsed;
use self::failure::Failure;
use self::options::Options;
use self::output::{flush_log, print, with_exit_timeout};
#[cfg(not(target_os = "wasi"))]
use self::run::run;
#[cfg(target_os = "wasi")]
use self::wasi::run;

#[cfg(all(panic = "abort", not(target_os = "wasi")))]
compile_error!("a panic in a handler must end only its connection: build with panic = \"unwind\"");

// Links the unwinder statically: loading libgcc_s would make every start slower.
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
// SAFETY: the block declares nothing; it only links.
#[link(name = "gcc_eh", kind = "static", modifiers = "+whole-archive,-bundle")]
unsafe extern "C" {}

fn main() -> ExitCode {
    let result = match command_line::read() {
        Parsed::Run(options) => run(&Arc::<Options>::from(options)),
        Parsed::Print(text) => print(&text),
        Parsed::UsageError(line) => Err(Failure::Usage(line)),
    };
    flush_log();
    let (line, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Service(line)) => (line, 1),
        Err(Failure::Usage(line)) => (line, 2),
    };
    with_exit_timeout(move || _ = writeln!(io::stderr(), "sanserve: error: {line}"));
    ExitCode::from(code)
}
