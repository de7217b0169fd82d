//! Divergences: where we answer otherwise than CPython on purpose, each with its reason.
//!
//! An entry of `cases/divergences.txt` names a recorded case and tells our whole answer:
//!
//! ```text
//! case     NAME             of a recorded case
//! reason   TEXT             why we differ; one line or more
//! <        BYTES            our reply instead of theirs; none at all means no reply
//! <+       BYTES            the same; for the eye, a piece that theirs has not
//! <-       BYTES            what `FileSettings::plain` has in this place, and nothing else
//! plain    theirs           `FileSettings::plain` has CPython's answer back
//! error    PROTOCOL STATUS MESSAGE   our error reply, whole
//! headed   PROTOCOL STATUS MESSAGE   the same in answer to HEAD
//! bad-head PROTOCOL STATUS MESSAGE   the same in answer to HEAD in a bad request line; with `FileSettings::plain` the page is sent
//! log      TEXT             our log instead of theirs
//! ```
//!
//! That an entry still tells the truth is judged by [`judge`](crate::judge): one that CPython's
//! answer fits as well is stale, and fails.

use crate::files;
use crate::line::{self, Line};
use crate::pattern::Pattern;
use crate::text::Token;

/// One difference on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The name of the recorded case.
    pub case: String,
    /// Why we differ.
    pub reason: String,
    /// What we answer instead.
    pub reply: Pattern,
    /// What [`FileSettings::plain`](sanserve_core::FileSettings::plain) makes of it: without the pieces that it leaves out.
    pub bare: Pattern,
    /// Whether `FileSettings::plain` has CPython's answer back.
    pub plain: bool,
    /// What we log instead.
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
            "<-" => self.bare.extend(&line.tokens()),
            "error" => self.extend(&line.error()),
            "headed" => self.extend(&line.error_head()),
            "bad-head" => {
                self.reply.extend(&line.error_head());
                self.bare.extend(&line.error());
            }
            "plain" if line.rest == "theirs" => self.plain = true,
            "log" => self.log.push(line.string()),
            _ => line.fail("no such keyword in a divergence"),
        }
    }

    fn extend(&mut self, tokens: &[Token]) {
        self.reply.extend(tokens);
        self.bare.extend(tokens);
    }
}

/// Reads every divergence of the suite.
///
/// # Panics
/// When the file cannot be read; the message names the line.
#[must_use]
pub fn all() -> Vec<Divergence> {
    read(files::DIVERGENCES.0, files::DIVERGENCES.1)
}

/// Reads a file of divergences.
///
/// # Panics
/// When it cannot be read, or an entry gives no reason; the message names the file and the line.
#[must_use]
pub fn read(file: &str, content: &str) -> Vec<Divergence> {
    let mut all: Vec<(Line<'_>, Divergence)> = Vec::new();
    for line in line::lines(file, content) {
        if line.keyword == "case" {
            let (reply, bare, log) = Default::default();
            all.push((
                line,
                Divergence {
                    case: line.string(),
                    reason: String::new(),
                    reply,
                    bare,
                    plain: false,
                    log,
                },
            ));
        } else if let Some((_, divergence)) = all.last_mut() {
            divergence.add(line);
        } else {
            line.fail("this line belongs to no case");
        }
    }
    let without = all
        .iter()
        .find(|(_, divergence)| divergence.reason.is_empty());
    if let Some((line, _)) = without {
        line.fail("a divergence wants a reason");
    }
    all.into_iter().map(|(_, divergence)| divergence).collect()
}
