//! The seam for hosts that speak HTTP themselves, such as `wasi:http`, a browser or axum.
//!
//! The host has parsed the request and will frame the reply. Behind that a connection serves as
//! everywhere: [`Request`] is what it reads, the head written down again as the client may have sent
//! it; [`Reply`] takes apart what it writes. It is told to speak HTTP/1.1 ([`config`]) and to close, so
//! that one reply comes, framed by its length or in chunks, and one that breaks off is known from one
//! that is whole; the host frames it as it likes. Status, fields and content are those of every
//! adapter.
//!
//! ```
//! use sanserve_server::host::{self, Piece, Reply, Request};
//! use sanserve_server::{Flash, Node};
//! use sanserve_core::{Config, Connection, FileSystem, Files, Got, Now, Want};
//!
//! static SITE: Flash = Flash::new(&[Node::file("a.txt", b"hello\n")]);
//!
//! let fields = [("Range", &b"bytes=1-3"[..])];
//! let mut request = Request::new("GET", "/a.txt", Some("host"), fields, false);
//! let (mut reply, mut status, mut content) = (Reply::new("GET"), 0, Vec::new());
//! let mut conn = Connection::new(host::config(Config::default()), "-", Files::new());
//! let mut got = Got::Nothing;
//! loop {
//!     got = match conn.step(Now::default(), got).want {
//!         Want::Read(into) => Got::Bytes(request.read(into)), // before that, `is_empty` asks for content
//!         Want::Write(from) => match reply.take(from)? {
//!             Piece::Skip(n) => Got::Bytes(n),
//!             Piece::Head(n, head) => {
//!                 status = head.status; // begin the host's reply here
//!                 Got::Bytes(n)
//!             }
//!             Piece::Content(bytes) => {
//!                 content.extend(bytes); // hand them to the host here
//!                 Got::Bytes(bytes.len())
//!             }
//!         },
//!         Want::ReadFile { file, at, into } => SITE.fill(file, at, into),
//!         Want::WriteFile { file, from } => SITE.answer_write(file, from),
//!         Want::Commit { file } => Got::Committed(SITE.commit(file)),
//!         Want::Wait => Got::Woken,
//!         Want::Upgrade => unreachable!("no upgrade is allowed"),
//!         Want::Ask(ask) => SITE.answer(ask),
//!         Want::Copy { .. } => unreachable!("no file here is sendable"),
//!         Want::Log(_) | Want::Shutdown => Got::Nothing,
//!         Want::Close => break,
//!     };
//! }
//! reply.end()?; // or else the host must not end its reply as if it were whole
//! assert_eq!((status, &content[..]), (206, &b"ell"[..]));
//! # Ok::<(), host::Broken>(())
//! ```

mod reply;
mod request;

use sanserve_core::{Config, Protocol};

pub use self::reply::{Broken, Head, Piece, Reply};
pub use self::request::Request;

/// The configuration for a connection behind a host: this one, but for the protocol, and that it says nothing of
/// how long the connection stays.
#[must_use]
pub fn config(config: Config) -> Config {
    config
        .with_protocol(Protocol::Http11)
        .with_keep_alive(false)
}

/// Whether a field speaks of one connection, which is the host's.
fn is_of_connection(name: &str) -> bool {
    OF_CONNECTION
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other))
}

const OF_CONNECTION: [&str; 6] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "expect",
];
