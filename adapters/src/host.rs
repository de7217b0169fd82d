//! The seam for hosts that speak HTTP themselves, such as `wasi:http`, a browser or axum.
//!
//! The host has parsed the request and will frame the reply. Behind that a connection serves as
//! everywhere: [`Request`] is what it reads, the head written down again as the client may have sent
//! it; [`Reply`] takes apart what it writes. It is told to speak HTTP/1.0 ([`config`]), so that a reply
//! is framed by its length or its end, and the host frames it as it likes. Status, fields and content
//! are those of every adapter.
//!
//! ```
//! use sanserve::host::{self, Piece, Reply, Request};
//! use sanserve::{Flash, Node};
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
//!         Want::Fill { file, at, into } => SITE.fill(file, at, into),
//!         Want::Give { file, from } => SITE.give(file, from),
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

use alloc::string::String;
use alloc::vec::Vec;
use core::error;
use core::fmt::{self, Write};

use sanserve_core::{Buffer, Config, Protocol};

/// The configuration for a connection behind a host: this one, but for the protocol.
pub fn config(config: Config) -> Config {
    Config {
        protocol: Protocol::Http10,
        ..config
    }
}

/// A request, as the bytes that a connection reads.
#[derive(Debug)]
pub struct Request {
    waiting: Buffer,
    /// The content comes in chunks, the last of which is still to come.
    chunked: bool,
}

impl Request {
    /// Its head. `target` is path and query, or `*`. `authority` becomes the field `Host`, if there
    /// is none. Fields that speak of the host's own connection are left out. `content` says whether
    /// there may be content; where no field tells its length it goes in chunks.
    ///
    /// The host has checked all of it: none of these holds a line break.
    pub fn new<'a>(
        method: &str,
        target: &str,
        authority: Option<&str>,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        content: bool,
    ) -> Request {
        let mut head = Buffer::new();
        let _ = write!(head, "{method} {target} HTTP/1.1\r\n"); // a buffer takes everything
        let mut field = |name: &str, value: &[u8]| {
            head.push(name.as_bytes());
            head.push(b": ");
            head.push(value);
            head.push(b"\r\n");
        };
        let (mut host, mut length) = (false, false);
        for (name, value) in fields {
            if !is_of_connection(name) {
                host |= name.eq_ignore_ascii_case("host");
                length |= name.eq_ignore_ascii_case("content-length");
                field(name, value);
            }
        }
        if !host {
            field("Host", authority.unwrap_or("localhost").as_bytes());
        }
        let chunked = content && !length;
        if chunked {
            field("Transfer-Encoding", b"chunked");
        }
        head.push(b"\r\n");
        Request {
            waiting: head,
            chunked,
        }
    }

    /// Whether all that is known of it was read. Before it is read again the host has to give
    /// [`content`](Self::content) or tell that it has [ended](Self::end).
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds content.
    pub fn content(&mut self, bytes: &[u8]) {
        if self.chunked && !bytes.is_empty() {
            let _ = write!(self.waiting, "{:x}\r\n", bytes.len());
        }
        self.waiting.push(bytes);
        if self.chunked && !bytes.is_empty() {
            self.waiting.push(b"\r\n");
        }
    }

    /// The content was whole. Where it broke off this is not called, and it is not taken for whole.
    pub fn end(&mut self) {
        if core::mem::take(&mut self.chunked) {
            self.waiting.push(b"0\r\n\r\n");
        }
    }

    /// Reads some of it; 0 says that no more will come.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let n = self.waiting.len().min(into.len());
        into[..n].copy_from_slice(&self.waiting.filled()[..n]);
        self.waiting.eat(n);
        n
    }
}

/// A reply, as it is taken from what a connection writes.
#[derive(Debug)]
pub struct Reply {
    /// What there is of the head, until that is whole.
    head: Option<Vec<u8>>,
    /// How much content is still to come, if that is known.
    left: Option<u64>,
    /// It answers HEAD.
    is_head: bool,
}

/// What comes first in the bytes that a connection writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// So many bytes, which are not for the host.
    Skip(usize),
    /// So many bytes, which complete the head. What follows is content.
    Head(usize, Head),
    /// All of these are content, and count as sent.
    Content(&'a [u8]),
}

/// The head of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status: 200.
    pub status: u16,
    /// Its fields, in their order, but for those that speak of a connection.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Whether content may follow: not after HEAD, nor with 204 or 304, whatever its length is said to
    /// be (RFC 9110 §8.6).
    pub content: bool,
}

impl Reply {
    /// The reply to a request with this method.
    pub fn new(method: &str) -> Reply {
        Reply {
            head: Some(Vec::new()),
            left: None,
            is_head: method == "HEAD",
        }
    }

    /// How much content is still to come, if a length was given.
    pub fn left(&self) -> Option<u64> {
        self.left
    }

    /// Takes what is wanted to be written. Interim replies, which are the host's, are left out.
    ///
    /// # Errors
    /// If it is no head of a reply that can be read: one with hundreds of fields.
    pub fn take<'a>(&mut self, from: &'a [u8]) -> Result<Piece<'a>, Broken> {
        let Some(bytes) = &mut self.head else {
            let n = from.len() as u64;
            self.left = self.left.map(|left| left.saturating_sub(n));
            return Ok(Piece::Content(from));
        };
        let before = bytes.len();
        bytes.extend(from);
        let Some((end, mut head)) = parse(bytes)? else {
            return Ok(Piece::Skip(from.len()));
        };
        if head.status < 200 {
            bytes.clear();
            return Ok(Piece::Skip(end - before));
        }
        self.head = None;
        head.content &= !self.is_head;
        if head.content {
            self.left = length(&head);
        }
        Ok(Piece::Head(end - before, head))
    }

    /// The connection closes.
    ///
    /// # Errors
    /// If the reply is not whole.
    pub fn end(&self) -> Result<(), Broken> {
        match (&self.head, self.left) {
            (Some(_), _) | (_, Some(1..)) => Err(Broken),
            _ => Ok(()),
        }
    }
}

/// There is no whole reply, and there will be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the reply broke off")
    }
}

impl error::Error for Broken {}

/// Reads the head of a reply, if it is all there, and says how long it is.
fn parse(bytes: &[u8]) -> Result<Option<(usize, Head)>, Broken> {
    let mut slots = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut reply = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(end) = reply.parse(bytes).map_err(|_| Broken)? else {
        return Ok(None);
    };
    let fields = reply.headers.iter();
    let fields = fields.filter(|field| !is_of_connection(field.name));
    let status = reply.code.ok_or(Broken)?;
    let head = Head {
        status,
        content: !matches!(status, 204 | 304),
        fields: fields
            .map(|field| (field.name.into(), field.value.into()))
            .collect(),
    };
    Ok(Some((end, head)))
}

/// The length of the content, as the head tells it.
fn length(head: &Head) -> Option<u64> {
    let mut fields = head.fields.iter();
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    str::from_utf8(value).ok()?.parse().ok()
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

/// How many fields a reply may have: more than any handler sends.
const FIELDS_MAX: usize = 128;
