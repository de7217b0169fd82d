//! [`Difference`]: describes where the received bytes first differ from the expected ones, escaped for a report.

use crate::text::{self, Token};
use std::fmt;

/// How many bytes are shown before the difference, and how many after it.
const BEFORE: usize = 60;
const AFTER: usize = 100;

/// The place where the received bytes first differ from the expected ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The offset of the first byte that differs.
    pub at: usize,
    /// The line of that byte, counted from 1.
    pub line: usize,
    /// The equal bytes before it, escaped.
    pub before: String,
    /// The expected bytes from there on, escaped, with wildcards as `*`.
    pub expected: String,
    /// The received bytes from there on, escaped.
    pub got: String,
}

impl Difference {
    /// Describes the difference at a token of the expected bytes and a byte of the received ones.
    pub(crate) fn new(expected: &[Token], got: &[u8], (token, byte): (usize, usize)) -> Self {
        let begin = byte.saturating_sub(BEFORE);
        Self {
            at: byte,
            line: 1 + got[..byte].iter().filter(|&&b| b == b'\n').count(),
            before: format!(
                "{}{}",
                if begin > 0 { "... " } else { "" },
                text::show(&got[begin..byte])
            ),
            expected: beginning(&expected[token..], show_tokens),
            got: excerpt(&got[byte..]),
        }
    }
}

/// Returns the first bytes, escaped.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    beginning(bytes, text::show)
}

/// Returns the beginning of `rest`, formatted by `show`.
fn beginning<T>(rest: &[T], show: impl Fn(&[T]) -> String) -> String {
    match rest.len() {
        0 => "(nothing more)".into(),
        1..=AFTER => show(rest),
        len => format!("{} ... ({} more)", show(&rest[..AFTER]), len - AFTER),
    }
}

fn show_tokens(tokens: &[Token]) -> String {
    let literals = tokens.split(Option::is_none);
    let shown =
        literals.map(|part| text::show(&part.iter().copied().flatten().collect::<Vec<_>>()));
    shown.collect::<Vec<_>>().join("*")
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at byte {}", self.at)?;
        if self.line > 1 {
            write!(out, ", line {}", self.line)?;
        }
        if !self.before.is_empty() {
            write!(out, "\n      after     {}", self.before)?;
        }
        write!(out, "\n      expected  {}", self.expected)?;
        write!(out, "\n      got       {}", self.got)
    }
}
