//! [`Body`]: finds the content of a message in the input, and its end: by length, by chunks, or at the end of the
//! connection. Also parses trailer fields.

use super::syntax::{are_extensions, is_among};
use super::{Fields, NameBloom, ParseError, RequestHead, ResponseHead, Version};

/// The framing of the content of an incoming message. It stores no bytes, but says what the next bytes of the input
/// are.
///
/// ```
/// use sanserve_wire::{Body, Limits, ParseError, Piece, RequestHead};
///
/// # fn main() -> Result<(), ParseError> {
/// let mut rest: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
/// let mut head = RequestHead::new();
/// rest = &rest[head.parse(rest, &Limits::default())?.expect("a complete head")..];
/// let (mut body, mut content) = (Body::of_request(&head)?, Vec::new());
/// loop {
///     let n = match body.next(rest)? {
///         Piece::Data(n) => {
///             content.extend_from_slice(&rest[..n]);
///             n
///         }
///         Piece::Skip(n) => n, // chunk sizes, and the like
///         Piece::Trailers(n) => n, // see `Fields::parse_trailers`
///         Piece::More => break, // read more, and call again with what is left
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
    /// The number of bytes of chunk extensions that are still accepted.
    extensions_left: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// This many bytes are left of the content or of a chunk.
    Data { left: u64, chunked: bool },
    /// The line with the size of a chunk comes next.
    Size,
    /// The CR LF after a chunk comes next.
    ChunkEnd,
    /// The trailer section comes next; its end does not begin before this offset.
    Trailers(usize),
    /// Everything up to the end of the connection is content.
    UntilClose,
    /// The content is complete.
    End,
}

/// The meaning of the next bytes of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a reader that passes over a piece it does not know would lose content"
)]
pub enum Piece {
    /// This many bytes are content.
    Data(usize),
    /// This many bytes are framing: skip them.
    Skip(usize),
    /// This many bytes are the trailer fields, with the empty line after them. They are well formed: skip them, or
    /// parse them with [`Fields::parse_trailers`]. Content without trailer fields has no such piece.
    Trailers(usize),
    /// There is not enough input. Call again with the same bytes and more.
    More,
    /// The content is complete; what follows is the next message.
    End,
}

