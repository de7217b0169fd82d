//! An HTTP file server as a state machine. It reads no socket, opens no file, knows no clock and
//! starts no thread: it says what it *wants*, and is told what came of it.
//!
//! # Five concepts
//!
//! ```text
//!        socket, disk, clock                                your code
//!              |                                                |
//!  adapter  got|  ^ want              Connection          Event |  ^ Next      Handler
//!  --------->  v  |  --------->  wire: RequestHead, Body --->   v  |  ------->
//!          step(now, got)       inbox -> .. -> outbox        begin / resume
//! ```
//!
//! - [`Connection`]: the protocol. It owns the buffers of one connection and never fails.
//! - [`Want`] and [`Got`]: what it wants next, one thing at a time, and what came of that.
//! - [`Handler`]: answers requests, with [`Event`] and [`Next`] as its own got and want.
//!   [`Files`] serves files, [`Cgi`] runs scripts besides, [`Upload`] stores files; yours may be another.
//! - [`FileSystem`]: what [`Want::Ask`] and [`Want::Fill`] are answered from.
//! - [`Config`]: limits and deadlines, none of which can be off.
//!
//! # The contract
//!
//! Every want gets one answer: the value of the adapter's `match` is the next argument of
//! [`step`](Connection::step). A part is fine. `Bytes(0)` to a `Read` or `Fill` is the end.
//! [`Got::Nothing`] means "ask me again"; past [`Step::by`] the connection gives up by itself.
//! [`Got::Failed`] leads to [`Want::Close`]. Time enters through `step` and nowhere else.
//!
//! # The loop
//!
//! This is a whole adapter, for a peer that says all it has to say at once:
//!
//! ```
//! use std::sync::Arc;
//!
//! use sanserve_core::{Config, Connection, FileSystem, Files, Got, Now, Want};
//! use sanserve_core::{Entries, Entry, FsError, Meta, Opened, Path};
//!
//! struct OneFile;
//!
//! impl FileSystem for OneFile {
//!     type File = &'static [u8];
//!     fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
//!         match path.as_bytes() {
//!             b"" => Ok(Opened::Directory),
//!             b"hello.txt" => Ok(Opened::File {
//!                 file: b"hello\n",
//!                 meta: Meta { len: 6, modified: None, version: None, executable: false },
//!                 sendable: false,
//!             }),
//!             _ => Err(FsError::NotFound),
//!         }
//!     }
//!     fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
//!         let hello = Entry { name: b"hello.txt", len: Some(6), ..Entry::default() };
//!         Ok(Arc::new(Entries::from_iter([hello])))
//!     }
//!     fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
//!         let rest = &file[at as usize..];
//!         let n = rest.len().min(into.len());
//!         into[..n].copy_from_slice(&rest[..n]);
//!         Ok(n)
//!     }
//! }
//!
//! let mut input: &[u8] = b"GET /hello.txt HTTP/1.0\r\n\r\n";
//! let mut output = Vec::new();
//! let mut conn = Connection::new(Config::default(), "127.0.0.1", Files::new());
//! let mut got = Got::Nothing;
//! loop {
//!     got = match conn.step(Now::default(), got).want {
//!         Want::Read(into) => {
//!             let n = input.len().min(into.len());
//!             into[..n].copy_from_slice(&input[..n]);
//!             input = &input[n..];
//!             Got::Bytes(n)
//!         }
//!         Want::Write(from) => {
//!             output.extend_from_slice(from);
//!             Got::Bytes(from.len())
//!         }
//!         Want::Fill { file, at, into } => OneFile.fill(file, at, into),
//!         Want::Copy { .. } => unreachable!("no file here is sendable"),
//!         Want::Give { file, from } => OneFile.give(file, from),
//!         Want::Ask(ask) => OneFile.answer(ask),
//!         Want::Log(lines) => {
//!             eprint!("{lines}");
//!             Got::Nothing
//!         }
//!         Want::Shutdown => Got::Nothing,
//!         Want::Close => break,
//!     };
//! }
//! assert!(output.starts_with(b"HTTP/1.0 200 OK\r\n") && output.ends_with(b"\r\n\r\nhello\n"));
//! ```
//!
//! # Modules
//!
//! [`wire`] is the parser, a crate of its own, [`range`] that of one field, [`log`] what is logged and how it looks;
//! [`listing`] and [`error_page`] are the pages that it makes itself;
//! [`archive`] is a directory as one file. [`date`], [`mime`] and [`status`] are CPython's tables and rules.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod archive;
mod buffer;
mod cgi;
mod config;
mod connection;
pub mod date;
mod entries;
mod environment;
pub mod error_page;
mod escape;
mod exchange;
mod files;
mod fold;
mod fs;
mod guard;
mod handler;
mod hosts;
mod https;
pub mod listing;
pub mod log;
mod lower;
pub mod mime;
mod natural;
mod number;
mod path;
pub mod range;
mod reply;
mod script;
pub mod status;
mod style;
mod upload;
mod want;
mod weight;

pub use buffer::Buffer;
pub use cgi::Cgi;
pub use config::{Config, Limits, Patience, Protocol};
pub use connection::{Connection, Delivery, Rest};
pub use entries::{Entries, Entry};
pub use error_page::ErrorPage;
pub use escape::Html;
pub use exchange::Exchange;
pub use files::Files;
pub use fs::{Create, FileSystem, FileVersion, FsError, Meta, Opened, Program, Waiter};
pub use guard::{Credentials, Guard};
pub use handler::{Event, Handler, Next, from_fn};
pub use hosts::Hosts;
pub use listing::{Directory, ListDirectory};
pub use path::{Path, decode};
#[doc(no_inline)]
pub use sanserve_wire as wire;
pub use upload::Upload;
pub use want::{Ask, Got, Now, Phase, Step, Want};
