//! Cases: what a client sends and the reply that it must get; parsed from the files in `cases/`.
//!
//! A file holds several cases. Each consists of these lines, with bytes written as in [`text`]:
//!
//! ```text
//! # a comment; empty lines separate cases
//! case     NAME             starts a case; names are unique
//! option   KEY VALUE        a setting of the server; any number of them, see `Setup`
//! handler  NAME             the handler that serves the case; `files`, the file service, by default
//! no-half-close             the client does not half-close after its last byte
//! pause    MS               the client pauses here for this many milliseconds before it continues to send
//! await    BYTES            the client continues to send here when it has received this many bytes
//! first-read MS             the client does not read for this many milliseconds
//! reads    BYTES MS         whenever the client has read this many bytes, it pauses for this many milliseconds
//! stops-reading BYTES       the client reads this many bytes, and then none until the server has closed the connection,
//!                           which it notices since it sends a byte every 20 ms; so the reply must be cut short
//! continues-to-send         after the request the client sends a byte every 20 ms until the server has closed the
//!                           connection
//! closed-after MS           the client is silent for this many milliseconds after the request; by then the server must
//!                           have closed the connection
//! closes   BYTES            the client closes the connection when it has received this many bytes of the reply
//! resets   BYTES            the same, and the connection ends with a reset
//! stop     BYTES            the server is told to stop when the client has received this many bytes
//! within   MS               the conversation has to end in this many milliseconds
//! neighbour BYTES           another client is connected meanwhile; it sends this request before the case begins, except
//!                           for the last byte, and that afterwards. Without BYTES it sends and receives nothing
//! neighbour-gets BYTES      the reply to that client ends with these bytes
//! stores                    the case stores files: each of its conversations needs a fresh server and site
//! upgrades                  the connection is upgraded, so the port must support that; see `Shout`
//! >        BYTES            what the client sends; several lines are joined
//! <        BYTES            the expected reply; `*` is one or more bytes of a line; several lines are joined
//! endless                   the reply continues after these bytes, and what follows is not compared
//! <+       BYTES            bytes that sanserve sends here and CPython does not
//! <!       BYTES            the same, also with `FileSettings::plain`
//! log      TEXT             an expected line of the log, without `ADDRESS - - [TIME] `
//! each     VALUE            makes a case named `NAME VALUE`, with VALUE in place of each `\@`; several of these
//!                           lines make that number of cases, and none named NAME
//! ```
//!
//! These stand for a whole reply. STATUS and MESSAGE are those of an error; further fields may follow the message,
//! each after a `\n`:
//!
//! ```text
//! error                 PROTOCOL STATUS MESSAGE   CPython's error reply, which closes the connection
//! head-only             PROTOCOL STATUS MESSAGE   the same in reply to HEAD, without the page
//! error-page            PROTOCOL STATUS MESSAGE   the same with sanserve's own page, up to its links
//! keeps-alive           STATUS MESSAGE            an HTTP/1.1 error reply that keeps the connection open
//! rejects-and-closes    STATUS MESSAGE            the error reply, its two lines of the log, and that the
//!                                                 connection closes: another request is sent and gets no reply
//! rejects-and-continues STATUS MESSAGE            the HTTP/1.1 error reply, its two lines of the log, and that the
//!                                                 connection stays open: another request is sent and gets a 404
//! listing               PROTOCOL PATH             sanserve's listing of a directory, up to the breadcrumbs
//! pictures              PROTOCOL PATH             the same in the view with pictures
//! ```
//!
//! Content in gzip is decoded before it is compared. Its `Content-Encoding` is then `gzip (decoded)`, and
//! `Transfer-Encoding` is omitted.
//!
//! A file whose first line is `recorded` holds CPython's replies. Where sanserve differs on purpose,
//! [`divergence`](crate::divergence) has an entry.

use crate::data_files;
use crate::line::{self, Line};
use crate::pace::Pace;
use crate::pattern::Pattern;
use crate::shared_replies;
use crate::text;

