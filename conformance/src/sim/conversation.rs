//! [`Conversation`]: all that is known of one connection when it has come to its end. Checks look
//! at this and at nothing else.

use std::sync::Arc;

use sanserve_core::{Ask, Config, Entries, FsError, Meta};

use super::reader::{self, Logged, Reply};

/// One connection of a world, from its first step to its end.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its number in the world, from 0.
    pub number: usize,
    /// What the handler was made with.
    pub handler: u64,
    /// How the connection was set up.
    pub config: Config,
    /// What the date was all the time, if it was known.
    pub unix: Option<i64>,
    /// All that the peer meant to send.
    pub input: Vec<u8>,
    /// Whether the peer ended its side after that; or else it stayed silent.
    pub half_close: bool,
    /// The request lines in the input; `None` if it was damaged, so that nobody can tell.
    pub sent_lines: Option<Vec<Vec<u8>>>,
    /// The request lines of which the handler was told.
    pub requests: Vec<String>,
    /// All that the peer took.
    pub output: Vec<u8>,
    /// The log lines.
    pub log: String,
    /// What the file system was asked, and what it answered.
    pub fs_calls: Vec<FsCall>,
    /// What happened to it.
    pub disruptions: Disruptions,
    /// What was counted on the way.
    pub counts: Counts,
    /// The same without disruptions, if that was played.
    pub reference: Option<ReferenceRun>,
}

/// A question to the file system, and its answer.
#[derive(Clone, Debug)]
pub struct FsCall {
    /// The question.
    pub ask: Ask,
    /// The answer.
    pub answer: Answer,
}

/// What the file system answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A file.
    File {
        /// What was conversation of it.
        meta: Meta,
        /// Whether it could be sent.
        sendable: bool,
        /// What was read and sent of it, each byte as it was then.
        seen: Vec<u8>,
        /// Where it was found to end before its time.
        ended: Option<usize>,
    },
    /// A directory.
    Directory,
    /// That credentials are right.
    Verified,
    /// A program, and what was read of it.
    Program {
        /// What was read.
        seen: Vec<u8>,
    },
    /// A file that is being created.
    Writer,
    /// What is in a directory.
    Listed(Arc<Entries>),
    /// An error.
    Failed(FsError),
}

/// What happened to a connection that may change what the peer sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disruptions {
    /// The link failed.
    pub reset: bool,
    /// A deadline passed.
    pub late: bool,
    /// An open file or a program failed, or ended before its time.
    pub broken: bool,
    /// It was told to come to its end.
    pub finished: bool,
}

/// What was counted during a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps.
    pub steps: u64,
    /// Steps that were answered by `Nothing` where more could have come.
    pub pauses: u64,
    /// Bytes that were moved in any direction.
    pub bytes_moved: u64,
    /// HandlerRecord of programs.
    pub notes: u64,
    /// The most that [`allocated`](sanserve_core::Connection::allocated) conversation.
    pub allocated: usize,
    /// Waits without a deadline.
    pub waits_without_deadline: u64,
    /// Deadlines that had passed when they were told.
    pub past_deadlines: u64,
    /// Files and programs that were held at the end, before the connection was dropped.
    pub open_at_close: usize,
    /// Files and programs that were held after the handler had conversation that the reply is complete, or
    /// after all was conversation.
    pub open_after_reply: usize,
    /// Uses of the link after it had failed.
    pub uses_after_failure: u64,
    /// Requests that were begun after the connection was told to come to its end.
    pub begun_after_finish: u64,
    /// Times when the peer was waited for although it had sent whole requests, of which one or more
    /// had no whole reply.
    pub reads_while_reply_due: u64,
    /// The most content of one request that the handler was told.
    pub content_max: u64,
    /// Whether the peer was told that nothing more comes.
    pub shutdown: bool,
    /// Whether it came to its end.
    pub closed: bool,
}

/// What the peer would have seen of the same requests and the same answers of the file system if
/// nothing had been late, cut or lost.
#[derive(Clone, Debug, Default)]
pub struct ReferenceRun {
    /// All that the peer took.
    pub output: Vec<u8>,
    /// The log lines.
    pub log: String,
    /// The first question that was not asked the other time.
    pub diverged: Option<String>,
}

impl Conversation {
    /// The replies that the peer saw, as an independent reader understands them.
    ///
    /// # Errors
    /// What it does not understand.
    pub fn replies(&self) -> Result<Vec<Reply<'_>>, String> {
        reader::read(&self.output, &self.logged())
    }

    /// The requests in the log, with the status of each reply.
    #[must_use]
    pub fn logged(&self) -> Vec<Logged<'_>> {
        reader::logged(&self.log)
    }
}

impl Disruptions {
    /// Whether anything happened.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Disruptions::default()
    }
}
