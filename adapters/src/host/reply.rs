//! [`Reply`]: what a connection writes, taken apart for the host.

use alloc::string::String;
use alloc::vec::Vec;
use core::{error, fmt};

use super::is_of_connection;

/// A reply, as it is taken from what a connection writes.
#[derive(Debug)]
pub struct Reply {
    /// What there is of the head, until that is whole.
    head: Option<Vec<u8>>,
    /// It answers HEAD.
    is_head: bool,
    /// Where its content ends.
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    /// Nothing follows.
    Nothing,
    /// After so many bytes.
    Length(u64),
    /// After so many bytes the next chunk begins.
    Chunk(u64),
    /// The line with a chunk's size is being read, or the empty one behind a chunk.
    Line(Option<u64>),
    /// The last chunk was there; an empty line is still to come.
    Last,
}

/// What comes first in the bytes that a connection writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "whoever feeds a reply to a host has to do something with every piece"
)]
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
#[non_exhaustive]
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
    #[must_use]
    pub fn new(method: &str) -> Reply {
        Reply {
            head: Some(Vec::new()),
            is_head: method == "HEAD",
            framing: Framing::Nothing,
        }
    }

    /// How much content is still to come, if a length was given.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        match (&self.head, &self.framing) {
            (None, Framing::Length(left)) => Some(*left),
            _ => None,
        }
    }

    /// Takes what is wanted to be written. Interim replies, which are the host's, are left out.
    ///
    /// # Errors
    /// If it is no head of a reply that can be read: one with hundreds of fields.
    pub fn take<'a>(&mut self, from: &'a [u8]) -> Result<Piece<'a>, Broken> {
        if self.head.is_some() {
            return self.take_head(from);
        }
        let (Framing::Length(left @ 1..) | Framing::Chunk(left @ 1..)) = &mut self.framing else {
            return self.skip(from).map(Piece::Skip);
        };
        let n = from.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= n as u64;
        Ok(Piece::Content(&from[..n]))
    }

    fn take_head<'a>(&mut self, from: &[u8]) -> Result<Piece<'a>, Broken> {
        let bytes = self.head.get_or_insert_default();
        let before = bytes.len();
        bytes.extend(from);
        let Some((end, chunked, mut head)) = parse(bytes)? else {
            return Ok(Piece::Skip(from.len()));
        };
        if head.status < 200 {
            bytes.clear();
            return Ok(Piece::Skip(end - before));
        }
        self.head = None;
        head.content &= !self.is_head;
        self.framing = match length(&head) {
            _ if !head.content => Framing::Nothing,
            _ if chunked => Framing::Line(None),
            length => Framing::Length(length.ok_or(Broken)?),
        };
        Ok(Piece::Head(end - before, head))
    }

    /// Passes over what parts the chunks. The connection writes their sizes and nothing else there.
    fn skip(&mut self, from: &[u8]) -> Result<usize, Broken> {
        for (at, byte) in from.iter().enumerate() {
            self.framing = match (&self.framing, byte) {
                (Framing::Line(Some(0)), b'\n') => Framing::Last,
                (Framing::Line(Some(size)), b'\n') => Framing::Chunk(*size),
                (Framing::Line(None) | Framing::Chunk(0), b'\n') => Framing::Line(None),
                (Framing::Last, b'\n') => Framing::Nothing,
                (Framing::Nothing | Framing::Length(_), _) => return Err(Broken),
                (_, b'\r') => continue,
                (Framing::Line(size), digit) => {
                    let digit = char::from(*digit).to_digit(16).ok_or(Broken)?;
                    Framing::Line(Some(size.unwrap_or(0) << 4 | u64::from(digit)))
                }
                _ => return Err(Broken),
            };
            if let Framing::Chunk(_) = self.framing {
                return Ok(at + 1);
            }
        }
        Ok(from.len())
    }

    /// So much content went to the host by another way: in answer to [`Want::Copy`], which comes only
    /// where a length was given.
    ///
    /// [`Want::Copy`]: sanserve_core::Want::Copy
    pub fn sent(&mut self, n: u64) {
        if let Framing::Length(left) = &mut self.framing {
            *left = left.saturating_sub(n);
        }
    }

    /// The connection closes.
    ///
    /// # Errors
    /// If the reply is not whole.
    pub fn end(&self) -> Result<(), Broken> {
        match (&self.head, &self.framing) {
            (None, Framing::Nothing | Framing::Length(0)) => Ok(()),
            _ => Err(Broken),
        }
    }
}

/// There is no whole reply, and there will be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "it is a value, and has nothing in it"
)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the reply is incomplete")
    }
}

impl error::Error for Broken {}

/// Reads the head of a reply, if it is all there; says how long it is, and whether chunks follow.
fn parse(bytes: &[u8]) -> Result<Option<(usize, bool, Head)>, Broken> {
    let mut slots = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut reply = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(end) = reply.parse(bytes).map_err(|_| Broken)? else {
        return Ok(None);
    };
    let is_coding = |name: &str| name.eq_ignore_ascii_case("transfer-encoding");
    let chunked = reply.headers.iter().any(|field| is_coding(field.name));
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
    Ok(Some((end, chunked, head)))
}

/// The length of the content, as the head tells it.
fn length(head: &Head) -> Option<u64> {
    let mut fields = head.fields.iter();
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    str::from_utf8(value).ok()?.parse().ok()
}

/// How many fields a reply may have: more than any handler sends.
const FIELDS_MAX: usize = 128;