/// One conversation with a server, and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name, unique in the suite; reports and divergences refer to it.
    pub name: String,
    /// Settings of the server that differ from the defaults, in the order of the file.
    pub options: Vec<(String, String)>,
    /// The handler that serves it; `files` is the file service.
    pub handler: String,
    /// All bytes that the client sends.
    pub request: Vec<u8>,
    /// Whether the client half-closes after its last byte.
    pub half_close: bool,
    /// When the client sends and reads.
    pub pace: Pace,
    /// Whether it stores files. Each conversation then needs a fresh server and site.
    pub stores: bool,
    /// Whether its connection is upgraded. A port must then run [`Shout`](crate::Shout) at
    /// [`Want::Upgrade`](sanserve_core::Want::Upgrade); if it does not support upgrades, leave the case out with
    /// [`run_except`](crate::run_except).
    pub upgrades: bool,
    /// The reply that sanserve must send, unless there is a divergence.
    pub reply: Pattern,
    /// Whether the reply continues after these bytes. What follows is not compared.
    pub endless: bool,
    /// CPython's reply: [`reply`](Self::reply) without the bytes that sanserve adds.
    pub cpython_reply: Pattern,
    /// The reply with `FileSettings::plain`: CPython's, with the `Connection` fields of sanserve.
    pub plain_reply: Pattern,
    /// The expected lines of the log, without `ADDRESS - - [TIME] `.
    ///
    /// Where CPython printed a traceback, there is one line `@TRACEBACK ...@`. Only CPython logs that, so such a
    /// case always needs a divergence.
    pub log: Vec<String>,
    /// Whether the reply was recorded from CPython.
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
            pace: Pace::default(),
            stores: false,
            upgrades: false,
            reply: Pattern::default(),
            endless: false,
            cpython_reply: Pattern::default(),
            plain_reply: Pattern::default(),
            log: Vec::new(),
            recorded,
        }
    }

    /// Parses the lines of one case, with `value` in place of each `\@`.
    fn read(lines: &[Line<'_>], value: Option<&str>, recorded: bool) -> Self {
        let [first, lines @ ..] = lines else {
            unreachable!("a case begins with a line");
        };
        if first.rest.is_empty() {
            first.fail("a case needs a name");
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

    /// Returns the value of an option: the last one if it is given several times.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns whether the result depends on when the client sends and reads. Such a case runs with one fragmentation,
    /// [`Whole`](crate::Fragmentation::Whole), as each takes up to half a second. It needs a port with deadlines, over
    /// a transport that has two ends; otherwise leave it out with [`run_except`](crate::run_except).
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.pace != Pace::default()
    }

    /// Returns whether the server is told to stop during the conversation. It must then be a server of its own, see
    /// [`StartedServer`](crate::StartedServer).
    #[must_use]
    pub fn stops(&self) -> bool {
        self.pace.stop.is_some()
    }

    /// Returns whether the client disconnects while the server works on its request, which only a port that watches the
    /// transport meanwhile notices
    /// ([`Connection::awaits_work`](sanserve_core::Connection::awaits_work)). The log is then complete a moment after
    /// the conversation.
    #[must_use]
    pub fn hangs_up(&self) -> bool {
        self.pace.hangs_up.is_some()
    }

    /// Expects that the first request is rejected, and that a second one gets no reply.
    fn reject_and_close(&mut self, mut line: Line<'_>) {
        let protocol = self.option("protocol").unwrap_or("HTTP/1.0").to_string();
        let (status, message) = self.expect_error(&mut line);
        let error = if self.request.starts_with(b"HEAD ") {
            shared_replies::error_head
        } else {
            shared_replies::error
        };
        self.reply.extend(&error(&protocol, &status, &message));
        self.request.extend(SECOND_REQUEST);
    }

    /// Expects that the first request is rejected, and that a second one gets a 404.
    fn reject_and_continue(&mut self, mut line: Line<'_>) {
        let (status, message) = self.expect_error(&mut line);
        let head = self.request.starts_with(b"HEAD ");
        self.reply
            .extend(&shared_replies::error_keep_alive(head, &status, &message));
        self.reply.extend(&shared_replies::error_keep_alive(
            false,
            "404",
            "File not found",
        ));
        self.log.push("code 404, message File not found".into());
        self.log.push("\"GET /smuggled HTTP/1.1\" 404 -".into());
        self.request.extend(SECOND_REQUEST);
    }

    /// Expects the two log lines of an error reply to the first request. Returns the status and the message of
    /// `line`.
    fn expect_error(&mut self, line: &mut Line<'_>) -> (String, String) {
        let (status, message) = (line.next_word().to_string(), line.string());
        let end = self.request.windows(2).position(|two| two == b"\r\n");
        let Some(end) = end else {
            line.fail("a rejected request must begin with a request line");
        };
        let request_line: String = self.request[..end]
            .iter()
            .copied()
            .map(char::from)
            .collect();
        let phrase = message.lines().next().unwrap_or_default();
        let logged = text::log(phrase);
        self.log.push(format!("code {status}, message {logged}"));
        self.log
            .push(format!("\"{}\" {status} -", text::log(&request_line)));
        (status, message)
    }

    /// Applies one line of the file.
    fn add(&mut self, mut line: Line<'_>) {
        match line.keyword {
            "option" => {
                let key = line.next_word().to_string();
                self.options.push((key, line.string()));
            }
            "handler" => self.handler = line.string(),
            "no-half-close" => self.half_close = false,
            "stores" => self.stores = true,
            "upgrades" => self.upgrades = true,
            "endless" => self.endless = true,
            ">" => self.request.extend(line.bytes()),
            "<" => {
                self.reply.extend(&line.tokens());
                self.cpython_reply.extend(&line.tokens());
                self.plain_reply.extend(&line.tokens());
            }
            "<!" => {
                self.reply.extend(&line.tokens());
                self.plain_reply.extend(&line.tokens());
            }
            "<+" => self.reply.extend(&line.tokens()),
            "error" => self.reply.extend(&line.error()),
            "error-page" => self.reply.extend(&line.error_page()),
            "listing" | "pictures" => {
                let (uploads, pictures) = (self.handler == "upload", line.keyword == "pictures");
                self.reply.extend(&line.listing(uploads, pictures));
            }
            "head-only" => self.reply.extend(&line.error_head()),
            "keeps-alive" => {
                let head = self.request.starts_with(b"HEAD ");
                let (status, message) = (line.next_word().to_string(), line.string());
                self.reply
                    .extend(&shared_replies::error_keep_alive(head, &status, &message));
            }
            "log" => self.log.push(line.string()),
            "rejects-and-continues" => self.reject_and_continue(line),
            "rejects-and-closes" => self.reject_and_close(line),
            _ => self.pace.add(&mut line, self.request.len()),
        }
    }
}

/// Parses all cases of the standard suite.
///
/// # Panics
/// If a file cannot be parsed; the message has the file and the line.
#[must_use]
pub fn all() -> Vec<Case> {
    data_files::CASES
        .iter()
        .flat_map(|(name, content)| read(name, content))
        .collect()
}

/// Parses a file of cases; for ports that add their own.
///
/// # Panics
/// If it cannot be parsed; the message has the file and the line.
#[must_use]
pub fn read(file: &str, content: &str) -> Vec<Case> {
    let mut lines = line::lines(file, content).peekable();
    let recorded = lines.next_if(|line| line.keyword == "recorded").is_some();
    let mut cases = Vec::new();
    while let Some(first) = lines.next() {
        if first.keyword != "case" {
            first.fail("this line must follow a case line");
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

/// A second request, which must not be served if the connection had to close after the first.
const SECOND_REQUEST: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
