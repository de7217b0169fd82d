//! [`Multipart`]: the files in a form, as browsers send it (RFC 7578, RFC 2046 §5.1), while it comes.
//!
//! It keeps what it cannot judge yet, a piece of content at most. Fields that are no files are passed
//! over.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use memchr::memmem;

use super::file_name::file_name;
use super::parameter::parameter;

/// A form on its way.
#[derive(Debug, Clone)]
pub(super) struct Multipart {
    /// `\r\n--` and the boundary: what ends a part.
    delimiter: Vec<u8>,
    /// What has come, and how much of it was taken out.
    ahead: Vec<u8>,
    taken: usize,
    /// What is looked for begins nowhere before.
    seen: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What stands before the first part, or a part that is no file.
    Between,
    /// The fields of a part.
    Head,
    /// The content of a file.
    File,
    /// All that follows is to be ignored.
    Behind,
}

/// What comes next of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Nothing, unless more comes.
    More,
    /// A file of this name begins.
    File(Vec<u8>),
    /// Some of its content.
    Content(Vec<u8>),
    /// It is complete.
    Whole,
    /// The form is complete.
    End,
}

impl Multipart {
    /// A form whose parts are parted so, or `None` if that is no boundary (RFC 2046 §5.1.1).
    pub(super) fn new(content_type: &[u8]) -> Option<Multipart> {
        let boundary = parameter(content_type, b"boundary")?;
        let odd = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"'()+_,-./:=? ".contains(byte);
        if !(1..=70).contains(&boundary.len()) || boundary.iter().any(odd) {
            return None;
        }
        Some(Multipart {
            delimiter: [b"\r\n--", &boundary[..]].concat(),
            // The first boundary may be the first line.
            ahead: b"\r\n".to_vec(),
            taken: 0,
            seen: 0,
            state: State::Between,
        })
    }

    /// More of it has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.ahead.drain(..self.taken);
        self.seen = self.seen.saturating_sub(self.taken);
        self.taken = 0;
        if self.state != State::Behind {
            self.ahead.extend_from_slice(bytes);
        }
    }

    /// What comes next. The error says what is wrong with the form.
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

    /// Goes on in the content of a part, to its end if that is here.
    fn content(&mut self) -> Result<Option<Piece>, &'static str> {
        let Some(at) = self.find(None) else {
            // Of a delimiter all but its last byte may be here.
            let sure = self.rest().len().saturating_sub(self.delimiter.len() - 1);
            return match (sure, self.state) {
                (0, _) | (..PIECE, State::File) => Ok(Some(Piece::More)),
                _ => Ok(self.take(sure)),
            };
        };
        if at > 0 {
            return Ok(self.take(at));
        }
        let whole = (self.state == State::File).then_some(Piece::Whole);
        let rest = &self.rest()[self.delimiter.len()..];
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let blanks = rest.iter().take_while(is_blank).count();
        match &rest[blanks..] {
            _ if rest.starts_with(b"--") => {
                (self.state, self.taken) = (State::Behind, self.ahead.len());
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

    /// The fields of a part, if they are all here: the name of the file that it is, if it is one.
    /// What is here begins with the line break before them.
    fn head(&mut self) -> Result<Option<Option<Vec<u8>>>, &'static str> {
        let Some(end) = self.find(Some(b"\r\n\r\n")) else {
            // Of its end all but the last byte may be here.
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
        // Where no file was chosen, there is one without a name.
        let name = named.next().transpose()?;
        let name = name.map(|name| last_segment(&name));
        self.taken += end + 4;
        Ok(Some(name.filter(|name| !name.is_empty())))
    }

    /// What was not taken out.
    fn rest(&self) -> &[u8] {
        &self.ahead[self.taken..]
    }

    /// Where that is, or else the delimiter. What was looked through is not looked through again, however
    /// little comes at a time.
    fn find(&mut self, what: Option<&[u8]>) -> Option<usize> {
        let what = what.unwrap_or(&self.delimiter);
        let from = self.seen.max(self.taken);
        let found = memmem::find(&self.ahead[from..], what).map(|at| from + at);
        let end = (self.ahead.len() + 1).saturating_sub(what.len());
        self.seen = found.unwrap_or(from.max(end));
        found.map(|at| at - self.taken)
    }

    /// Takes out so much content: that of a file is wanted.
    fn take(&mut self, len: usize) -> Option<Piece> {
        let is_wanted = self.state == State::File;
        let content = is_wanted.then(|| Piece::Content(self.rest()[..len].to_vec()));
        self.taken += len;
        content
    }
}

/// Fields on one line each: one that goes on in the next line, which begins with a blank, is folded (RFC 5322 §2.2.3).
fn unfolded(head: &[u8]) -> Cow<'_, [u8]> {
    let mut head = Cow::Borrowed(head);
    for at in 0..head.len() {
        if matches!(head[at..], [b'\r', b'\n', b' ' | b'\t', ..]) {
            head.to_mut()[at..at + 2].fill(b' ');
        }
    }
    head
}

/// Some browsers sent the whole path.
fn last_segment(name: &[u8]) -> Vec<u8> {
    let mut segments = name.rsplit(|byte| matches!(byte, b'/' | b'\\'));
    segments.next().unwrap_or_default().to_vec()
}

/// Content is passed on by so many bytes at least, but for the last.
pub(super) const PIECE: usize = 64 * 1024;
/// Bytes of the fields of a part.
const HEAD_MAX: usize = 16 * 1024;
/// Blanks behind a boundary.
const BLANKS_MAX: usize = 64;
const BAD: &str = "Bad boundary in the form";
const LONG: &str = "Part header too long in the form";
