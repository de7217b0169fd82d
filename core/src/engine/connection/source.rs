//! [`Source`]: the open file or CGI process of a connection, with the operations on it: send, read, write and commit.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use core::time::Duration;

use super::state::{Pending, State, Transition};
use super::{Connection, timeouts};
use crate::engine::reply_state::{Framing, Stage};
use crate::engine::{Event, Handler, Want};
use crate::fs::FsError;
use crate::text::escape::Repr;

/// The open file or CGI process. Dropping it closes the file or ends the process.
pub(super) struct Source<F> {
    file: F,
    kind: Kind,
    /// The number of bytes that have been read.
    at: u64,
    /// When the current wait for it began.
    pub(super) since: Duration,
    /// Since when it has only reported that it is working, and yielded no bytes.
    working_since: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file that has to be read.
    File,
    /// A file that can be sent by reference.
    Sendable,
    /// A CGI process, whose output has an unknown length.
    Process,
    /// A file that is being created.
    Writer,
}

/// The transfer of request content to a CGI process. Small pieces, such as chunks of one byte, are collected first, as
/// each write may cost a system call and a thread switch.
#[derive(Debug, Default)]
pub(super) struct Feed {
    collected: Vec<u8>,
    /// How many of the collected bytes have been written.
    passed: usize,
    /// Whether the collected bytes are being written.
    is_full: bool,
    /// How many bytes at the front of the inbox are written after that, without being collected.
    direct: usize,
}

impl Feed {
    fn is_ready(&self) -> bool {
        self.is_full || self.direct > 0
    }

    /// Notes that `n` bytes were written, or that the process accepts no more if `n` is 0. Returns how many bytes of
    /// the inbox are used up.
    fn passed_on(&mut self, n: usize) -> usize {
        if self.is_full {
            self.passed += n;
            if n == 0 || self.passed == self.collected.len() {
                self.collected.clear();
                (self.passed, self.is_full) = (0, false);
            }
            return 0;
        }
        let n = if n == 0 { self.direct } else { n };
        self.direct -= n;
        n
    }

    /// Returns how many bytes at the front of the inbox are being written.
    pub(super) fn direct(&self) -> usize {
        self.direct
    }

    /// Returns the number of bytes that are allocated.
    pub(super) fn capacity(&self) -> usize {
        self.collected.capacity()
    }
}

impl<F> Source<F> {
    pub(super) fn new(file: F, kind: Kind, since: Duration) -> Self {
        Source {
            file,
            kind,
            at: 0,
            since,
            working_since: None,
        }
    }

    /// Excludes the last `time` from the wait.
    pub(super) fn pause(&mut self, time: Duration) {
        self.since += time;
        self.working_since = self.working_since.map(|at| at + time);
    }

    /// Returns whether the next bytes may take long: for a CGI process, and for a file that has reported that it is
    /// working.
    pub(super) fn may_be_slow(&self) -> bool {
        self.is_process() || self.working_since.is_some()
    }

    pub(super) fn is_process(&self) -> bool {
        self.kind == Kind::Process
    }

    /// Returns whether the handler is resumed with an error, and replies to it: for a file that is being created, and
    /// for a CGI process that has not written anything yet.
    pub(super) fn reports_errors_to_handler(&self) -> bool {
        match self.kind {
            Kind::Writer => true,
            Kind::Process => self.at == 0,
            Kind::File | Kind::Sendable => false,
        }
    }
}

impl<F, H: Handler> Connection<F, H> {
    /// Sends the rest of a range of the open file, or of the CGI process's output.
    pub(super) fn send(&mut self, range: Range<u64>) -> Transition {
        let Some(Source {
            kind,
            working_since,
            ..
        }) = self.source
        else {
            return self.abandon_for_mistake("sent a file that is not open");
        };
        let end = if kind == Kind::Process {
            u64::MAX
        } else {
            range.end
        };
        let left = self.reply.accepts(end.saturating_sub(range.start));
        if left == 0 {
            return self.resume(Event::End);
        }
        let state = State::Send(range.start..range.start + left);
        let (room, chunked) = (
            self.room(),
            self.reply.stage == Stage::Content(Framing::Chunked),
        );
        let pending = match kind {
            // Send what the process has written before waiting for more.
            Kind::Process => self.output().unwrap_or(Pending::ReadFile),
            // A file that does not fit into the outbox is sent by reference; a small one together with its head.
            Kind::Sendable if left > room as u64 && !chunked => {
                self.output().unwrap_or(Pending::Copy)
            }
            _ if room == 0 => self.output().unwrap_or(Pending::Write),
            // Only a write shows whether the client is still there.
            Kind::File if working_since.is_some() => self.output().unwrap_or(Pending::ReadFile),
            _ => Pending::ReadFile,
        };
        self.wait(state, pending)
    }