impl Piece {
    /// Returns the number of bytes of the input: 0 for [`More`](Self::More) and [`End`](Self::End).
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Piece::Data(n) | Piece::Skip(n) | Piece::Trailers(n) => n,
            Piece::More | Piece::End => 0,
        }
    }

    /// Returns whether the length is 0.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl Body {
    /// The framing of a message without content.
    pub const EMPTY: Body = Body::new(State::End);

    const fn new(state: State) -> Self {
        Body {
            state,
            extensions_left: EXTENSIONS_MAX,
        }
    }

    /// Returns the framing of a request's content (RFC 9112 §6.3).
    ///
    /// # Errors
    /// [`ParseError::ContentLength`], [`ParseError::TransferEncoding`] or [`ParseError::UnsupportedCoding`] where two
    /// recipients could see different ends.
    pub fn of_request(head: &RequestHead) -> Result<Body, ParseError> {
        let body = Body::by_fields(head.fields(), head.version())?;
        Ok(body.unwrap_or(Body::EMPTY))
    }

    /// Returns the framing of a response's content, for a request with this method (RFC 9112 §6.3):
    ///
    /// 1. There is no content in a response to `HEAD`, with a status below 200, 204 or 304, or after a successful
    ///    `CONNECT`, regardless of the fields; see also [`ResponseHead::ends_http`].
    /// 2. `Transfer-Encoding: chunked` and `Content-Length` count as in a request.
    /// 3. Otherwise the content ends with the connection: see [`is_until_close`](Self::is_until_close).
    ///
    /// ```
    /// use sanserve_wire::{Body, Limits, ResponseHead};
    ///
    /// let mut head = ResponseHead::new();
    /// head.parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &Limits::new())?;
    /// assert_eq!(Body::of_response(&head, "GET")?.remaining(), Some(5));
    /// assert_eq!(Body::of_response(&head, "HEAD")?.remaining(), Some(0));
    /// # Ok::<(), sanserve_wire::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// As [`of_request`](Self::of_request). RFC 9112 §6.3 also allows a client to accept repeated equal lengths, and
    /// codings other than `chunked` at the end; this function rejects both.
    pub fn of_response(head: &ResponseHead, method: &str) -> Result<Body, ParseError> {
        let is_empty = method == "HEAD" || matches!(head.status(), ..200 | 204 | 304);
        if is_empty || head.ends_http(method) {
            return Ok(Body::EMPTY);
        }
        let body = Body::by_fields(head.fields(), head.version())?;
        Ok(body.unwrap_or(Body::new(State::UntilClose)))
    }

    /// Returns the framing that the fields of a message specify, if any.
    #[inline]
    fn by_fields(fields: &Fields, version: Version) -> Result<Option<Body>, ParseError> {
        const FRAMING: NameBloom = NameBloom::of(&["transfer-encoding", "content-length"]);
        if !fields.may_have(FRAMING) {
            return Ok(None);
        }
        let mut codings = fields.get_all("transfer-encoding");
        let mut lengths = fields.get_all("content-length");
        let (coding, length) = (codings.next(), lengths.next());
        if codings.next().is_some() {
            return Err(ParseError::TransferEncoding);
        }
        if lengths.next().is_some() {
            return Err(if coding.is_some() {
                ParseError::TransferEncoding
            } else {
                ParseError::ContentLength
            });
        }
        match (coding, length) {
            (None, None) => Ok(None),
            (None, Some(length)) => Body::counted(length).map(Some),
            (Some(_), Some(_)) => Err(ParseError::TransferEncoding),
            (Some(_), _) if version < Version::Http11 => Err(ParseError::TransferEncoding),
            (Some(codings), None) => Body::coded(codings).map(Some),
        }
    }

    /// Returns the framing for `Transfer-Encoding`: its last coding, and no other, must be `chunked` (RFC 9112 §6.1).
    /// Further codings are not supported.
    fn coded(codings: &str) -> Result<Body, ParseError> {
        let mut codings = codings
            .rsplit(',')
            .map(|coding| coding.trim_matches([' ', '\t']));
        let is_chunked = |coding: &str| coding.eq_ignore_ascii_case("chunked");
        if !codings.next().is_some_and(is_chunked) {
            return Err(ParseError::TransferEncoding);
        }
        let mut others = false;
        for coding in codings {
            if coding.is_empty() || is_chunked(coding) {
                return Err(ParseError::TransferEncoding);
            }
            others = true;
        }
        if others {
            return Err(ParseError::UnsupportedCoding);
        }
        Ok(Body::new(State::Size))
    }

    fn counted(length: &str) -> Result<Body, ParseError> {
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseError::ContentLength);
        }
        let left = length.parse().map_err(|_| ParseError::ContentLength)?;
        Ok(Body::new(match left {
            0 => State::End,
            _ => State::Data {
                left,
                chunked: false,
            },
        }))
    }

    /// Returns the number of bytes of content that are left, if it is known.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::End => Some(0),
            State::Data {
                left,
                chunked: false,
            } => Some(left),
            _ => None,
        }
    }

    /// Returns whether the content ends with the connection. There is no [`Piece::End`] then.
    #[must_use]
    pub fn is_until_close(&self) -> bool {
        self.state == State::UntilClose
    }

    /// Checks that the content is complete if the connection ends here, with all input used.
    ///
    /// # Errors
    /// Returns [`ParseError::Incomplete`] if a length or the missing last chunk shows that there should be more.
    pub fn end_of_input(&self) -> Result<(), ParseError> {
        match self.state {
            State::End | State::UntilClose => Ok(()),
            _ => Err(ParseError::Incomplete),
        }
    }

    /// Returns what the first bytes of `input` are. The next call must get the input after them.
    ///
    /// # Errors
    /// [`ParseError::Chunk`]; for the trailer fields also [`ParseError::FieldsTooLong`] and
    /// [`ParseError::TooManyFields`].
    #[inline]
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, ParseError> {
        self.next_up_to(input, usize::MAX)
    }

    /// Does the same as [`next`](Self::next) with at most `max` bytes in a [`Piece::Data`].
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_up_to(&mut self, input: &[u8], max: usize) -> Result<Piece, ParseError> {
        match self.state {
            State::End => Ok(Piece::End),
            State::Data { .. } | State::UntilClose if input.is_empty() => Ok(Piece::More),
            State::UntilClose => Ok(Piece::Data(input.len().min(max))),
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
                _ => Err(ParseError::Chunk),
            },
            State::Trailers(at) => self.trailers(input, at),
        }
    }

    fn skip(&mut self, n: usize, then: State) -> Result<Piece, ParseError> {
        self.state = then;
        Ok(Piece::Skip(n))
    }

    /// Parses hexadecimal digits, optional chunk extensions, and CR LF. Rejects a bare LF, as a recipient that does not
    /// treat it as a line end would see other chunks.
    fn size(&mut self, input: &[u8]) -> Result<Piece, ParseError> {
        let (end, rest) = match input
            .iter()
            .take(CHUNK_LINE_MAX)
            .position(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            Some(end) => (end, &input[end..]),
            None if input.len() < CHUNK_LINE_MAX => return Ok(Piece::More),
            None => return Err(ParseError::Chunk),
        };
        match rest {
            [b'\r'] => return Ok(Piece::More),
            [b'\r', b'\n', ..] => {}
            _ => return Err(ParseError::Chunk),
        }
        let line = &input[..end];
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (digits, extensions) = line.split_at(digits.count());
        let left = self.extensions_left.checked_sub(extensions.len());
        self.extensions_left = left.ok_or(ParseError::Chunk)?;
        if digits.is_empty() || digits.len() > 16 || !are_extensions(extensions) {
            return Err(ParseError::Chunk);
        }
        let size = digits.iter().fold(0, |size, &byte| {
            size << 4 | u64::from(char::from(byte).to_digit(16).unwrap_or(0))
        });
        let then = match size {
            0 => State::Trailers(0),
            left => State::Data {
                left,
                chunked: true,
            },
        };
        self.skip(end + 2, then)
    }

    /// Finds the end of the trailer section, and checks its fields (RFC 9112 §7.1.2).
    fn trailers(&mut self, input: &[u8], at: usize) -> Result<Piece, ParseError> {
        match input {
            [] | [b'\r'] => return Ok(Piece::More),
            [b'\r', b'\n', ..] => return self.skip(2, State::End),
            _ => {}
        }
        let reach = &input[..input.len().min(TRAILERS_MAX)];
        // If the input has become shorter, search it from its start.
        let at = if at > reach.len() { 0 } else { at };
        let empty = reach[at..].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = empty.map(|len| at + len + 4) else {
            self.state = State::Trailers(reach.len().saturating_sub(3));
            return if reach.len() < TRAILERS_MAX {
                Ok(Piece::More)
            } else {
                Err(ParseError::FieldsTooLong)
            };
        };
        check_trailers(&input[..end])?;
        self.state = State::End;
        Ok(Piece::Trailers(end))
    }
}

