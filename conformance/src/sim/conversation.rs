//! [`Conversation`]: records one connection. The checks look at nothing else.

use std::sync::Arc;

use sanserve_core::{Ask, Config, Entries, FsError, Meta, UploadState};

pub use super::fs_failure::{FS_ERRORS, FsFailure, FsOperation};
use super::input::Input;
use super::mistake_log;
use super::plan::ConnectionPlan;
use super::reader::{self, Logged, ParsedReply};

/// The record of one connection of a world, from the first step to the end.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The number of the connection in the world, from 0.
    pub number: usize,
    /// When it took place.
    pub phase: Phase,
    /// The number from which the handler was created.
    pub handler: u64,
    /// The configuration of the connection.
    pub config: Config,
    /// The date during the whole conversation, if it was known.
    pub unix: Option<i64>,
    /// All bytes that the peer would send.
    pub input: Vec<u8>,
    /// Whether the peer half-closed after that; otherwise it stayed silent.
    pub half_close: bool,
    /// The request lines in the input; `None` if it was damaged, so that they are unknown.
    pub sent_lines: Option<Vec<Vec<u8>>>,
    /// The content of each of these requests.
    pub sent_contents: Vec<Vec<u8>>,
    /// Where each request ends in the input, with its content; empty if the input was damaged.
    pub request_ends: Vec<usize>,
    /// Whether the adapter hands its transport over if the handler asks for that.
    pub upgradable: bool,
    /// The bytes that the next protocol read after an upgrade.
    pub upgraded: Option<Vec<u8>>,
    /// The request lines that the handler got.
    pub requests: Vec<String>,
    /// All bytes that the peer received.
    pub output: Vec<u8>,
    /// The log lines.
    pub log: String,
    /// The calls of the file system, with their answers.
    pub fs_calls: Vec<FsCall>,
    /// The operations of the file system that failed, by a fault or not.
    pub fs_failures: Vec<FsFailure>,
    /// The faults that it had.
    pub disruptions: Disruptions,
    /// What was counted.
    pub counts: Counts,
    /// The result without faults, if that run ended.
    pub reference: Option<ReferenceRun>,
}

/// When a connection takes place. In a quarter of the worlds there is one connection without faults before all others,
/// and one with the same request after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before all others.
    Before,
    /// As one of those with faults.
    During,
    /// After all others.
    After,
}

/// A request that was sent whole and undamaged, and the reply to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestAndReply<'a> {
    /// The method, such as `GET`.
    pub method: &'a str,
    /// The target, such as `/a?b`.
    pub target: &'a str,
    /// The content that was sent.
    pub content: &'a [u8],
    /// The reply. After a fault it may be an error, or truncated.
    pub reply: ParsedReply<'a>,
}

/// A call of the file system, and its answer.
#[derive(Clone, Debug)]
pub struct FsCall {
    /// The number of the request that was being answered, from 0.
    pub request: usize,
    /// The request.
    pub ask: Ask,
    /// The answer.
    pub answer: Answer,
}

/// An answer of the file system.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A file.
    File {
        /// Its metadata.
        meta: Meta,
        /// Whether it could be sent with `Want::Copy`.
        sendable: bool,
        /// The bytes that were read or sent, as they were at that time.
        bytes_read: Vec<u8>,
        /// Where it ended, if earlier than its metadata says.
        early_end: Option<usize>,
    },
    /// A directory.
    Directory,
    /// The credentials are right.
    Verified,
    /// The change was made.
    Changed,
    /// A CGI process.
    Process {
        /// The output that was read.
        bytes_read: Vec<u8>,
    },
    /// A file that is being created.
    Writer(Writing),
    /// An upload that was begun, resumed or cancelled.
    Upload {
        /// Its state at that time.
        state: UploadState,
        /// What the connection has written to it.
        writing: Writing,
    },
    /// The entries of a directory.
    Listed(Arc<Entries>),
    /// An error.
    Failed(FsError),
}

/// What became of a file that was being created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writing {
    /// The number of bytes that were written.
    pub written: usize,
    /// The error of the next write, if it failed.
    pub error: Option<FsError>,
    /// The results of the commits, if there were any.
    pub commits: Vec<Result<(), FsError>>,
}

/// Faults of a connection that may change what the peer receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disruptions {
    /// The transport failed.
    pub reset: bool,
    /// A deadline passed.
    pub late: bool,
    /// An open file or a CGI process failed, or a file ended early.
    pub io_error: bool,
    /// `finish()` was called.
    pub finished: bool,
}

