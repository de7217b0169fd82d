//! [`Reply`]: parses the reply that a connection writes into its head and its content, for the host. Removes the
//! framing and the fields that apply only to a single connection.

use alloc::string::String;
use alloc::vec::Vec;
use core::{error, fmt};

use super::is_hop_by_hop;

/// A reply, parsed incrementally.
#[derive(Debug)]
pub struct Reply {
    /// The bytes of the head, until it is complete.
    head: Option<Vec<u8>>,
    /// Whether it is a reply to HEAD.
    is_head: bool,
    /// How the end of the content is found.
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    /// No content follows.
    Nothing,
    /// This many bytes are left.
    Length(u64),
    /// This many bytes of a chunk are left.
    Chunk(u64),
    /// In the line with the size of a chunk, or the end of the line after a chunk.
    Line(Option<u64>),
    /// After the last chunk; an empty line is still to come.
    Last,
}

/// The first part of the bytes that a connection writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a caller has to handle every kind of piece"
)]
pub enum Piece<'a> {
    /// This many bytes are not for the host.
    Skip(usize),
    /// This many bytes complete the head. The content follows.
    Head(usize, Head),
    /// All of these bytes are content, and count as sent.
    Content(&'a [u8]),
}

/// The head of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The status, such as 200.
    pub status: u16,
    /// The fields in order, without those for a single connection.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Whether content may follow: not after HEAD, nor with 204 or 304, whatever the length says (RFC 9110 §8.6).
    pub content: bool,
}

impl Reply {
    /// Creates the parser for a reply to a request with this method.
    #[must_use]
    pub fn new(method: &str) -> Reply {
        Reply {
            head: Some(Vec::new()),
            is_head: method == "HEAD",
            framing: Framing::Nothing,
        }
    }

    /// Returns the length of the remaining content, if the reply has a length.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match (&self.head, &self.framing) {
            (None, Framing::Length(left)) => Some(*left),
            _ => None,
        }
    }

    /// Takes bytes that the connection wants to write. Interim replies are skipped, because they are the task
    /// of the host.
    ///
    /// # Errors
    /// If the head cannot be parsed, for example because it has more than 128 fields.
    pub fn take<'a>(&mut self, from: &'a [u8]) -> Result<Piece<'a>, IncompleteReply> {
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

    fn take_head<'a>(&mut self, from: &[u8]) -> Result<Piece<'a>, IncompleteReply> {
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
            length => Framing::Length(length.ok_or(IncompleteReply)?),
        };
        Ok(Piece::Head(end - before, head))
    }

    /// Skips the framing between chunks. A connection writes only their sizes there.
    fn skip(&mut self, from: &[u8]) -> Result<usize, IncompleteReply> {
        for (at, byte) in from.iter().enumerate() {
            self.framing = match (&self.framing, byte) {
                (Framing::Line(Some(0)), b'\n') => Framing::Last,
                (Framing::Line(Some(size)), b'\n') => Framing::Chunk(*size),
                (Framing::Line(None) | Framing::Chunk(0), b'\n') => Framing::Line(None),
                (Framing::Last, b'\n') => Framing::Nothing,
                (Framing::Nothing | Framing::Length(_), _) => return Err(IncompleteReply),
                (_, b'\r') => continue,
                (Framing::Line(size), digit) => {
                    let digit = char::from(*digit).to_digit(16).ok_or(IncompleteReply)?;
                    Framing::Line(Some(size.unwrap_or(0) << 4 | u64::from(digit)))
                }
                _ => return Err(IncompleteReply),
            };
            if let Framing::Chunk(_) = self.framing {
                return Ok(at + 1);
            }
        }
        Ok(from.len())
    }

    /// Counts content that was sent to the host in another way: in answer to [`Want::Copy`], which occurs only
    /// if the reply has a length.
    ///
    /// [`Want::Copy`]: sanserve_core::Want::Copy
    pub fn sent(&mut self, n: u64) {
        if let Framing::Length(left) = &mut self.framing {
            *left = left.saturating_sub(n);
        }
    }

    /// Checks that the reply is complete, when the connection closes.
    ///
    /// # Errors
    /// If the reply is incomplete.
    pub fn end(&self) -> Result<(), IncompleteReply> {
        match (&self.head, &self.framing) {
            (None, Framing::Nothing | Framing::Length(0)) => Ok(()),
            _ => Err(IncompleteReply),
        }
    }
}

/// The reply is incomplete, and no more of it will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it has no content")]
pub struct IncompleteReply;

impl fmt::Display for IncompleteReply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the reply is incomplete")
    }
}

impl error::Error for IncompleteReply {}

/// Parses the head of a reply, if it is complete. Returns its length, and whether chunks follow.
fn parse(bytes: &[u8]) -> Result<Option<(usize, bool, Head)>, IncompleteReply> {
    let mut slots = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut reply = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(end) = reply.parse(bytes).map_err(|_| IncompleteReply)? else {
        return Ok(None);
    };
    let is_coding = |name: &str| name.eq_ignore_ascii_case("transfer-encoding");
    let chunked = reply.headers.iter().any(|field| is_coding(field.name));
    let fields = reply.headers.iter();
    let fields = fields.filter(|field| !is_hop_by_hop(field.name));
    let status = reply.code.ok_or(IncompleteReply)?;
    let head = Head {
        status,
        content: !matches!(status, 204 | 304),
        fields: fields
            .map(|field| (field.name.into(), field.value.into()))
            .collect(),
    };
    Ok(Some((end, chunked, head)))
}

/// Returns the length of the content according to the head.
fn length(head: &Head) -> Option<u64> {
    let mut fields = head.fields.iter();
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    str::from_utf8(value).ok()?.parse().ok()
}

/// The maximum number of fields in a reply, more than any handler sends.
const FIELDS_MAX: usize = 128;
