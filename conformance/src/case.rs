//! Cases: what a client sends, and what it must be answered; read from the files in `cases/`.
//!
//! A file holds several cases, each of these lines (written as [`text`](crate::text) says):
//!
//! ```text
//! # a comment; empty lines separate
//! case     NAME             begins a case; the name is unique
//! option   KEY VALUE        a setting of the server; any number of them
//! handler  NAME             what serves it, if not the file service, which is `files`
//! open                      the client does not half-close after its last byte
//! >        BYTES            what the client sends; several lines are joined
//! <        BYTES            what it is answered; `*` is one byte or more of the line; joined
//! <+       BYTES            what we answer in this place and CPython does not
//! error    PROTOCOL STATUS MESSAGE   the whole error reply, joined to the answer; not for HEAD
//! log      TEXT             a line of the log, without `ADDRESS - - [TIME] `
//! ```
//!
//! A file that begins with the line `recorded` holds CPython's own answers. Where we mean to answer
//! otherwise, [`divergence`](crate::divergence) says so.

use crate::files;
use crate::line::{self, Line};
use crate::pattern::Pattern;

/// One conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What reports and divergences call it.
    pub name: String,
    /// Settings of the server that differ from its defaults, in the order of the file.
    pub options: Vec<(String, String)>,
    /// Which handler serves it; `files` is the file service.
    pub handler: String,
    /// Every byte that the client sends.
    pub request: Vec<u8>,
    /// Whether the client says that nothing follows, after its last byte.
    pub half_close: bool,
    /// What we must answer, unless a divergence says otherwise.
    pub reply: Pattern,
    /// What CPython answers: the reply without the pieces that we add.
    pub theirs: Pattern,
    /// The lines that must be logged, without `ADDRESS - - [TIME] `.
    ///
    /// Where CPython printed a traceback, one line `@TRACEBACK ...@` stands for it. Nobody else
    /// logs that, so such a case always needs a divergence.
    pub log: Vec<String>,
    /// Whether CPython was recorded giving this answer.
    pub recorded: bool,
}

impl Case {
    fn new(name: String, recorded: bool) -> Self {
        Self {
            name,
            options: Vec::new(),
            handler: "files".into(),
            request: Vec::new(),
            half_close: true,
            reply: Pattern::default(),
            theirs: Pattern::default(),
            log: Vec::new(),
            recorded,
        }
    }

    /// The value of an option, the last one if it is given twice.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Takes one line of the case in.
    fn add(&mut self, mut line: Line<'_>) {
        match line.keyword {
            "option" => {
                let key = line.next_word().to_string();
                self.options.push((key, line.string()));
            }
            "handler" => self.handler = line.string(),
            "open" => self.half_close = false,
            ">" => self.request.extend(line.bytes()),
            "<" => {
                self.reply.extend(&line.tokens());
                self.theirs.extend(&line.tokens());
            }
            "<+" => self.reply.extend(&line.tokens()),
            "error" => self.reply.extend(&line.error()),
            "log" => self.log.push(line.string()),
            _ => line.fail("no such keyword"),
        }
    }
}

/// Reads every case of the suite, file by file.
///
/// # Panics
/// When a file cannot be read; the message names the file and the line.
#[must_use]
pub fn all() -> Vec<Case> {
    files::CASES
        .iter()
        .flat_map(|(name, content)| read(name, content))
        .collect()
}

/// Reads one file of cases; for ports that bring cases of their own.
///
/// # Panics
/// When it cannot be read; the message names the file and the line.
#[must_use]
pub fn read(file: &str, content: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut recorded = false;
    for (at, line) in line::lines(file, content).enumerate() {
        match line.keyword {
            "recorded" if at == 0 => recorded = true,
            "case" if line.rest.is_empty() => line.fail("a case wants a name"),
            "case" => cases.push(Case::new(line.string(), recorded)),
            _ => match cases.last_mut() {
                Some(case) => case.add(line),
                None => line.fail("this line belongs to no case"),
            },
        }
    }
    cases
}
