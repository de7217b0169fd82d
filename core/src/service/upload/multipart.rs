//! [`Multipart`]: an incremental parser of forms with files, as browsers send them (RFC 7578, RFC 2046 §5.1).
//!
//! It buffers only undecided input, at most one piece of content. Form fields that are not files are ignored.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use memchr::memmem;

use super::file_name::file_name;
use super::parameter::parameter;

/// A form that is being parsed.
#[derive(Debug, Clone)]
pub(super) struct Multipart {
    /// The delimiter: `\r\n--` and the boundary.
    delimiter: Vec<u8>,
    /// The input, and the number of bytes of it that were used.
    input: Vec<u8>,
    taken: usize,
    /// The delimiter does not begin before this offset.
    seen: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first part, or in a part that is not a file.
    Between,
    /// In the fields of a part.
    Head,
    /// In the content of a file.
    File,
    /// After the last part: everything that follows is ignored.
    Behind,
}

/// The next piece of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// More input is needed.
    More,
    /// A file with this name begins.
    File(Vec<u8>),
    /// Content of the file.
    Content(Vec<u8>),
    /// The file is complete.
    FileEnd,
    /// The form is complete.
    End,
}

impl Multipart {
    /// Returns a parser for a form with this boundary, or `None` if the boundary is invalid (RFC 2046 §5.1.1).
    pub(super) fn new(content_type: &[u8]) -> Option<Multipart> {
        let boundary = parameter(content_type, b"boundary")?;
        let is_invalid =
            |byte: &u8| !byte.is_ascii_alphanumeric() && !b"'()+_,-./:=? ".contains(byte);
        if !(1..=70).contains(&boundary.len()) || boundary.iter().any(is_invalid) {
            return None;
        }
        Some(Multipart {
            delimiter: [b"\r\n--", &boundary[..]].concat(),
            // The first boundary may be the first line.
            input: b"\r\n".to_vec(),
            taken: 0,
            seen: 0,
            state: State::Between,
        })
    }

    /// Adds input.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.input.drain(..self.taken);
        self.seen = self.seen.saturating_sub(self.taken);
        self.taken = 0;
        if self.state != State::Behind {
            self.input.extend_from_slice(bytes);
        }
    }

    /// Returns the next piece. The error is a message that describes what is wrong with the form.
    pub(super) fn next(&mut self) -> Result<Piece, &'static str> {
        loop {
            match self.state {
                State::Behind => return Ok(Piece::End),
                State::Head => match self.head()? {
                    None => return Ok(Piece::More),
                    Some(None) => self.state = State::Between,
                    Some(Some(name)) => {
                        self.state = State::File;
                        return Ok(Piece::File(name));
                    }
                },
                State::Between | State::File => {
                    if let Some(piece) = self.content()? {
                        return Ok(piece);
                    }
                }
            }
        }
    }

    /// Continues with the content of a part, up to its end if that has arrived.
    fn content(&mut self) -> Result<Option<Piece>, &'static str> {
        let Some(at) = self.find(None) else {
            // All but the last byte of a delimiter may be at the end of the input.
            let sure = self.rest().len().saturating_sub(self.delimiter.len() - 1);
            return match (sure, self.state) {
                (0, _) | (..PIECE, State::File) => Ok(Some(Piece::More)),
                _ => Ok(self.take(sure)),
            };
        };
        if at > 0 {
            return Ok(self.take(at));
        }
        let whole = (self.state == State::File).then_some(Piece::FileEnd);
        let rest = &self.rest()[self.delimiter.len()..];
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let blanks = rest.iter().take_while(is_blank).count();
        match &rest[blanks..] {
            _ if rest.starts_with(b"--") => {
                (self.state, self.taken) = (State::Behind, self.input.len());
            }
            _ if blanks > BLANKS_MAX => return Err(BAD),
            [b'\r', b'\n', ..] => {
                self.state = State::Head;
                self.taken += self.delimiter.len() + blanks;
            }
            [] | [b'\r'] => return Ok(Some(Piece::More)),
            [b'-'] if blanks == 0 => return Ok(Some(Piece::More)),
            _ => return Err(BAD),
        }
        Ok(whole)
    }

    /// Parses the fields of a part, if they are complete, and returns the name of the file if it is one. The input
    /// begins with the line break before them.
    fn head(&mut self) -> Result<Option<Option<Vec<u8>>>, &'static str> {
        let Some(end) = self.find(Some(b"\r\n\r\n")) else {
            // All but the last byte of the end may be at the end of the input.
            return if self.rest().len() > HEAD_MAX + 3 {
                Err(LONG)
            } else {
                Ok(None)
            };
        };
        if end > HEAD_MAX {
            return Err(LONG);
        }
        let head = unfolded(&self.rest()[2..end + 4]);
        let mut slots = [httparse::EMPTY_HEADER; 16];
        let Ok(httparse::Status::Complete((_, fields))) =
            httparse::parse_headers(&head, &mut slots)
        else {
            return Err("Bad part header in the form");
        };
        let mut named = fields.iter().filter_map(|field| {
            let is = field.name.eq_ignore_ascii_case("Content-Disposition");
            is.then(|| file_name(field.value)).flatten()
        });
        // If no file was selected, the part has an empty name.
        let name = named.next().transpose()?;
        let name = name.map(|name| last_segment(&name));
        self.taken += end + 4;
        Ok(Some(name.filter(|name| !name.is_empty())))
    }

    /// Returns the input that was not used.
    fn rest(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    /// Returns the offset of the delimiter. Input that was searched before is not searched again, however small the
    /// pieces are.
    fn find(&mut self, pattern: Option<&[u8]>) -> Option<usize> {
        let pattern = pattern.unwrap_or(&self.delimiter);
        let from = self.seen.max(self.taken);
        let found = memmem::find(&self.input[from..], pattern).map(|at| from + at);
        let end = (self.input.len() + 1).saturating_sub(pattern.len());
        self.seen = found.unwrap_or(from.max(end));
        found.map(|at| at - self.taken)
    }

    /// Removes this much content, and returns it if it is that of a file.
    fn take(&mut self, len: usize) -> Option<Piece> {
        let is_wanted = self.state == State::File;
        let content = is_wanted.then(|| Piece::Content(self.rest()[..len].to_vec()));
        self.taken += len;
        content
    }
}

/// Unfolds fields: a line that begins with a space or tab continues the one before (RFC 5322 §2.2.3).
fn unfolded(head: &[u8]) -> Cow<'_, [u8]> {
    let mut head = Cow::Borrowed(head);
    for at in 0..head.len() {
        if matches!(head[at..], [b'\r', b'\n', b' ' | b'\t', ..]) {
            head.to_mut()[at..at + 2].fill(b' ');
        }
    }
    head
}

/// Returns the file name of a path, as some browsers sent the whole path.
fn last_segment(name: &[u8]) -> Vec<u8> {
    let mut segments = name.rsplit(|byte| matches!(byte, b'/' | b'\\'));
    segments.next().unwrap_or_default().to_vec()
}

/// The smallest piece of content, in bytes, except for the last one.
pub(super) const PIECE: usize = 64 * 1024;
/// The largest length of a part's fields in bytes.
const HEAD_MAX: usize = 16 * 1024;
/// The largest number of spaces and tabs after a boundary.
const BLANKS_MAX: usize = 64;
const BAD: &str = "Bad boundary in the form";
const LONG: &str = "Part header too long in the form";
