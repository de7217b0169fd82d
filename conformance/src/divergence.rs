//! Divergences: where sanserve deliberately replies differently from CPython, each with its reason; parsed from
//! `cases/divergences.txt`.
//!
//! An entry names a recorded case and has the whole reply:
//!
//! ```text
//! case     NAME             a recorded case
//! reason   TEXT             why sanserve differs; one or more lines
//! <        BYTES            the reply in place of CPython's; without any, there is no reply
//! <+       BYTES            the same; marks bytes that CPython does not send
//! <-       BYTES            bytes that are sent only with `FileSettings::plain`
//! plain    cpython          with `FileSettings::plain` the reply is CPython's
//! error    PROTOCOL STATUS MESSAGE    the whole error reply
//! head-only PROTOCOL STATUS MESSAGE   the same in reply to HEAD
//! bad-head PROTOCOL STATUS MESSAGE    the same in reply to HEAD in a bad request line; with `FileSettings::plain` the page
//!                                     is sent
//! log      TEXT             the log in place of CPython's
//! ```
//!
//! The [`oracle`](crate::oracle) fails an entry as stale if CPython's reply is accepted as well.

use crate::data_files;
use crate::line::{self, Line};
use crate::pattern::Pattern;
use crate::text::Token;

/// One deliberate difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The name of the recorded case.
    pub case: String,
    /// Why sanserve differs.
    pub reason: String,
    /// The reply of sanserve.
    pub reply: Pattern,
    /// The reply with [`FileSettings::plain`](sanserve_core::FileSettings::plain).
    pub plain_reply: Pattern,
    /// Whether the reply with `FileSettings::plain` is CPython's.
    pub plain_as_cpython: bool,
    /// The log of sanserve.
    pub log: Vec<String>,
}

impl Divergence {
    fn add(&mut self, line: Line<'_>) {
        match line.keyword {
            "reason" => {
                let gap = if self.reason.is_empty() { "" } else { " " };
                self.reason.push_str(gap);
                self.reason.push_str(&line.string());
            }
            "<" => self.extend(&line.tokens()),
            "<+" => self.reply.extend(&line.tokens()),
            "<-" => self.plain_reply.extend(&line.tokens()),
            "error" => self.extend(&line.error()),
            "head-only" => self.extend(&line.error_head()),
            "bad-head" => {
                self.reply.extend(&line.error_head());
                self.plain_reply.extend(&line.error());
            }
            "plain" if line.rest == "cpython" => self.plain_as_cpython = true,
            "log" => self.log.push(line.string()),
            _ => line.fail("unknown keyword in a divergence"),
        }
    }

    fn extend(&mut self, tokens: &[Token]) {
        self.reply.extend(tokens);
        self.plain_reply.extend(tokens);
    }
}

/// Parses all divergences of the standard suite.
///
/// # Panics
/// If the file cannot be parsed; the message has the line.
#[must_use]
pub fn all() -> Vec<Divergence> {
    read(data_files::DIVERGENCES.0, data_files::DIVERGENCES.1)
}

/// Parses a file of divergences.
///
/// # Panics
/// If it cannot be parsed or an entry has no reason; the message has the file and the line.
#[must_use]
pub fn read(file: &str, content: &str) -> Vec<Divergence> {
    let mut all: Vec<(Line<'_>, Divergence)> = Vec::new();
    for line in line::lines(file, content) {
        if line.keyword == "case" {
            let (reply, plain_reply, log) = Default::default();
            all.push((
                line,
                Divergence {
                    case: line.string(),
                    reason: String::new(),
                    reply,
                    plain_reply,
                    plain_as_cpython: false,
                    log,
                },
            ));
        } else if let Some((_, divergence)) = all.last_mut() {
            divergence.add(line);
        } else {
            line.fail("this line must follow a case line");
        }
    }
    let missing_reason = all
        .iter()
        .find(|(_, divergence)| divergence.reason.is_empty());
    if let Some((line, _)) = missing_reason {
        line.fail("a divergence needs a reason");
    }
    all.into_iter().map(|(_, divergence)| divergence).collect()
}
