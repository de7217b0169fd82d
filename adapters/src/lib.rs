//! Carries the engine of [`sanserve_core`] where it is needed: over sockets and files with a
//! thread per connection (`ThreadingHTTPServer`, `std`), a task (`tokio`) or many of them on each thread
//! (`mio`, `wasi`), over standard input and output (`stdio`), over the links of a microcontroller
//! (`embedded_io`, `embedded_io_async`), behind hosts that speak HTTP themselves (`host`, `tower`, `wasi_http`), or over
//! nothing but memory ([`memory`]).
//!
//! An adapter decides nothing about HTTP. It does what a connection wants, one thing at a time,
//! and says what it got; how that looks in full is to be read in the loops, which are the models for
//! further ones; `docs/porting.md` tells how to write one. With `default-features = false` there is
//! no std in this package, and each feature brings what its name says.
//!
#![cfg_attr(not(feature = "std"), doc = "```ignore")]
#![cfg_attr(feature = "std", doc = "```")]
//! use std::{io, thread, time::Duration};
//!
//! use sanserve_server::{Disk, ThreadingHTTPServer};
//! use sanserve_core::{Config, Files};
//!
//! # fn main() -> io::Result<()> {
//! let disk = Disk::open(".")?; // nothing outside of it is ever opened
//! let server = ThreadingHTTPServer::bind("127.0.0.1:0")?;
//! println!("http://{}/", server.server_address());
//!
//! let stopper = server.stopper();
//! thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // whenever it has to end
//! server.serve_forever(&disk, Config::default(), Files::new)
//! # }
//! ```

#![cfg_attr(not(any(feature = "std", feature = "wasi")), no_std)]
#![deny(unsafe_code)]
#![deny(missing_docs)]
#![warn(missing_debug_implementations)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
#![warn(clippy::must_use_candidate, clippy::missing_errors_doc)]

extern crate alloc;

#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
mod bind_error;
mod content;
#[cfg(all(feature = "std", unix))]
mod delivery;
#[cfg(all(feature = "std", unix))]
mod descriptors;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod disk;
#[cfg(feature = "embedded-io")]
pub mod embedded_io;
#[cfg(feature = "embedded-io-async")]
pub mod embedded_io_async;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod eviction;
mod flash;
pub mod fs_call;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod got;
#[cfg(all(feature = "passwords", not(target_os = "wasi")))]
mod guarded;
#[cfg(all(feature = "std", unix))]
mod hang_up;
#[cfg(feature = "host")]
pub mod host;
#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
mod listen_addr;
#[cfg(all(unix, feature = "mio"))]
mod listener;
pub mod memory;
#[cfg(all(unix, feature = "mio"))]
pub mod mio;
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
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub mod std;
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
pub mod tokio;
#[cfg(all(feature = "tower", not(target_os = "wasi")))]
pub mod tower;
#[cfg(all(feature = "wasi", target_os = "wasi"))]
pub mod wasi;
#[cfg(all(feature = "wasi-http", target_os = "wasi"))]
pub mod wasi_http;

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
#[cfg(all(feature = "passwords", not(target_os = "wasi")))]
pub use {
    guarded::Guarded,
    passwords::{PasswordError, Passwords},
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
