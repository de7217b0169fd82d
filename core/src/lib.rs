//! An HTTP/1.1 file server as a state machine without I/O. It reads no socket, opens no file, reads no clock and starts
//! no thread: it returns what it *wants* next, and takes the result.
//!
//! For a server on `std::net`, mio or tokio use the crate `sanserve-server`. Use this one to write a handler, a file
//! system for unusual files, or an adapter for another runtime.
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
//! - [`Connection`]: the protocol. It owns the buffers of one connection, and nothing that the peer sends makes it fail.
//! - [`Want`] and [`Got`]: the operation that it wants next, and the result.
//! - [`Handler`]: answers requests. [`Next`] and [`Event`] are the same one level up: what the handler needs next, and
//!   the result. [`Files`] serves files; [`Cgi`], [`Upload`], [`Guard`] and [`Hosts`] add scripts, uploads, passwords
//!   and virtual hosts; you can write your own.
//! - [`FileSystem`]: the files. It answers [`Want::Ask`], [`Want::ReadFile`], [`Want::WriteFile`] and [`Want::Commit`].
//! - [`Config`]: limits and deadlines, none of which can be switched off.
//!
//! # A handler
//!
//! [`from_async_fn`] turns an asynchronous function into a handler, which reads content, opens files and waits, without
//! a runtime. For a reply that needs no wait, [`from_fn`] is enough. Both build on the trait [`Handler`], which you can
//! implement as well.
//!
//! ```
//! use sanserve_core::{AsyncExchange, HttpError, from_async_fn};
//!
//! async fn echo(ex: AsyncExchange) -> Result<(), HttpError> {
//!     match ex.path() {
//!         "/echo" => {
//!             let content = ex.read_all(65_536).await?;
//!             ex.reply(200, "text/plain", content).await;
//!             Ok(())
//!         }
//!         _ => Err(HttpError::new(404, "There is only /echo")),
//!     }
//! }
//!
//! let handler = from_async_fn(echo);
//! # _ = handler;
//! ```
//!
//! To run it, pass a function that returns it to a server of `sanserve-server`, or pass it to the [loop](#the-loop)
//! below in place of `Files::new()`. In a loop without a file system, name the type of open files:
//! `Connection::<(), _>::new(…)`.
//!
//! # The contract of an adapter
//!
//! - Each want gets one answer: the value of the adapter's `match` is the argument of the next
//!   [`step`](Connection::step).
//! - Partial reads and writes are fine, even of a single byte. [`Got::Bytes(0)`](Got::Bytes) in answer to `Read` or
//!   `ReadFile` means the end.
//! - [`Got::Nothing`] means "not yet, ask again". After [`Step::deadline`], the connection handles the timeout.
//! - [`Got::Refused`] is an error of a file or CGI process. [`Got::Failed`] means that the transport is broken;
//!   [`Want::Close`] follows.
//! - The time is passed to `step`, and nowhere else.
//!
//! # The loop
//!
//! This is a whole adapter, for a peer that sends all its input at the start:
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
//! - To write a handler: [`from_async_fn`] and [`AsyncExchange`], or [`Handler`] and [`Exchange`], which has the names of Python's `BaseHTTPRequestHandler`.
//! - To serve files with other settings: [`Files`]. To serve files from elsewhere: [`FileSystem`], and [`archive`] for
//!   directories as zip and tar.
//! - To write an adapter: [`Want`], [`Got`] and [`Step`]. The guide `docs/porting.md` in the repository covers
//!   deadlines, TLS and uploads, and the crate `sanserve-conformance` has test cases for adapters.
//! - To change limits and deadlines: [`Config`], with the defaults.
//! - To parse HTTP without the engine: [`wire`].
//!
//! # Inside
//!
//! ```text
//!   service   Files, Cgi, Upload, Guard, Hosts, listing, archive     handlers, like your own
//!   engine    Connection, Exchange, Handler, Config, log, error_page the protocol
//!   fs        FileSystem, Path, Entries, Ask, Got, Meta              the files
//!   text      date, mime, status, range                              tables and rules
//! ```
//!
//! Each layer imports only from those below it, and from [`wire`], the parser.
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
mod sync;
mod text;

#[doc(no_inline)]
pub use form_urlencoded;
#[doc(no_inline)]
pub use sanserve_wire as wire;

pub use engine::{AsyncExchange, AsyncHandler, HttpError, from_async_fn};
pub use engine::{
    Buffer, Client, Config, Connection, Delivery, ErrorPage, Event, Exchange, FindClient, Handler,
    Limits, LocalOffset, Next, Now, Timeouts,
};
pub use engine::{
    Parked, Phase, Protocol, Step, Upgraded, Want, WriteErrorPage, error_page, from_fn, log,
};
pub use fs::{ArchiveFormat, CgiScript, Waiter, percent_decode};
pub use fs::{
    ArchiveRequest, Ask, Change, Create, Credentials, Entries, Entry, FileSystem, FileVersion,
    FsError, Got, Meta, Opened, Path, Right, Rights, Who,
};
pub use fs::{UnfinishedUpload, UploadOwner, UploadRequest, UploadState, UploadToken};
pub use service::listing::{Directory, ListDirectory};
pub use service::{
    Cgi, CgiSettings, FileSettings, Files, Guard, HostNames, Hosts, ResumableUploads, RightsOf,
    ShowReadme, Upload, archive, disposition, listing,
};
pub use service::{ChooseArchive, GuessType, SendDisposition, TranslatePath};
pub use service::{ProxyError, TrustedProxies};
pub use sync::Arc;
pub use text::escape::Html;
pub use text::{date, mime, range, status};
