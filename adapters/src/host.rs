//! Lets hosts that speak HTTP themselves, such as `wasi:http`, a browser or axum, use the engine.
//!
//! The host has parsed the request and will frame the reply. Between the two is an ordinary connection: [`Request`]
//! serializes the request for it, and [`Reply`] parses what it writes. [`config`] configures it for HTTP/1.1 without
//! keep-alive, so that it writes one reply, with a length or in chunks, and an incomplete reply
//! can be recognized; the host frames it in its own way. Status, fields and content are the same as with every
//! other adapter.
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
//! reply.end()?; // if this fails, the host must not finish its reply
//! assert_eq!((status, &content[..]), (206, &b"ell"[..]));
//! # Ok::<(), host::IncompleteReply>(())
//! ```

mod reply;
mod request;

use sanserve_core::{Config, Protocol};

pub use self::reply::{Head, IncompleteReply, Piece, Reply};
pub use self::request::Request;

/// Returns the configuration for a connection behind a host: the given one, but with HTTP/1.1 and without keep-alive.
#[must_use]
pub fn config(config: Config) -> Config {
    config
        .with_protocol(Protocol::Http11)
        .with_keep_alive(false)
}

/// Returns whether a field applies only to a single connection (RFC 9110 §7.6.1), which here is the host's.
fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other))
}

const HOP_BY_HOP: [&str; 6] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "expect",
];
