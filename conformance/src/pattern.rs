//! A reply as it is expected: bytes, and wildcards for what may differ from run to run.
//!
//! A wildcard stands for one byte or more, none of them CR or LF. So it never leaves its line,
//! which is what keeps matching linear: at a line's end every choice made on it is final.
//! How a difference is put before a person is left to [`Difference`].

use crate::difference::Difference;
use crate::text::Token;

/// What a reply must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// A pattern of these tokens.
    #[must_use]
    pub fn new(tokens: Vec<Token>) -> Self {
        Self { tokens }
    }

    /// A pattern that only these bytes match.
    #[must_use]
    pub fn exact(bytes: &[u8]) -> Self {
        Self::new(bytes.iter().copied().map(Some).collect())
    }

    /// The pattern byte by byte, `None` being a wildcard; for a subject that replays what is
    /// expected of it.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Lengthens the pattern.
    pub(crate) fn extend(&mut self, tokens: &[Token]) {
        self.tokens.extend_from_slice(tokens);
    }

    /// Matches all of `got`.
    ///
    /// # Errors
    /// The first difference: the farthest place that any way of filling the wildcards gets to.
    pub fn compare(&self, got: &[u8]) -> Result<(), Difference> {
        let (mut token, mut byte) = (0, 0);
        let mut farthest = (0, 0);
        // Where matching goes on if the last wildcard of the line has to take one byte more.
        let mut retry = None;
        while token < self.tokens.len() || byte < got.len() {
            match (self.tokens.get(token), got.get(byte)) {
                (Some(Some(wanted)), Some(found)) if wanted == found => {
                    if ends_line(*found) {
                        retry = None;
                    }
                }
                (Some(None), Some(found)) if !ends_line(*found) => {
                    retry = Some((token + 1, byte + 1));
                }
                _ => {
                    if byte >= farthest.1 {
                        farthest = (token, byte);
                    }
                    let longer =
                        retry.filter(|&(_, at)| got.get(at).is_some_and(|b| !ends_line(*b)));
                    let Some((after, taken)) = longer else {
                        return Err(Difference::new(&self.tokens, got, farthest));
                    };
                    (token, byte) = (after, taken + 1);
                    retry = Some((token, byte));
                    continue;
                }
            }
            token += 1;
            byte += 1;
        }
        Ok(())
    }
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}
