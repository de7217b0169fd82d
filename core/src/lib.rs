//! An HTTP/1.1 file server as a state machine without I/O. It reads no socket, opens no file, knows no clock and starts no
//! thread: it returns what it *wants*, and takes the result.
//!
//! For a server on `std::net`, mio or tokio take the crate `sanserve-server`. Take this one to write a handler, a file system
//! for unusual files, or an adapter for a runtime that has none.
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
//! - [`Want`] and [`Got`]: what it wants next, one thing at a time, and the result.
//! - [`Handler`]: answers requests. [`Event`] and [`Next`] are its own `Got` and `Want`. [`Files`] serves files; [`Cgi`],
//!   [`Upload`], [`Guard`] and [`Hosts`] add scripts, uploads, passwords and virtual hosts; yours may be another.
//! - [`FileSystem`]: answers [`Want::Ask`], [`Want::ReadFile`] and [`Want::WriteFile`].
//! - [`Config`]: limits and deadlines. None of them can be switched off.
//!
//! # A handler
//!
//! [`from_fn`] makes one of a function; [`Handler`] is the trait for those that read content, open files or wait.
//!
//! ```
//! let hello = sanserve_core::from_fn(|ex| match ex.path() {
//!     "/hello" => {
//!         ex.send_response(200);
//!         ex.send_header("Content-Length", 6);
//!         ex.end_headers();
//!         ex.write(b"hello\n");
//!         sanserve_core::Next::Done
//!     }
//!     _ => ex.send_error(404, "There is only /hello"),
//! });
//! # _ = hello;
//! ```
//!
//! # The contract of an adapter
//!
//! - Each want gets one answer: the value of the adapter's `match` is the argument of the next [`step`](Connection::step).
//! - A part of what was wanted is enough, be it one byte. [`Got::Bytes(0)`](Got::Bytes) to a `Read` or `ReadFile` is the end.
//! - [`Got::Nothing`] means "ask me again". Past [`Step::deadline`] the connection then does what follows from that.
//! - [`Got::Refused`] is what a file or program cannot do. [`Got::Failed`] says that the transport is gone; [`Want::Close`] follows.
//! - Time enters through `step` and nowhere else.
//!
//! # The loop
//!
//! This is a whole adapter, for a peer whose whole input is there at the start:
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
//!                 meta: Meta::new(6),
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
//!         Want::ReadFile { file, at, into } => OneFile.fill(file, at, into),
//!         Want::Copy { .. } => unreachable!("no file here is sendable"),
//!         Want::WriteFile { file, from } => OneFile.answer_write(file, from),
//!         Want::Commit { file } => Got::Committed(OneFile.commit(file)),
//!         Want::Ask(ask) => OneFile.answer(ask),
//!         Want::Log(lines) => {
//!             eprint!("{lines}");
//!             Got::Nothing
//!         }
//!         Want::Wait => Got::Woken,
//!         Want::Upgrade => unreachable!("no upgrade is allowed here"),
//!         Want::Shutdown => Got::Nothing,
//!         Want::Close => break,
//!     };
//! }
//! assert!(output.starts_with(b"HTTP/1.0 200 OK\r\n") && output.ends_with(b"\r\n\r\nhello\n"));
//! ```
//!
//! # Where next
//!
//! - A handler: [`Handler`] and [`Exchange`], which has the names of Python's `BaseHTTPRequestHandler`.
//! - Files with your own settings: [`Files`]. Files from elsewhere: [`FileSystem`], and [`archive`] for directories as zip and tar.
//! - An adapter: [`Want`], [`Got`] and [`Step`]; the guide `docs/porting.md` in the repository has deadlines, TLS and uploads, and
//!   the crate `sanserve-conformance` has the cases that show whether it is right.
//! - Limits and deadlines: [`Config`], with the defaults in numbers.
//! - The parser alone: [`wire`].
//!
//! # Inside
//!
//! ```text
//!   service   Files, Cgi, Upload, Guard, Hosts, listing, archive     handlers, as yours is one
//!   engine    Connection, Exchange, Handler, Config, log, error_page the protocol
//!   fs        FileSystem, Path, Entries, Ask, Got, Meta              what is served
//!   text      date, mime, status, range                              tables and rules
//! ```
//!
//! No floor imports from one above it. [`wire`], the parser alone, stands beside them.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(missing_debug_implementations)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
#![warn(clippy::must_use_candidate, clippy::missing_errors_doc)]

extern crate alloc;

mod engine;
mod fs;
mod service;
mod text;

#[doc(no_inline)]
pub use sanserve_wire as wire;

pub use engine::{
    Buffer, Config, Connection, Delivery, ErrorPage, Event, Exchange, Handler, Limits, LocalOffset,
    Next, Now, Timeouts,
};
pub use engine::{
    Parked, Phase, Protocol, Step, Upgraded, Want, WriteErrorPage, error_page, from_fn, log,
};
pub use fs::{ArchiveFormat, CgiScript, Waiter, percent_decode};
pub use fs::{
    ArchiveRequest, Ask, Create, Credentials, Entries, Entry, FileSystem, FileVersion, FsError,
    Got, Meta, Opened, Path,
};
pub use service::listing::{Directory, ListDirectory};
pub use service::{
    Cgi, CgiSettings, FileSettings, Files, Guard, HostNames, Hosts, Upload, archive, listing,
};
pub use service::{ChooseArchive, GuessType, TranslatePath};
pub use text::escape::Html;
pub use text::{date, mime, range, status};