    /// Returns whether part of the open file will be sent by reference.
    pub(super) fn copies_next(&self) -> bool {
        let sendable = |source: &Source<F>| source.kind == Kind::Sendable;
        let chunked = self.reply.stage == Stage::Content(Framing::Chunked);
        match &self.state {
            State::Send(range) if !chunked && self.source.as_ref().is_some_and(sendable) => {
                range.end - range.start > self.room() as u64
            }
            _ => false,
        }
    }

    /// Reads from the open file or CGI process for the handler.
    pub(super) fn read_source(&mut self) -> Transition {
        if self.source.is_none() {
            return self.abandon_for_mistake("read a file that is not open");
        }
        self.wait_after_output(State::Read, Pending::ReadFile)
    }

    /// Writes the request's content to the CGI process.
    pub(super) fn feed(&mut self, mut feed: Feed) -> Transition {
        if !self.source.as_ref().is_some_and(Source::is_process) {
            return self.abandon_for_mistake("wrote to a script that is not running");
        }
        if feed.is_ready() {
            return self.wait(State::Feed(feed), Pending::WriteFile);
        }
        let enough = self.config.limits.outbox / 4;
        match self.next_piece(State::Feed(Feed::default())) {
            Ok(0) if feed.collected.is_empty() => return self.resume(Event::End),
            Ok(0) => feed.is_full = true,
            Ok(n) if n >= enough => {
                feed.direct = n;
                feed.is_full = !feed.collected.is_empty();
            }
            Ok(n) => {
                feed.collected.extend_from_slice(&self.inbox.filled()[..n]);
                feed.is_full = feed.collected.len() >= enough;
                self.inbox.consume(n);
            }
            Err(then) => {
                if let State::Feed(waiting) = &mut self.state {
                    *waiting = feed;
                }
                return then;
            }
        }
        self.go(State::Feed(feed))
    }

    /// Writes bytes from the handler to the file that is being created.
    pub(super) fn write_file(&mut self, bytes: Vec<u8>) -> Transition {
        match self.source {
            _ if bytes.is_empty() => self.resume(Event::End),
            Some(Source {
                kind: Kind::Writer, ..
            }) => self.wait(State::WriteFile(bytes), Pending::WriteFile),
            _ => self.abandon_for_mistake("wrote to a file that is not open"),
        }
    }

    /// Commits the file that is being created.
    pub(super) fn commit(&mut self) -> Transition {
        match self.source {
            Some(Source {
                kind: Kind::Writer, ..
            }) => self.wait(State::Commit, Pending::Commit),
            _ => self.abandon_for_mistake("committed a file that it did not create"),
        }
    }