/// Counters of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps of the connection.
    pub steps: u64,
    /// Steps that were answered with `Nothing` although they could have had a result.
    pub pauses: u64,
    /// Bytes moved in any direction.
    pub bytes_moved: u64,
    /// Notes of CGI processes.
    pub notes: u64,
    /// The maximum of [`allocated`](sanserve_core::Connection::allocated).
    pub allocated: usize,
    /// The most bytes that the handler wrote to a new file at once.
    pub file_write_max: usize,
    /// Waits without a deadline.
    pub waits_without_deadline: u64,
    /// Deadlines that had already passed when they were set.
    pub past_deadlines: u64,
    /// Files and processes that were open when the connection closed.
    pub open_at_close: usize,
    /// Files and processes that were open after the reply was complete.
    pub open_after_reply: usize,
    /// Uses of the transport after it had failed.
    pub uses_after_failure: u64,
    /// Requests that began after `finish()`.
    pub begun_after_finish: u64,
    /// Reads although the peer had sent only whole requests and was waiting for a reply to one of them.
    pub reads_while_reply_due: u64,
    /// The maximum number of bytes of content that the handler got for one request.
    pub content_max: u64,
    /// Whether the connection was shut down for writing.
    pub shutdown: bool,
    /// Whether the connection closed.
    pub closed: bool,
}

/// The result of a run with the same requests and the same answers of the file system, but without faults.
#[derive(Clone, Debug, Default)]
pub struct ReferenceRun {
    /// All bytes that the peer received.
    pub output: Vec<u8>,
    /// The bytes that the next protocol read after an upgrade.
    pub upgraded: Option<Vec<u8>>,
    /// The log lines.
    pub log: String,
    /// The first call of the file system that is not the same.
    pub diverged: Option<String>,
    /// The first calls of the handler, if there is a transcript.
    pub calls: Vec<String>,
}

impl Conversation {
    /// Creates the record of a connection that has not begun.
    pub(super) fn new(plan: &ConnectionPlan, input: Input) -> Conversation {
        Conversation {
            number: plan.number,
            phase: plan.phase,
            handler: plan.handler,
            config: plan.config.clone(),
            unix: plan.unix,
            input: input.bytes,
            half_close: plan.half_close,
            sent_lines: input.lines,
            sent_contents: input.contents,
            request_ends: input.ends,
            upgradable: plan.upgradable,
            upgraded: None,
            requests: Vec::new(),
            output: Vec::new(),
            log: String::new(),
            fs_calls: Vec::new(),
            fs_failures: Vec::new(),
            disruptions: Disruptions::default(),
            counts: Counts::default(),
            reference: None,
        }
    }

    /// Parses the replies that the peer received, with a parser that is independent of the engine.
    ///
    /// # Errors
    /// The first error of the parser.
    pub fn replies(&self) -> Result<Vec<ParsedReply<'_>>, String> {
        reader::parse(&self.output, &self.logged())
    }

    /// Returns the requests that were sent whole, with their replies, in order. There are none if the input was
    /// damaged.
    ///
    /// # Errors
    /// The first error of the parser of replies.
    pub fn exchanges(&self) -> Result<Vec<RequestAndReply<'_>>, String> {
        let lines = self.sent_lines.iter().flatten();
        let sent = lines.zip(&self.sent_contents).zip(&self.request_ends);
        let whole = sent.take_while(|(_, end)| **end <= self.input.len());
        let mut exchanges = Vec::new();
        for (((line, content), _), reply) in whole.zip(self.replies()?) {
            let mut words = str::from_utf8(line).unwrap_or_default().split(' ');
            let (method, target) = (words.next().unwrap_or_default(), words.next());
            exchanges.push(RequestAndReply {
                method,
                target: target.unwrap_or_default(),
                content,
                reply,
            });
        }
        Ok(exchanges)
    }

    /// Returns the mistakes of the handler that the engine has logged, with or without faults, such as `wrote less than
    /// Content-Length`.
    pub fn handler_errors(&self) -> impl Iterator<Item = &str> {
        let reference = self.reference.as_ref().map(|reference| &reference.log);
        let logs = [Some(&self.log), reference.filter(|log| **log != self.log)];
        logs.into_iter()
            .flatten()
            .flat_map(|log| mistake_log::mistakes(log))
    }

    /// Returns the requests in the log, with the status of each reply.
    #[must_use]
    pub fn logged(&self) -> Vec<Logged<'_>> {
        reader::logged(&self.log)
    }
}

impl Disruptions {
    /// Returns whether there was any fault.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Disruptions::default()
    }
}
