//! [`Body`]: where the content of a request ends, and which of its bytes are content.

use super::syntax::are_extensions;
use super::{Bad, Head, Version, marks};

/// The content of a request on its way in. It holds no bytes: it says what the next ones are.
///
/// ```
/// # use sanserve_core::{Limits, wire::{Bad, Body, Head, Piece}};
/// # fn main() -> Result<(), Bad> {
/// let mut rest: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
/// let mut head = Head::new();
/// assert_eq!(head.parse(&rest[..9], &Limits::default())?, None); // come again with more
/// let n = head.parse(rest, &Limits::default())?.expect("all of it is there");
/// assert_eq!((head.command(), head.path(), head.field("HOST")), ("POST", "/", Some("h")));
/// rest = &rest[n..];
/// let (mut body, mut content) = (Body::of(&head)?, Vec::new());
/// loop {
///     let n = match body.next(rest)? {
///         Piece::Data(n) => {
///             content.extend_from_slice(&rest[..n]);
///             n
///         }
///         Piece::Skip(n) => n, // sizes of chunks, and the like
///         Piece::More => break, // read more of it, and ask again with what is left
///         Piece::End => break,
///     };
///     rest = &rest[n..];
/// }
/// assert_eq!(content, b"abc");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    state: State,
    /// How many bytes of chunk extensions are still taken.
    extensions_left: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// So many bytes are left of a plain or chunked stretch of content.
    Data { left: u64, chunked: bool },
    /// The line with a chunk's size comes next.
    Size,
    /// The CR LF behind a chunk comes next.
    ChunkEnd,
    /// Fields, perhaps, and an empty line come next; their end does not begin before this offset.
    Trailer(usize),
    /// All is over.
    End,
}

/// What the next bytes of the input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The next so many bytes are content.
    Data(usize),
    /// The next so many bytes are framing: drop them.
    Skip(usize),
    /// Not enough is there to tell.
    More,
    /// The content is complete; what follows is the next request.
    End,
}

impl Body {
    /// No content.
    pub const EMPTY: Body = Body::new(State::End);

    const fn new(state: State) -> Self {
        Body {
            state,
            extensions_left: EXTENSIONS_MAX,
        }
    }

    /// How the content of a request is framed (RFC 9112 §6.3).
    ///
    /// # Errors
    /// Whatever two readers could understand in two ways.
    pub fn of(head: &Head) -> Result<Body, Bad> {
        const FRAMING: u64 = marks(&["transfer-encoding", "content-length"]);
        if !head.may_have(FRAMING) {
            return Ok(Body::EMPTY);
        }
        let mut codings = head.values("transfer-encoding");
        let mut lengths = head.values("content-length");
        let (coding, length) = (codings.next(), lengths.next());
        if codings.next().is_some() {
            return Err(Bad::Coding);
        }
        if lengths.next().is_some() {
            return Err(if coding.is_some() {
                Bad::Coding
            } else {
                Bad::Length
            });
        }
        match (coding, length) {
            (None, None) => Ok(Body::EMPTY),
            (None, Some(length)) => Body::counted(length),
            (Some(_), Some(_)) => Err(Bad::Coding),
            (Some(_), _) if head.version() < Version::Http11 => Err(Bad::Coding),
            (Some(codings), None) => Body::coded(codings),
        }
    }

    /// Chunked it must be, last and once (RFC 9112 §6.1). What else it may be is not known here.
    fn coded(codings: &str) -> Result<Body, Bad> {
        let mut codings = codings
            .rsplit(',')
            .map(|coding| coding.trim_matches([' ', '\t']));
        let is_chunked = |coding: &str| coding.eq_ignore_ascii_case("chunked");
        if !codings.next().is_some_and(is_chunked) {
            return Err(Bad::Coding);
        }
        let mut others = false;
        for coding in codings {
            if coding.is_empty() || is_chunked(coding) {
                return Err(Bad::Coding);
            }
            others = true;
        }
        if others {
            return Err(Bad::UnknownCoding);
        }
        Ok(Body::new(State::Size))
    }

