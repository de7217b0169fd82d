//! Carries the engine of [`sanserve_core`] where it is needed: over sockets and files with a
//! thread per connection ([`Server`], [`std::serve`]), or over nothing but memory ([`memory`]).
//!
//! An adapter decides nothing about HTTP. It does what a connection wants, one thing at a time,
//! and says what it got; how that looks in full is to be read in the two loops, [`std::serve`] and
//! [`memory::converse`], which are the models for further ones.
//!
//! ```
//! use std::{io, net::Ipv4Addr, thread, time::Duration};
//!
//! use sanserve::{Disk, Server};
//! use sanserve_core::{Config, Files};
//!
//! # fn main() -> io::Result<()> {
//! let disk = Disk::open(".")?; // nothing outside of it is ever opened
//! let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into())?;
//! println!("http://{}/", server.local_addr()?);
//!
//! let stopper = server.stopper();
//! thread::spawn(move || stopper.stop(Duration::from_secs(10))); // whenever it has to end
//! server.serve(&disk, Config::default(), Files::new);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod disk;
pub mod memory;
mod server;
pub mod std;

#[cfg(unix)]
pub use disk::Running;
pub use disk::{Disk, Open};
pub use server::{Server, Stopper};

/// What the page for those who come from Python says is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-python.md")]
struct FromPython;
