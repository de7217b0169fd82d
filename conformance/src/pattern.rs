//! [`Pattern`]: compares a reply with the expected one, which has wildcards for bytes that differ from run to run.
//!
//! A wildcard matches one or more bytes other than CR and LF. Because it cannot match a line end, matching never
//! backtracks beyond the current line, and so takes linear time.

use crate::difference::Difference;
use crate::text::Token;

/// The bytes and wildcards that a reply must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// Creates a pattern of these tokens.
    #[must_use]
    pub fn new(tokens: Vec<Token>) -> Self {
        Self { tokens }
    }

    /// Creates a pattern that only these bytes match.
    #[must_use]
    pub fn exact(bytes: &[u8]) -> Self {
        Self::new(bytes.iter().copied().map(Some).collect())
    }

    /// Returns the tokens: a byte, or `None` for a wildcard.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Appends tokens.
    pub(crate) fn extend(&mut self, tokens: &[Token]) {
        self.tokens.extend_from_slice(tokens);
    }

    /// Compares all of `got` with the pattern.
    ///
    /// # Errors
    /// The first difference, in the best match: the one that gets farthest.
    pub fn compare(&self, got: &[u8]) -> Result<(), Difference> {
        match self.matched(got, false)? {
            token if token == self.tokens.len() => Ok(()),
            token => Err(Difference::new(&self.tokens, got, (token, got.len()))),
        }
    }

    /// Compares `got` with the beginning of the pattern, and returns whether it is less than the whole reply. If this
    /// is `endless`, `got` may continue after the end of the pattern.
    ///
    /// # Errors
    /// The first difference, in the best match: the one that gets farthest.
    pub(crate) fn compare_beginning(&self, got: &[u8], endless: bool) -> Result<bool, Difference> {
        let matched = self.matched(got, endless)?;
        Ok(endless || matched < self.tokens.len())
    }

    /// Matches all of `got` with the beginning of the pattern, and returns the number of tokens. If the pattern is
    /// `endless`, `got` may be longer.
    fn matched(&self, got: &[u8], endless: bool) -> Result<usize, Difference> {
        let (mut token, mut byte) = (0, 0);
        let mut farthest = (0, 0);
        // Where to continue if the last wildcard of the line must match one more byte.
        let mut retry = None;
        // If bytes are missing at the end, a longer wildcard would only leave fewer.
        while byte < got.len() && !(endless && token == self.tokens.len()) {
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
        Ok(token)
    }
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}