    fn counted(length: &str) -> Result<Body, Bad> {
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Bad::Length);
        }
        let left = length.parse().map_err(|_| Bad::Length)?;
        Ok(Body::new(match left {
            0 => State::End,
            _ => State::Data {
                left,
                chunked: false,
            },
        }))
    }

    /// How many bytes of content are still to come, if that is known.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::End => Some(0),
            State::Data {
                left,
                chunked: false,
            } => Some(left),
            _ => None,
        }
    }

    /// Says what the first bytes of `input` are, and counts on their being used: come again with
    /// what follows them.
    ///
    /// # Errors
    /// [`Bad::Chunk`], or [`Bad::FieldsTooLong`] for the trailer.
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, Bad> {
        self.next_up_to(input, usize::MAX)
    }

    /// The same with at most `max` bytes in a [`Piece::Data`].
    pub(crate) fn next_up_to(&mut self, input: &[u8], max: usize) -> Result<Piece, Bad> {
        match self.state {
            State::End => Ok(Piece::End),
            State::Data { .. } if input.is_empty() => Ok(Piece::More),
            State::Data { left, chunked } => {
                let n = input.len().min(max);
                let n = n.min(usize::try_from(left).unwrap_or(usize::MAX));
                self.state = match left - n as u64 {
                    0 if chunked => State::ChunkEnd,
                    0 => State::End,
                    left => State::Data { left, chunked },
                };
                Ok(Piece::Data(n))
            }
            State::Size => self.size(input),
            State::ChunkEnd => match input {
                [] | [b'\r'] => Ok(Piece::More),
                [b'\r', b'\n', ..] => self.skip(2, State::Size),
                _ => Err(Bad::Chunk),
            },
            State::Trailer(at) => self.trailer(input, at),
        }
    }

    fn skip(&mut self, n: usize, then: State) -> Result<Piece, Bad> {
        self.state = then;
        Ok(Piece::Skip(n))
    }

    /// Hexadecimal digits, perhaps an extension, CR LF. No bare LF: a reader who takes the line to
    /// go on would see other chunks than we do.
    fn size(&mut self, input: &[u8]) -> Result<Piece, Bad> {
        let (end, rest) = match input
            .iter()
            .take(CHUNK_LINE_MAX)
            .position(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            Some(end) => (end, &input[end..]),
            None if input.len() < CHUNK_LINE_MAX => return Ok(Piece::More),
            None => return Err(Bad::Chunk),
        };
        match rest {
            [b'\r'] => return Ok(Piece::More),
            [b'\r', b'\n', ..] => {}
            _ => return Err(Bad::Chunk),
        }
        let line = &input[..end];
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (digits, extensions) = line.split_at(digits.count());
        let left = self.extensions_left.checked_sub(extensions.len());
        self.extensions_left = left.ok_or(Bad::Chunk)?;
        if digits.is_empty() || digits.len() > 16 || !are_extensions(extensions) {
            return Err(Bad::Chunk);
        }
        let size = digits.iter().fold(0, |size, &byte| {
            size << 4 | u64::from(char::from(byte).to_digit(16).unwrap_or(0))
        });
        let then = match size {
            0 => State::Trailer(0),
            left => State::Data {
                left,
                chunked: true,
            },
        };
        self.skip(end + 2, then)
    }

    /// Field lines are checked and dropped (RFC 9112 §7.1.2 leaves that open).
    fn trailer(&mut self, input: &[u8], at: usize) -> Result<Piece, Bad> {
        match input {
            [] | [b'\r'] => return Ok(Piece::More),
            [b'\r', b'\n', ..] => return self.skip(2, State::End),
            _ => {}
        }
        let reach = &input[..input.len().min(TRAILER_MAX)];
        let empty = reach[at..].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = empty.map(|len| at + len + 4) else {
            self.state = State::Trailer(reach.len().saturating_sub(3));
            return if reach.len() < TRAILER_MAX {
                Ok(Piece::More)
            } else {
                Err(Bad::FieldsTooLong)
            };
        };
        let mut lines = input[..end].split_inclusive(|&byte| byte == b'\n');
        if !lines.all(|line| line.ends_with(b"\r\n")) {
            return Err(Bad::Chunk);
        }
        let mut slots = [httparse::EMPTY_HEADER; 16];
        match httparse::parse_headers(&input[..end], &mut slots) {
            Ok(httparse::Status::Complete((taken, _))) if taken == end => {
                self.skip(end, State::End)
            }
            Err(httparse::Error::TooManyHeaders) => Err(Bad::TooManyFields),
            _ => Err(Bad::Chunk),
        }
    }
}

/// How long the line with a chunk's size may be, extensions included.
/// The line is looked at anew with each piece that comes, so this also bounds the work that a peer
/// can cause.
const CHUNK_LINE_MAX: usize = 256;

/// How long all chunk extensions of a request together may be. Nobody has a use for them but who
/// wants a server to read for ever.
const EXTENSIONS_MAX: usize = 4096;

/// How long a trailer may be.
const TRAILER_MAX: usize = 4096;
