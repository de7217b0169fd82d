//! Searches for the end of a head. Each byte of the input is examined once, however the input arrives.

use memchr::memchr;

use super::{Limits, ParseError};

/// The progress of the search.
#[derive(Debug, Clone, Copy)]
pub(super) enum Search {
    /// There is no line end in the first this many bytes.
    Line(usize),
    /// The fields start at `from`; no empty line begins before `at`.
    Fields { from: usize, at: usize },
    /// The end was found, or the search was abandoned. The next call starts again.
    Done,
    /// The end was found, and the text has the same bytes as the input.
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

/// Returns the end of the start line, after its LF, if it is complete. The line begins at `start` and has no LF before
/// `at`.
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

/// The end of the field lines.
pub(super) enum End {
    /// The empty line begins at this offset.
    At(usize),
    /// The empty line has not arrived yet, and does not begin before this offset.
    NotBefore(usize),
}

/// Searches for an empty line, which follows another line's end. The fields begin at `from`.
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
            // If both errors apply, report the one that an incremental parse would have hit first.
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
    // The CR of an empty line may have arrived already.
    if input.len().saturating_sub(from) > limits.field_bytes.saturating_add(1) {
        return Err(ParseError::FieldsTooLong);
    }
    Ok(End::NotBefore(at))
}