    /// Returns the pending want that concerns the open file or CGI process, with its buffers.
    #[inline(always)]
    pub(super) fn source_want(&mut self) -> Want<'_, F> {
        let (room, least) = (self.room(), self.config.limits.outbox / 4);
        let Some(Source { file, at, .. }) = &mut self.source else {
            unreachable!("a source is open while such a want is pending")
        };
        match &self.state {
            State::Send(range) => {
                let (at, len) = (range.start, range.end - range.start);
                if self.pending == Pending::Copy {
                    return Want::Copy { file, at, len };
                }
                let n = usize::try_from(len).map_or(room, |len| len.min(room));
                Want::ReadFile {
                    file,
                    at,
                    into: &mut self.outbox.reserve(n)[..n],
                }
            }
            // The spare capacity of the inbox is unused at this time.
            State::Read => Want::ReadFile {
                file,
                at: *at,
                into: &mut self.inbox.reserve(least)[..least],
            },
            State::WriteFile(from) => Want::WriteFile { file, from },
            State::Commit => Want::Commit { file },
            State::Feed(feed) if feed.is_full => Want::WriteFile {
                file,
                from: &feed.collected[feed.passed..],
            },
            State::Feed(feed) => Want::WriteFile {
                file,
                from: &self.inbox.filled()[..feed.direct],
            },
            _ => unreachable!("a source is used in these states only"),
        }
    }

    /// Renews the deadline of a source that has reported that it is working. Lines on standard error do not renew it,
    /// as a process may write them endlessly.
    pub(super) fn on_working(&mut self) {
        if let Some(source) = &mut self.source {
            source.since = self.now.tick;
            source.working_since.get_or_insert(self.now.tick);
        }
    }

    /// Returns the time by which a source that only reports that it is working must yield bytes.
    pub(super) fn work_deadline(&self) -> Option<Duration> {
        let since = self.source.as_ref()?.working_since?;
        Some(since.saturating_add(self.config.timeouts.work))
    }

    /// Handles `n` bytes that were read from the open file or CGI process.
    pub(super) fn on_file_read(&mut self, n: usize) {
        self.peer_closed = self.peer_closed.map(|_| self.now.tick);
        if let Some(source) = &mut self.source {
            source.since = self.now.tick;
            source.working_since = None;
        }
        match mem::replace(&mut self.state, State::InTransition) {
            State::Send(range) => {
                if let Some(source) = &mut self.source {
                    source.at += n as u64;
                }
                self.outbox.commit(n);
                self.reply.frame(n, &mut self.outbox);
                self.state = State::Send(range.start + n as u64..range.end);
            }
            _ => {
                let inbox = mem::take(&mut self.inbox);
                if let Some(source) = &mut self.source {
                    source.at += n as u64;
                }
                _ = self.resume_with_data(inbox.reserved(n));
                self.inbox = inbox;
            }
        }
    }

    /// Counts `n` bytes of a file that were sent to the peer by reference.
    pub(super) fn on_file_copied(&mut self, n: usize) {
        self.reply.count(n);
        self.delivery.count_written(n);
        timeouts::count(&mut self.sending, n, self.now.tick);
        if let State::Send(range) = &mut self.state {
            range.start += n as u64;
        }
    }

    /// Handles `n` bytes that were written to the CGI process or the new file; 0 means that it accepts no more.
    pub(super) fn on_file_written(&mut self, n: usize) {
        if let Some(source) = &mut self.source {
            source.since = self.now.tick;
        }
        if let State::WriteFile(bytes) = &mut self.state {
            bytes.drain(..n);
            match bytes.is_empty() {
                true => {
                    self.state = State::InTransition;
                    _ = self.resume(Event::End);
                }
                // A file that accepts no more bytes is incomplete.
                false if n == 0 => self.on_refused(FsError::NoSpace),
                false => {}
            }
            return;
        }
        if let State::Feed(feed) = &mut self.state {
            let n = feed.passed_on(n);
            self.inbox.consume(n);
        }
    }

    /// Handles the end of the open file or CGI process, which is an error if more bytes were announced.
    pub(super) fn on_source_end(&mut self) {
        let is_process = matches!(
            self.source,
            Some(Source {
                kind: Kind::Process,
                ..
            })
        );
        match mem::replace(&mut self.state, State::InTransition) {
            State::Send(_)
                if is_process
                    && !matches!(self.reply.stage, Stage::Content(Framing::Length(_))) =>
            {
                _ = self.resume(Event::End);
            }
            State::Send(range) => {
                let message = self.shortfall(is_process, range);
                self.abandon(500, &message);
            }
            _ => _ = self.resume(Event::End),
        }
    }

    /// Returns the message for a file or CGI process that was shorter than announced.
    fn shortfall(&self, is_process: bool, left: Range<u64>) -> String {
        let what = if is_process { "script" } else { "file" };
        let name = Repr(self.request.head.path());
        let sent = self.reply.content;
        let announced = self
            .reply
            .content_length
            .unwrap_or(sent + (left.end - left.start));
        format!("The {what} for {name} ended after {sent} of {announced} announced bytes")
    }
}