/// Checks a trailer section, with the empty line after it.
fn check_trailers(section: &[u8]) -> Result<(), ParseError> {
    let mut lines = section.split_inclusive(|&byte| byte == b'\n');
    if !lines.all(|line| line.ends_with(b"\r\n")) {
        return Err(ParseError::Chunk);
    }
    let mut slots = [httparse::EMPTY_HEADER; TRAILER_COUNT_MAX];
    match httparse::parse_headers(section, &mut slots) {
        Ok(httparse::Status::Complete((taken, _))) if taken == section.len() => Ok(()),
        Err(httparse::Error::TooManyHeaders) => Err(ParseError::TooManyFields),
        _ => Err(ParseError::Chunk),
    }
}

impl Fields {
    /// Parses the trailer fields of chunked content: the bytes of a [`Piece::Trailers`]. Fields from an earlier call
    /// are dropped.
    ///
    /// Fields that must not be in trailers are omitted (RFC 9110 §6.5.1), since a recipient that merged them into the
    /// head would change the framing, routing or authorization of a message that was checked before: `Content-Length`,
    /// `Transfer-Encoding`, `Content-Encoding`, `Content-Type`, `Content-Range`, `Trailer`, `TE`, `Connection`,
    /// `Upgrade`, `Keep-Alive`, `Host`, `Authorization`, `Cookie`, `Set-Cookie`, `Expect`, `Cache-Control`,
    /// `Max-Forwards`, `Range`, the preconditions (`If-…`), `Proxy-…` and `WWW-Authenticate`. There are at most 16
    /// trailer fields with 4,096 bytes.
    ///
    /// ```
    /// use sanserve_wire::Fields;
    ///
    /// let mut trailers = Fields::new();
    /// trailers.parse_trailers(b"Digest: abc\r\nContent-Length: 7\r\n\r\n")?;
    /// assert!(trailers.iter().eq([("Digest", "abc")]));
    /// # Ok::<(), sanserve_wire::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// [`ParseError::Chunk`], [`ParseError::FieldsTooLong`] or [`ParseError::TooManyFields`] if `section` is not the
    /// bytes of a [`Piece::Trailers`].
    pub fn parse_trailers(&mut self, section: &[u8]) -> Result<(), ParseError> {
        self.clear();
        if section.len() > TRAILERS_MAX {
            return Err(ParseError::FieldsTooLong);
        }
        check_trailers(section)?;
        self.parse(section, TRAILER_COUNT_MAX)?;
        self.retain(|name| !is_forbidden_trailer(name));
        Ok(())
    }
}

/// Returns whether a field must not be in trailers: it is for framing, routing, authentication, request modifiers, or
/// says how to process the content (RFC 9110 §6.5.1).
fn is_forbidden_trailer(name: &str) -> bool {
    let starts_with = |start: &str| {
        let found = name.as_bytes().get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    };
    is_among(name, FORBIDDEN_TRAILERS) || starts_with("If-") || starts_with("Proxy-")
}

const FORBIDDEN_TRAILERS: &[&str] = &[
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "Expect",
    "Host",
    "Keep-Alive",
    "Max-Forwards",
    "Range",
    "Set-Cookie",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "WWW-Authenticate",
];

/// The maximum length of the line with a chunk's size, including extensions. The line is searched again with each piece
/// that arrives, so this also bounds the work that a peer can cause.
const CHUNK_LINE_MAX: usize = 256;

/// The maximum length of all chunk extensions of a message together. Hardly anything uses them, except attempts to keep
/// a server reading forever.
const EXTENSIONS_MAX: usize = 4096;

/// The maximum length of a trailer section.
const TRAILERS_MAX: usize = 4096;

/// The maximum number of trailer fields.
const TRAILER_COUNT_MAX: usize = 16;
