//! The place where two byte strings part, cut out and escaped for a person to read.

use crate::text::{self, Token};
use std::fmt;

/// How much of what went well is shown, and how much of what did not.
const BEFORE: usize = 60;
const AFTER: usize = 100;

/// Where what was got leaves what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The offset of the first byte that differs.
    pub at: usize,
    /// The number of its line, counted from 1.
    pub line: usize,
    /// What stands before it, alike in both, escaped.
    pub before: String,
    /// What was expected from there on, escaped, wildcards as `*`.
    pub expected: String,
    /// What was got instead, escaped.
    pub got: String,
}

impl Difference {
    /// Cuts both sides out around a token of what was expected and a byte of what was got.
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
            expected: ahead(&expected[token..], show_tokens),
            got: excerpt(&got[byte..]),
        }
    }
}

/// The beginning of some bytes, escaped.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    ahead(bytes, text::show)
}

/// The beginning of `rest`, as `show` writes it.
fn ahead<T>(rest: &[T], show: impl Fn(&[T]) -> String) -> String {
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
