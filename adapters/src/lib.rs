//! HTTP servers and file systems, after Python's `http.server`: the engine of [`sanserve_core`] on the runtime of your choice.
//!
#![cfg_attr(not(feature = "std"), doc = "```ignore")]
#![cfg_attr(feature = "std", doc = "```")]
//! use std::{io, thread, time::Duration};
//!
//! use sanserve_server::{Disk, ThreadingHTTPServer};
//! use sanserve_core::{Config, Files};
//!
//! # fn main() -> io::Result<()> {
//! let disk = Disk::open(".")?; // nothing outside of this directory is ever opened
//! let server = ThreadingHTTPServer::bind("127.0.0.1:0")?;
//! println!("http://{}/", server.server_address());
//!
//! let stopper = server.stopper();
//! thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // when it is to end
//! server.serve_forever(&disk, Config::default(), Files::new)
//! # }
//! ```
//!
//! `serve_forever` takes a file system, limits and deadlines ([`Config`](sanserve_core::Config)), and a function that makes a handler for
//! each connection: [`Files`](sanserve_core::Files) serves files, and your own handler can wrap it or replace it.
//!
//! # Which server
//!
//! | you have | take | feature |
//! |---|---|---|
//! | up to some hundred connections | `ThreadingHTTPServer`: a thread for each | `std` (default) |
//! | thousands of connections, on Unix | `event_loop::HTTPServer`: a few threads for all | `mio` |
//! | a program on tokio | `tokio_rt::HTTPServer`, or `tokio_rt::serve` for one stream | `tokio` |
//! | an application on axum, or another host of tower services | `tower_host::Service` | `tower` |
//! | another host that speaks HTTP itself | `host` | `host` |
//! | standard input and output, as from inetd | `stdio::serve` | `std` |
//! | a component for WASI 0.2 | `wasi_sockets::HTTPServer`, `wasi_http::handle` | `wasi`, `wasi-http` |
//! | a microcontroller | `embedded::serve`, `embedded_async::serve` | `embedded-io`, `embedded-io-async` |
//! | a test without a socket | [`memory`] | none |
//!
//! All servers have one shape: `bind` or `new`, setters that begin with `with_`, `serve_forever(files, config, make_handler)`, and
//! `stopper().shutdown(grace)`, which returns when no connection is left.
//!
//! # Files
//!
//! `Disk` is a directory below which everything stays, [`Flash`] is built into the program, [`memory::Tree`] is made in memory, and `NoFiles`
//! is for handlers that need none. Feature `tls` adds HTTPS to the servers, `self-signed` certificates that are made when they are
//! needed, `passwords` users and their passwords.
//!
//! # Errors
//!
//! `BindError`, `OpenError`, `TlsError` and `PasswordError` say what went wrong while a server is set up, and become an [`io::Error`] by `?`.
//! After that a server reports to its log: whatever a client does ends that client's connection and nothing else.
//!
//! # Where next
//!
//! The guides in the repository: `docs/embedding.md` has servers in programs of your own, `docs/from-python.md` every name of Python's
//! classes, and `docs/porting.md` how to write an adapter: one `match` around `Connection::step`. An adapter decides nothing about HTTP, so
//! the loops in this crate are short, and models for yours. Without default features the crate is `no_std` and needs `alloc` only.
//!
//! [`io::Error`]: https://doc.rust-lang.org/std/io/struct.Error.html

#![cfg_attr(not(any(feature = "std", feature = "wasi")), no_std)]
#![deny(unsafe_code)]
#![deny(missing_docs)]
#![warn(missing_debug_implementations)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
#![warn(clippy::must_use_candidate, clippy::missing_errors_doc)]

extern crate alloc;

#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod ask;
#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
mod bind_error;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub mod blocking;
mod content;
#[cfg(all(feature = "std", unix))]
mod delivery;
#[cfg(all(feature = "std", unix))]
mod descriptors;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod disk;
#[cfg(feature = "embedded-io")]
pub mod embedded;
#[cfg(feature = "embedded-io-async")]
pub mod embedded_async;
#[cfg(all(unix, feature = "mio"))]
pub mod event_loop;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod eviction;
mod flash;
pub mod fs_call;
#[cfg(all(feature = "std", unix))]
mod hang_up;
#[cfg(feature = "host")]
pub mod host;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod layer;
#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
mod listen_addr;
#[cfg(all(unix, feature = "mio"))]
mod listener;
pub mod memory;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod no_files;
#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
mod open_error;
#[cfg(all(feature = "passwords", not(target_os = "wasi")))]
mod passwords;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod send_file;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod server;
#[cfg(all(feature = "std", unix))]
pub mod stdio;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod system_file;
#[cfg(all(any(feature = "passwords", feature = "tls"), not(target_os = "wasi")))]
#[doc(hidden)]
pub mod text_file;
#[cfg(all(feature = "tls", not(target_os = "wasi")))]
mod tls;
#[cfg(all(feature = "tokio", not(target_os = "wasi")))]
pub mod tokio_rt;
#[cfg(all(feature = "tower", not(target_os = "wasi")))]
pub mod tower_host;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod upgraded;
#[cfg(all(feature = "wasi-http", target_os = "wasi"))]
pub mod wasi_http;
#[cfg(all(feature = "wasi", target_os = "wasi"))]
pub mod wasi_sockets;
#[cfg(all(feature = "passwords", not(target_os = "wasi")))]
mod with_passwords;

#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
pub use bind_error::BindError;
#[cfg(all(feature = "std", unix))]
pub use descriptors::raise_descriptor_limit;
#[cfg(all(feature = "std", unix))]
pub use disk::Scripts;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use disk::{Disk, Open};
pub use flash::{Flash, Node};
#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
pub use listen_addr::ListenAddr;
#[cfg(all(unix, feature = "mio"))]
pub use listener::Listener;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use no_files::NoFiles;
#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
pub use open_error::OpenError;
#[cfg(all(feature = "tls", not(target_os = "wasi")))]
pub use server::{HTTPSServer, ThreadingHTTPSServer};
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use server::{HTTPServer, Stopper, ThreadingHTTPServer};
#[cfg(all(feature = "tls", not(target_os = "wasi")))]
pub use tls::{Tls, TlsError};
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use upgraded::UpgradedStream;
#[cfg(all(feature = "passwords", not(target_os = "wasi")))]
pub use {
    passwords::{PasswordError, Passwords},
    with_passwords::WithPasswords,
};

/// The example of the README is compiled, too.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// What the page for those who come from Python says is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-python.md")]
struct FromPython;

/// What stands about taking it into another program,
#[cfg(all(doctest, feature = "mio"))]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;

/// and what the guide for ports says.
#[cfg(doctest)]
#[doc = include_str!("../../docs/porting.md")]
struct Porting;
