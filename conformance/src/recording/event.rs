//! [`Event`]: a line of a recording.

use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Entries, FsError, Meta, UploadState};

/// Something that happened to a connection.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The time on the connection's clock.
    pub(super) tick: Duration,
    pub(super) kind: EventKind,
}

#[derive(Clone, Debug)]
pub(super) enum EventKind {
    /// The date from now on.
    Date(i64),
    Call(Call),
    /// A deadline passed.
    Deadline,
    Input(Input),
    Answer {
        question: String,
        path: Vec<u8>,
        answer: Answer,
    },
    Source(SourceEvent),
    Woken,
    Sent(Sent),
}

/// A call of a method of the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Call {
    AllowUpgrade,
    WithoutTls,
    Finish,
    PeerClosed,
    PeerReset,
}

#[derive(Clone, Debug)]
pub(super) enum Input {
    Bytes(Vec<u8>),
    /// The peer has closed its side.
    Eof,
    /// The transport has failed.
    Failed,
}

/// An answer of the file system.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    File {
        meta: Meta,
        sendable: bool,
    },
    Directory,
    Process,
    Writer,
    /// The token is 0, as in the recorded heads.
    Upload(UploadState),
    Verified,
    Changed,
    Listed(Arc<Entries>),
    Failed(FsError),
}

/// An event of the open file or process.
#[derive(Clone, Debug)]
pub(super) enum SourceEvent {
    /// Content of a file at this offset.
    FileBytes(u64, Vec<u8>),
    /// The end at this offset.
    End(u64),
    /// A failure at this offset.
    Refused(FsError, u64),
    Output(Vec<u8>),
    Note(String),
    Working,
    /// This many bytes were written to it.
    Stored(u64),
    Committed(Result<(), FsError>),
}

/// What was sent to the peer.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    Head(Vec<u8>),
    /// The length of content that was not recorded.
    Content(u64),
    ContentBytes(Vec<u8>),
}

/// How the record of a connection ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// The connection was closed.
    Closed,
    /// It was upgraded to another protocol.
    Upgraded,
    /// The server dropped the connection, or the rest of the record is missing.
    Missing,
}
