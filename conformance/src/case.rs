//! Cases: what a client sends, and what it must be answered; read from the files in `cases/`.
//!
//! A file holds several cases, each of these lines (written as [`text`] says):
//!
//! ```text
//! # a comment; empty lines separate
//! case     NAME             begins a case; the name is unique
//! option   KEY VALUE        a setting of the server; any number of them
//! handler  NAME             what serves it, if not the file service, which is `files`
//! open                      the client does not half-close after its last byte
//! stores                    files are stored: the conversation has a server and a site of its own
//! >        BYTES            what the client sends; several lines are joined
//! <        BYTES            what it is answered; `*` is one byte or more of the line; joined
//! <+       BYTES            what we answer in this place and CPython does not
//! <!       BYTES            the same, also with `FileSettings::plain`
//! error    PROTOCOL STATUS MESSAGE   the whole error reply, joined to the answer; fields that it has
//!                           besides follow the message, each after a `\n`
//! headed   PROTOCOL STATUS MESSAGE   the same in answer to HEAD
//! stays    STATUS MESSAGE   the error reply of HTTP/1.1 to the first request, and no `Connection: close`
//! dressed  PROTOCOL STATUS MESSAGE   the same as `error` in our own dress
//! listed   PROTOCOL PATH    the reply with our own listing of a directory, up to the way that leads there
//! log      TEXT             a line of the log, without `ADDRESS - - [TIME] `
//! refused  STATUS MESSAGE   the error reply and its two lines of the log, and that the connection
//!                           closes: one more request follows what is sent, and gets no answer
//! denied   STATUS MESSAGE   the same in HTTP/1.1, but the connection stays: the one that follows
//!                           names nothing and is told so
//! each     VALUE            makes a case called `NAME VALUE`, with VALUE in place of each `\@`;
//!                           with several such lines there are as many cases, and NAME is none
//! ```
//!
//! A file that begins with the line `recorded` holds CPython's own answers. Where we mean to answer
//! otherwise, [`divergence`](crate::divergence) says so.

use crate::files;
use crate::line::{self, Line};
use crate::page;
use crate::pattern::Pattern;
use crate::text;

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
    /// Whether it stores something. Then each conversation wants a server of its own, with a site that
    /// nothing was stored in.
    pub stores: bool,
    /// What we must answer, unless a divergence says otherwise.
    pub reply: Pattern,
    /// What CPython answers: the reply without the pieces that we add.
    pub theirs: Pattern,
    /// What we answer with `FileSettings::plain`: CPython's reply, and how the connection goes on.
    pub bare: Pattern,
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
            stores: false,
            reply: Pattern::default(),
            theirs: Pattern::default(),
            bare: Pattern::default(),
            log: Vec::new(),
            recorded,
        }
    }

    /// Reads the lines of one case, with `value` in place of each `\@`.
    fn read(lines: &[Line<'_>], value: Option<&str>, recorded: bool) -> Self {
        let [first, lines @ ..] = lines else {
            unreachable!("a case begins with a line");
        };
        if first.rest.is_empty() {
            first.fail("a case wants a name");
        }
        let name = value.map_or(first.string(), |value| {
            format!("{} {value}", first.string())
        });
        let mut case = Self::new(name, recorded);
        for line in lines.iter().filter(|line| line.keyword != "each") {
            let rest = value.map(|value| line.rest.replace("\\@", value));
            case.add(line.with(rest.as_deref().unwrap_or(line.rest)));
        }
        case
    }

    /// The value of an option, the last one if it is given twice.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Expects that the request, the first of which is there already, is refused, and that none is
    /// answered after it.
    fn refuse(&mut self, mut line: Line<'_>) {
        let protocol = self.option("protocol").unwrap_or("HTTP/1.0").to_string();
        let (status, message) = self.expect_error(&mut line);
        let error = if self.request.starts_with(b"HEAD ") {
            page::error_head
        } else {
            page::error
        };
        self.reply.extend(&error(&protocol, &status, &message));
        self.request.extend(MORE);
    }

    /// Expects the same, and that the next one is answered.
    fn deny(&mut self, mut line: Line<'_>) {
        let (status, message) = self.expect_error(&mut line);
        let head = self.request.starts_with(b"HEAD ");
        self.reply.extend(&page::stays(head, &status, &message));
        self.reply
            .extend(&page::stays(false, "404", "File not found"));
        self.log.push("code 404, message File not found".into());
        self.log.push("\"GET /smuggled HTTP/1.1\" 404 -".into());
        self.request.extend(MORE);
    }

    /// Expects the two log lines of an error in answer to the first request. Returns the status and
    /// the message that the line names.
    fn expect_error(&mut self, line: &mut Line<'_>) -> (String, String) {
        let (status, message) = (line.next_word().to_string(), line.string());
        let end = self.request.windows(2).position(|two| two == b"\r\n");
        let Some(end) = end else {
            line.fail("what is refused begins with a request line");
        };
        let said = self.request[..end].iter().copied().map(char::from);
        let (said, words) = (said.collect::<String>(), message.lines().next());
        let logged = text::log(words.unwrap_or_default());
        self.log.push(format!("code {status}, message {logged}"));
        self.log
            .push(format!("\"{}\" {status} -", text::log(&said)));
        (status, message)
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
            "stores" => self.stores = true,
            ">" => self.request.extend(line.bytes()),
            "<" => {
                self.reply.extend(&line.tokens());
                self.theirs.extend(&line.tokens());
                self.bare.extend(&line.tokens());
            }
            "<!" => {
                self.reply.extend(&line.tokens());
                self.bare.extend(&line.tokens());
            }
            "<+" => self.reply.extend(&line.tokens()),
            "error" => self.reply.extend(&line.error()),
            "dressed" => self.reply.extend(&line.dressed()),
            "listed" => {
                let uploads = self.handler == "upload";
                self.reply.extend(&line.listed(uploads));
            }
            "headed" => self.reply.extend(&line.error_head()),
            "stays" => {
                let head = self.request.starts_with(b"HEAD ");
                let (status, message) = (line.next_word().to_string(), line.string());
                self.reply.extend(&page::stays(head, &status, &message));
            }
            "log" => self.log.push(line.string()),
            "denied" => self.deny(line),
            "refused" => self.refuse(line),
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
    let mut lines = line::lines(file, content).peekable();
    let recorded = lines.next_if(|line| line.keyword == "recorded").is_some();
    let mut cases = Vec::new();
    while let Some(first) = lines.next() {
        if first.keyword != "case" {
            first.fail("this line belongs to no case");
        }
        let mut block = vec![first];
        while let Some(line) = lines.next_if(|line| line.keyword != "case") {
            block.push(line);
        }
        let values = block.iter().filter(|line| line.keyword == "each");
        let values: Vec<&str> = values.map(|line| line.rest).collect();
        if values.is_empty() {
            cases.push(Case::read(&block, None, recorded));
        }
        cases.extend(
            values
                .iter()
                .map(|value| Case::read(&block, Some(value), recorded)),
        );
    }
    cases
}

/// What nobody may take for a request who was to refuse the one before it.
const MORE: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
