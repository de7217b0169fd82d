//! The lines of a data file: a keyword, blanks, and the rest; with the place to name in a panic.
//!
//! What the keywords mean is left to the files that read cases, divergences and the site. The data
//! is ours, so what cannot be read panics: there is nobody who could do better with an error.

use crate::shared_replies;
use crate::text::{self, Token};

/// One line that is neither empty nor a comment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    file: &'a str,
    number: usize,
    /// The first word.
    pub(crate) keyword: &'a str,
    /// What follows the blanks after the keyword, as written.
    pub(crate) rest: &'a str,
}

/// The lines of a file, without the empty ones and the comments.
pub(crate) fn lines<'a>(file: &'a str, content: &'a str) -> impl Iterator<Item = Line<'a>> {
    content
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(move |(at, line)| Line::new(file, at + 1, line))
}

impl<'a> Line<'a> {
    fn new(file: &'a str, number: usize, text: &'a str) -> Self {
        let (keyword, rest) = word(text);
        let line = Self {
            file,
            number,
            keyword,
            rest,
        };
        if text.ends_with([' ', '\t', '\r']) {
            line.fail("the line ends in a blank: write it as \\x20");
        }
        if keyword.is_empty() {
            line.fail("the line begins with a blank");
        }
        line
    }

    /// The same line with another rest.
    pub(crate) fn with<'b>(&self, rest: &'b str) -> Line<'b>
    where
        'a: 'b,
    {
        Line { rest, ..*self }
    }

    /// Takes the next word of the rest.
    pub(crate) fn next_word(&mut self) -> &'a str {
        let (word, rest) = word(self.rest);
        self.rest = rest;
        word
    }

    /// The rest as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_of(self.rest)
    }

    /// A part of the rest as bytes.
    pub(crate) fn bytes_of(&self, part: &str) -> Vec<u8> {
        text::bytes(part).unwrap_or_else(|why| self.fail(&why))
    }

    /// The rest as a piece of a pattern.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        text::tokens(self.rest).unwrap_or_else(|why| self.fail(&why))
    }

    /// The error reply that the rest, `PROTOCOL STATUS MESSAGE`, stands for.
    pub(crate) fn error(mut self) -> Vec<Token> {
        let (protocol, status) = (self.next_word(), self.next_word());
        shared_replies::error(protocol, status, &self.string())
    }

    /// The same in answer to HEAD.
    pub(crate) fn error_head(mut self) -> Vec<Token> {
        let (protocol, status) = (self.next_word(), self.next_word());
        shared_replies::error_head(protocol, status, &self.string())
    }

    /// The same in our own dress.
    pub(crate) fn error_page(mut self) -> Vec<Token> {
        let (protocol, status) = (self.next_word(), self.next_word());
        shared_replies::error_page(protocol, status, &self.string())
    }

    /// The start of a listing that the rest, `PROTOCOL PATH`, stands for.
    pub(crate) fn listing(mut self, uploads: bool) -> Vec<Token> {
        let protocol = self.next_word();
        shared_replies::listing(protocol, &self.string(), uploads)
    }

    /// The rest as text.
    pub(crate) fn string(&self) -> String {
        String::from_utf8(self.bytes()).unwrap_or_else(|_| self.fail("this must be UTF-8"))
    }

    /// Panics, naming the file and the line.
    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{}:{}: {why}", self.file, self.number)
    }
}

/// Splits the first word off.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start_matches([' ', '\t']))
}
