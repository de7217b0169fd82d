//! [`ResponseHead`]: parses the status line and fields of a response incrementally, and stores them.

use alloc::borrow::Cow;
use alloc::string::String;
use core::mem;

use super::latin1::{decode, encode};
use super::search::{End, Search, end_of_fields, end_of_line};
use super::{Fields, Limits, ParseError, Version};

/// The head of a response: version, status, reason phrase and fields. It is reused for the next response, and keeps its
/// memory.
///
/// It is as strict as [`RequestHead`](super::RequestHead): lines end in CR LF, and folded lines are refused.
///
/// # Interim responses
///
/// Any number of interim responses with a status from 100 to 199 may precede the final one (RFC 9110 §15.2), each a
/// head without content. Continue parsing until [`is_interim`](Self::is_interim) is `false`. 101 ends HTTP on its
/// connection, and so counts as final.
///
/// ```
/// use sanserve_wire::{Body, Limits, Piece, ResponseHead};
///
/// let mut rest: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
/// let mut head = ResponseHead::new();
/// loop {
///     let n = head.parse(rest, &Limits::new())?.expect("a complete head");
///     rest = &rest[n..];
///     if !head.is_interim() {
///         break;
///     }
/// }
/// assert_eq!((head.status(), head.reason()), (200, "OK"));
/// let mut body = Body::of_response(&head, "GET")?;
/// assert_eq!(body.next(rest), Ok(Piece::Data(2)));
/// # Ok::<(), sanserve_wire::ParseError>(())
/// ```
#[derive(Debug)]
pub struct ResponseHead {
    reason: String,
    status: u16,
    version: Version,
    fields: Fields,
    keep_alive: bool,
    search: Search,
}

impl ResponseHead {
    /// Returns an empty value, which allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        ResponseHead {
            reason: String::new(),
            status: 0,
            version: Version::Http10,
            fields: Fields::new(),
            keep_alive: false,
            search: Search::Done,
        }
    }

    /// Parses a head at the start of `input`, which is everything that has arrived and was not used yet. Returns
    /// `Ok(None)` if the head is incomplete: call again with the same bytes and more. Returns `Ok(Some(n))` if
    /// it is complete and took `n` bytes: the next call starts a new head.
    ///
    /// Input that does not continue the last one gives an unspecified result, and never a panic; see
    /// [`RequestHead::parse`](super::RequestHead::parse).
    ///
    /// # Errors
    /// Returns an error as soon as it is certain: [`ParseError::StartLineTooLong`], [`ParseError::StatusLine`],
    /// [`ParseError::Version`], [`ParseError::UnsupportedVersion`], or an error of the fields.
    pub fn parse(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, ParseError> {
        let search = match self.search {
            Search::Done => Search::Line(0),
            search if input.len() < search.searched() => Search::Line(0),
            search => search,
        };
        let result = match search {
            Search::Fields { from, at } => self.find_fields(input, from, at, limits),
            search => self.find_line(input, search.searched(), limits),
        };
        if !matches!(result, Ok(None)) {
            self.search = Search::Done;
        }
        result
    }

    fn find_line(
        &mut self,
        input: &[u8],
        at: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, ParseError> {
        self.reset();
        let Some(end) = end_of_line(input, 0, at, limits)? else {
            self.search = Search::Line(input.len());
            return Ok(None);
        };
        let line = &input[..end - 1];
        let line = line.strip_suffix(b"\r").ok_or(ParseError::BareLf)?;
        let (version, status, reason) = split(line)?;
        (self.version, self.status) = (version, status);
        decode(reason, &mut self.reason);
        self.find_fields(input, end, end - 1, limits)
    }

    /// Searches for the empty line, and parses the fields before it.
    fn find_fields(
        &mut self,
        input: &[u8],
        from: usize,
        at: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, ParseError> {
        let end = match end_of_fields(input, from, at, limits)? {
            End::At(end) => end + 2,
            End::NotBefore(at) => {
                self.search = Search::Fields { from, at };
                return Ok(None);
            }
        };
        self.fields.parse(&input[from..end], limits.field_count)?;
        self.keep_alive = self.version.keep_alive(&self.fields);
        Ok(Some(end))
    }

    /// Removes everything, and keeps the memory: the next [`parse`](Self::parse) starts a new head.
    pub fn reset(&mut self) {
        self.reason.clear();
        self.fields.clear();
        *self = ResponseHead {
            reason: mem::take(&mut self.reason),
            fields: mem::take(&mut self.fields),
            ..ResponseHead::new()
        };
    }

    /// Returns the version of the response; `HTTP/1.0` before a status line was parsed.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the status, 100 to 999, or 0 before a status line was parsed. A client should treat a status of 600 or
    /// above as 500 (RFC 9110 §15).
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the reason phrase, which may be empty. A client should ignore it (RFC 9112 §4).
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the reason phrase as the bytes that were sent.
    #[must_use]
    pub fn reason_bytes(&self) -> Cow<'_, [u8]> {
        encode(&self.reason)
    }

    /// Returns whether another response to the same request follows: for a status from 100 to 199 except 101.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// Returns whether HTTP ends with this head, as a response to a request with this method: after 101, and after a
    /// successful `CONNECT` (RFC 9110 §9.3.6). Then [`Body::of_response`](super::Body::of_response) is empty, and the
    /// bytes that follow belong to the other protocol.
    #[must_use]
    pub fn ends_http(&self, method: &str) -> bool {
        self.status == 101 || method == "CONNECT" && matches!(self.status, 200..=299)
    }

    /// Returns the value of the first field with this name, which is case-insensitive, without the spaces and tabs
    /// around it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// Returns the values of all fields with this name, which is case-insensitive.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.get_all(name)
    }

    /// Returns the fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns whether the server keeps the connection open after this response (RFC 9112 §9.3), provided that its
    /// content does not end with the connection.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Removes everything, and frees the memory.
    pub fn release(&mut self) {
        *self = ResponseHead::new();
    }

    /// Returns the number of bytes that are allocated.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.reason.capacity() + self.fields.capacity()
    }
}

impl Default for ResponseHead {
    fn default() -> Self {
        ResponseHead::new()
    }
}

/// Splits a status line (RFC 9112 §4). The space before an empty reason phrase may be missing: many servers omit it,
/// and the line is unambiguous without it.
fn split(line: &[u8]) -> Result<(Version, u16, &[u8]), ParseError> {
    let (version, rest) = match line {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            major,
            b'.',
            minor,
            b' ',
            rest @ ..,
        ] if major.is_ascii_digit() && minor.is_ascii_digit() => match (major, minor) {
            (b'1', b'0') => (Version::Http10, rest),
            (b'1', _) => (Version::Http11, rest),
            _ => return Err(ParseError::UnsupportedVersion),
        },
        _ => return Err(ParseError::Version),
    };
    let (digits, reason) = rest.split_at_checked(3).ok_or(ParseError::StatusLine)?;
    if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
        return Err(ParseError::StatusLine);
    }
    let value = |status, digit: &u8| status * 10 + u16::from(digit - b'0');
    let status = digits.iter().fold(0, value);
    let reason = match reason {
        [] => reason,
        [b' ', reason @ ..] => reason,
        _ => return Err(ParseError::StatusLine),
    };
    let is_text = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
    match reason.iter().all(is_text) {
        true => Ok((version, status, reason)),
        false => Err(ParseError::StatusLine),
    }
}
