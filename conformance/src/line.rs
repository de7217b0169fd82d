//! [`Line`]: a line of a data file, divided into a keyword and the rest, which it parses as bytes, text or a pattern.
//!
//! The keywords are interpreted by the parsers of cases, divergences and the site. The data files are part of the
//! package or of a test, so an invalid line panics.

use crate::shared_replies;
use crate::text::{self, Token};

/// One line that is neither empty nor a comment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    file: &'a str,
    number: usize,
    /// The first word.
    pub(crate) keyword: &'a str,
    /// The text after the keyword, as written.
    pub(crate) rest: &'a str,
}

/// Returns the lines of a file, without empty lines and comments.
pub(crate) fn lines<'a>(file: &'a str, content: &'a str) -> impl Iterator<Item = Line<'a>> {
    content
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(move |(at, line)| Line::new(file, at + 1, line))
}

impl<'a> Line<'a> {
    fn new(file: &'a str, number: usize, text: &'a str) -> Self {
        let (keyword, rest) = split_word(text);
        let line = Self {
            file,
            number,
            keyword,
            rest,
        };
        if text.ends_with([' ', '\t', '\r']) {
            line.fail("the line ends with a space: write it as \\x20");
        }
        if keyword.is_empty() {
            line.fail("the line begins with a space");
        }
        line
    }

    /// Returns the same line with another rest.
    pub(crate) fn with<'b>(&self, rest: &'b str) -> Line<'b>
    where
        'a: 'b,
    {
        Line { rest, ..*self }
    }

    /// Takes the next word of the rest.
    pub(crate) fn next_word(&mut self) -> &'a str {
        let (word, rest) = split_word(self.rest);
        self.rest = rest;
        word
    }

    /// Returns the rest as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_of(self.rest)
    }

    /// Returns a part of the rest as bytes.
    pub(crate) fn bytes_of(&self, part: &str) -> Vec<u8> {
        text::bytes(part).unwrap_or_else(|why| self.fail(&why))
    }

    /// Returns the rest as tokens of a pattern.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        text::tokens(self.rest).unwrap_or_else(|why| self.fail(&why))
    }

    /// Returns the error reply for a rest of `PROTOCOL STATUS MESSAGE`.
    pub(crate) fn error(mut self) -> Vec<Token> {
        let (protocol, status) = (self.next_word(), self.next_word());
        shared_replies::error(protocol, status, &self.string())
    }

    /// Returns the same in reply to HEAD.
    pub(crate) fn error_head(mut self) -> Vec<Token> {
        let (protocol, status) = (self.next_word(), self.next_word());
        shared_replies::error_head(protocol, status, &self.string())
    }

    /// Returns the same with sanserve's own page.
    pub(crate) fn error_page(mut self) -> Vec<Token> {
        let (protocol, status) = (self.next_word(), self.next_word());
        shared_replies::error_page(protocol, status, &self.string())
    }

    /// Returns the start of a listing for a rest of `PROTOCOL PATH`.
    pub(crate) fn listing(mut self, uploads: bool, pictures: bool) -> Vec<Token> {
        let protocol = self.next_word();
        shared_replies::listing(protocol, &self.string(), uploads, pictures)
    }

    /// Returns the rest as text.
    pub(crate) fn string(&self) -> String {
        String::from_utf8(self.bytes()).unwrap_or_else(|_| self.fail("this must be UTF-8"))
    }

    /// Panics with the file and the number of the line.
    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{}:{}: {why}", self.file, self.number)
    }
}

/// Splits off the first word.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start_matches([' ', '\t']))
}
