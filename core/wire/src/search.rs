//! The search for the end of a head: each byte of the input is looked at once, however the input grows.

use memchr::memchr;

use super::{Limits, ParseError};

/// How far the input has been searched.
#[derive(Debug, Clone, Copy)]
pub(super) enum Search {
    /// There is no line end in this many bytes.
    Line(usize),
    /// The fields start at `from`; no empty line begins before `at`.
    Fields { from: usize, at: usize },
    /// Found, or given up. The next call starts anew.
    Done,
    /// Found, and its text is the very bytes that were sent.
    Known,
}

impl Search {
    /// Returns the number of bytes that have been searched.
    pub(super) fn searched(self) -> usize {
        match self {
            Search::Line(at) => at,
            Search::Fields { from, at } => from.max(at),
            Search::Done | Search::Known => 0,
        }
    }
}

/// Returns where the start line ends, behind its LF, if it is all there. It begins at `start` and has no LF before `at`.
///
/// # Errors
/// [`ParseError::StartLineTooLong`].
#[inline]
pub(super) fn end_of_line(
    input: &[u8],
    start: usize,
    at: usize,
    limits: &Limits,
) -> Result<Option<usize>, ParseError> {
    let newline = memchr(b'\n', &input[at..]).map(|len| at + len + 1);
    let end = newline.unwrap_or(input.len());
    if end.saturating_sub(start) > limits.request_line {
        return Err(ParseError::StartLineTooLong);
    }
    Ok(newline)
}

/// Where the field lines end.
pub(super) enum End {
    /// The empty line begins here.
    At(usize),
    /// It is not there yet, and does not begin before this place.
    NotBefore(usize),
}

/// Looks for the empty line behind the end of another. The fields begin at `from`.
///
/// # Errors
/// [`ParseError::FieldsTooLong`] and [`ParseError::BareLf`].
#[inline]
pub(super) fn end_of_fields(
    input: &[u8],
    from: usize,
    at: usize,
    limits: &Limits,
) -> Result<End, ParseError> {
    let mut at = at;
    while let Some(len) = memchr(b'\n', &input[at..]) {
        let end = at + len + 1;
        if input[end - 2] != b'\r' {
            // If both errors apply, report the one that comes first if the input arrives in pieces.
            if (end - 1).saturating_sub(from) > limits.field_bytes.saturating_add(1) {
                return Err(ParseError::FieldsTooLong);
            }
            return Err(ParseError::BareLf);
        }
        match &input[end..] {
            [] | [b'\r'] => return unfinished(input, from, end - 1, limits),
            [b'\r', b'\n', ..] if end.saturating_sub(from) > limits.field_bytes => {
                return Err(ParseError::FieldsTooLong);
            }
            [b'\r', b'\n', ..] => return Ok(End::At(end)),
            _ => at = end,
        }
    }
    unfinished(input, from, input.len(), limits)
}

fn unfinished(input: &[u8], from: usize, at: usize, limits: &Limits) -> Result<End, ParseError> {
    // The CR of an empty line may be there already.
    if input.len().saturating_sub(from) > limits.field_bytes.saturating_add(1) {
        return Err(ParseError::FieldsTooLong);
    }
    Ok(End::NotBefore(at))
}
