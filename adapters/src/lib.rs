//! Carries the engine of [`sanserve_core`] where it is needed: over sockets and files with a
//! thread per connection ([`ThreadingHTTPServer`], [`std::serve`]), with a task per connection
//! (`tokio`, if the feature of that name is on), or over nothing but memory ([`memory`]).
//!
//! An adapter decides nothing about HTTP. It does what a connection wants, one thing at a time,
//! and says what it got; how that looks in full is to be read in the loops, [`std::serve`],
//! `tokio::serve` and [`memory::converse`], which are the models for further ones.
//!
//! ```
//! use std::{io, thread, time::Duration};
//!
//! use sanserve::{Disk, ThreadingHTTPServer};
//! use sanserve_core::{Config, Files};
//!
//! # fn main() -> io::Result<()> {
//! let disk = Disk::open(".")?; // nothing outside of it is ever opened
//! let server = ThreadingHTTPServer::bind("127.0.0.1:0")?;
//! println!("http://{}/", server.server_address());
//!
//! let stopper = server.stopper();
//! thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // whenever it has to end
//! server.serve_forever(&disk, Config::default(), Files::new);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod disk;
pub mod memory;
mod no_files;
mod server;
pub mod std;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(unix)]
pub use disk::Running;
pub use disk::{Disk, Open};
pub use no_files::NoFiles;
#[cfg(feature = "tls")]
pub use server::{HTTPSServer, ThreadingHTTPSServer};
pub use server::{HTTPServer, Stopper, ThreadingHTTPServer};
#[cfg(feature = "tls")]
pub use tls::Tls;

/// What the page for those who come from Python says is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-python.md")]
struct FromPython;
