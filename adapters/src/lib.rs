//! An HTTP server library modelled on Python's `http.server`: the engine of [`sanserve_core`] on the runtime of
//! your choice.
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
//! thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // call this when the server should stop
//! server.serve_forever(&disk, Config::default(), Files::new)
//! # }
//! ```
//!
//! `serve_forever` takes a file system, the limits and deadlines ([`Config`](sanserve_core::Config)), and a
//! function that makes a handler for each connection. [`Files`](sanserve_core::Files) serves files; your own
//! handler can wrap or replace it. Both are types of the engine, so your package depends on `sanserve-core` as well.
//! For replies that need no files, pass `NoFiles` and a function:
//!
#![cfg_attr(not(feature = "std"), doc = "```ignore")]
#![cfg_attr(feature = "std", doc = "```no_run")]
//! # use sanserve_core::{Config, Next, from_fn};
//! # use sanserve_server::{NoFiles, ThreadingHTTPServer};
//! # let server = ThreadingHTTPServer::bind("127.0.0.1:0")?;
//! server.serve_forever(NoFiles, Config::default(), || {
//!     from_fn(|ex| {
//!         ex.send_response(200);
//!         ex.send_header("Content-Length", 6);
//!         ex.end_headers();
//!         ex.write(b"hello\n");
//!         Next::Done
//!     })
//! })
//! # ; Ok::<_, std::io::Error>(())
//! ```
//!
//! # Which server to use
//!
//! | you have | use | feature |
//! |---|---|---|
//! | up to a few hundred connections | `ThreadingHTTPServer`: a thread for each connection | `std` (default) |
//! | thousands of connections, on Unix | `event_loop::HTTPServer`: a few threads for all connections | `mio` |
//! | a program that uses tokio | `tokio_rt::HTTPServer`, or `tokio_rt::serve` for one stream | `tokio` |
//! | an application with axum, or another host of tower services | `tower_host::Service` | `tower` |
//! | another host that speaks HTTP itself | the types in `host` | `host` |
//! | standard input and output, as under inetd | `stdio::serve` | `std` |
//! | a component for WASI 0.2 | `wasi_sockets::HTTPServer`, `wasi_http::handle` | `wasi`, `wasi-http` |
//! | a microcontroller | `embedded::serve`, `embedded_async::serve` | `embedded-io`, `embedded-io-async` |
//! | a test without sockets | [`memory::run`] | none |
//!
//! All types named `…HTTPServer` have the same interface: `bind`, setters that begin with `with_`,
//! `serve_forever(files, config, make_handler)`, and `stopper().shutdown(grace)`, which returns when all connections
//! are closed. On tokio, the last two return futures; the server for WASI runs until it is killed.
//!
//! They speak HTTP/1.0 and HTTP/1.1. There is no HTTP/2, no client and no router: a handler gets the path.
//!
//! # Files
//!
//! `Disk` serves a directory and nothing outside of it, [`Flash`] files that are built into the program, and
//! [`memory::Tree`] files in memory; `NoFiles` is for handlers that need no files. The feature `zip` adds the files of
//! a zip archive, `tls` adds HTTPS to the servers, `self-signed` generates certificates, and `passwords` adds users
//! with passwords.
//!
//! # Errors
//!
//! `BindError`, `OpenError`, `TlsError` and `PasswordError` are the errors of setting up a server; `?` converts
//! them to [`io::Error`]. Once it serves, a server reports problems in its log: nothing that a client does
//! affects other connections.
//!
//! # Further reading
//!
//! The repository has guides: `docs/embedding.md` shows servers in your own program, `docs/from-python.md` maps
//! the names of Python's classes, and `docs/porting.md` explains how to write an adapter, which is one `match`
//! around `Connection::step`. Adapters contain no HTTP logic, so the ones in this crate are short and can serve
//! as examples. Without default features the crate is `no_std` and needs only `alloc`.
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
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod blocking_fn;
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
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod lock;
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
mod proxy_protocol;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod recording;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod send_file;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod server;
#[cfg(all(test, feature = "tokio"))]
mod simulation;
#[cfg(all(feature = "std", unix))]
pub mod stdio;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
mod system_file;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
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
#[cfg(feature = "zip")]
pub mod zip;

#[cfg(any(
    all(feature = "std", not(target_os = "wasi")),
    all(feature = "wasi", target_os = "wasi")
))]
pub use bind_error::BindError;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use blocking_fn::{BlockingExchange, ContentReader, ReplyWriter, ThreadPool, from_blocking_fn};
#[cfg(all(feature = "std", unix))]
pub use delivery::delivery;
#[cfg(all(feature = "std", unix))]
pub use descriptors::raise_descriptor_limit;
#[cfg(all(feature = "std", unix))]
pub use disk::Scripts;
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use disk::{Disk, OpenFile};
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
#[cfg(all(feature = "std", not(target_os = "wasi")))]
pub use recording::{Recorder, RecorderSettings};
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

/// Tests the example in the README.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Tests the guide for Python users.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-python.md")]
struct FromPython;

/// Tests the guide to embedding.
#[cfg(all(doctest, feature = "mio"))]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;

/// Compiles the examples of the page on recordings.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../../docs/recording.md")]
struct RecordingPage;

/// Tests the guide to porting.
#[cfg(doctest)]
#[doc = include_str!("../../docs/porting.md")]
struct Porting;
