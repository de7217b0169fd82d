//! [`Body`]: where the content of a request ends, and which of its bytes are content.

use super::{Bad, Head, Version};

/// The content of a request on its way in. It holds no bytes: it says what the next ones are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(State);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// So many bytes are left of a plain or chunked stretch of content.
    Data { left: u64, chunked: bool },
    /// The line with a chunk's size comes next.
    Size,
    /// The CR LF behind a chunk comes next.
    ChunkEnd,
    /// Fields, perhaps, and an empty line come next.
    Trailer,
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
    pub const EMPTY: Body = Body(State::End);

    /// How the content of a request is framed (RFC 9112 §6.3).
    ///
    /// # Errors
    /// Whatever two readers could understand in two ways.
    pub fn of(head: &Head) -> Result<Body, Bad> {
        let mut coding = None;
        let mut length = None;
        for (name, value) in head.fields() {
            let slot = if name.eq_ignore_ascii_case("transfer-encoding") {
                &mut coding
            } else if name.eq_ignore_ascii_case("content-length") {
                &mut length
            } else {
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(if coding.is_some() {
                    Bad::Coding
                } else {
                    Bad::Length
                });
            }
        }
        match (coding, length) {
            (None, None) => Ok(Body::EMPTY),
            (None, Some(length)) => Body::counted(length),
            (Some(_), Some(_)) => Err(Bad::Coding),
            (Some(_), _) if head.version() < Version::Http11 => Err(Bad::Coding),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Body(State::Size)),
            (Some(coding), None) => {
                let last = coding.rsplit(',').next().unwrap_or_default();
                let chunked = last
                    .trim_matches([' ', '\t'])
                    .eq_ignore_ascii_case("chunked");
                Err(if chunked {
                    Bad::UnknownCoding
                } else {
                    Bad::Coding
                })
            }
        }
    }

    fn counted(length: &str) -> Result<Body, Bad> {
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Bad::Length);
        }
        match length.parse() {
            Ok(0) => Ok(Body::EMPTY),
            Ok(left) => Ok(Body(State::Data {
                left,
                chunked: false,
            })),
            Err(_) => Err(Bad::Length),
        }
    }

    /// How many bytes of content are still to come, if that is known.
    pub fn left(&self) -> Option<u64> {
        match self.0 {
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
        match self.0 {
            State::End => Ok(Piece::End),
            State::Data { .. } if input.is_empty() => Ok(Piece::More),
            State::Data { left, chunked } => {
                let n = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.0 = match left - n as u64 {
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
            State::Trailer => self.trailer(input),
        }
    }

    fn skip(&mut self, n: usize, then: State) -> Result<Piece, Bad> {
        self.0 = then;
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
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        // RFC 9112 §7.1.1 lets blanks stand around the semicolon.
        let extension = line[digits..].trim_ascii_start();
        if digits == 0 || digits > 16 || !(line.len() == digits || extension.starts_with(b";")) {
            return Err(Bad::Chunk);
        }
        let left = line[..digits].iter().fold(0, |left, &byte| {
            left << 4 | u64::from(char::from(byte).to_digit(16).unwrap_or(0))
        });
        self.skip(
            end + 2,
            if left == 0 {
                State::Trailer
            } else {
                State::Data {
                    left,
                    chunked: true,
                }
            },
        )
    }

    /// Field lines are checked and dropped (RFC 9112 §7.1.2 leaves that open).
    fn trailer(&mut self, input: &[u8]) -> Result<Piece, Bad> {
        match input {
            [] | [b'\r'] => return Ok(Piece::More),
            [b'\r', b'\n', ..] => return self.skip(2, State::End),
            _ => {}
        }
        let reach = &input[..input.len().min(TRAILER_MAX)];
        let Some(end) = reach
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map(|at| at + 4)
        else {
            return if reach.len() < TRAILER_MAX {
                Ok(Piece::More)
            } else {
                Err(Bad::FieldsTooLong)
            };
        };
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
const CHUNK_LINE_MAX: usize = 256;

/// How long a trailer may be. Like the line above it is looked at anew with each piece that comes,
/// so this also bounds the work that a peer can cause.
const TRAILER_MAX: usize = 4096;
