//! The adapter of a replayed connection, whose answers come from the recording.

use std::collections::VecDeque;
use std::time::Duration;

use sanserve_core::{Ask, Connection, FsError, Got, Handler, Now, Opened, Step, Want, log};

use super::RecordedConnection;
use super::event::{Answer, Call, End, Input, SourceEvent};
use super::probe::{Probe, ProbedRequest};
use super::replies::{self, Reply, ReplyReader};
use super::timeline::{At, Timeline};
use crate::sim::reader;

/// What a replayed connection did.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) replies: Vec<Reply>,
    pub(super) requests: Vec<ProbedRequest>,
    /// Questions that the recording has no answer to.
    pub(super) unanswered: Vec<String>,
}

/// Replays a connection.
pub(super) fn run<H: Handler>(
    recorded: &RecordedConnection,
    config: sanserve_core::Config,
    handler: H,
) -> Replayed {
    let (probe, requests) = Probe::new(handler);
    let config = config.with_log_format(log::python);
    let mut conn = Connection::new(config, &recorded.peer, probe);
    let statuses = replies::recorded(recorded).into_iter();
    let mut adapter = Adapter {
        timeline: Timeline::new(&recorded.events),
        end: recorded.end,
        statuses: statuses
            .filter(Reply::is_final)
            .map(|reply| reply.status())
            .collect(),
        is_peer_closed: false,
        reader: ReplyReader::default(),
        source: Source::default(),
        unread: VecDeque::new(),
        unanswered: Vec::new(),
    };
    let (mut got, mut steps) = (Got::Nothing, 0);
    let mut is_stuck = false;
    loop {
        steps += 1;
        is_stuck = adapter.make_calls(&mut conn, &mut got, is_stuck);
        let now = Now {
            unix: adapter.timeline.unix(),
            tick: adapter.timeline.now,
        };
        let Step { want, deadline, .. } = conn.step(now, got);
        if matches!(want, Want::Close | Want::Upgrade) || steps > STEPS_MAX || is_stuck {
            break;
        }
        got = match adapter.perform(want, deadline) {
            Some(got) => got,
            None => {
                is_stuck = true;
                Got::Nothing
            }
        };
    }
    adapter.reader.finish();
    let requests = requests.borrow().clone();
    Replayed {
        replies: adapter.reader.replies,
        requests,
        unanswered: adapter.unanswered,
    }
}

/// More steps than any recorded connection needs.
const STEPS_MAX: u64 = 100_000_000;

struct Adapter {
    timeline: Timeline,
    end: End,
    /// The statuses of the recorded replies.
    statuses: Vec<u16>,
    is_peer_closed: bool,
    reader: ReplyReader,
    source: Source,
    /// Received bytes that did not fit into the buffer.
    unread: VecDeque<u8>,
    unanswered: Vec<String>,
}

/// The open file or process.
#[derive(Debug, Default)]
struct Source {
    /// Its length, if it is a file.
    file_len: Option<u64>,
    events: VecDeque<At<SourceEvent>>,
    /// Output of a process that did not fit into the buffer.
    unread: VecDeque<u8>,
    /// The number of bytes that were written to it.
    stored: u64,
}

impl Adapter {
    /// Makes the calls that come before the next step. If the connection is stuck, makes the next one; returns whether
    /// there is none.
    fn make_calls<H: Handler>(
        &mut self,
        conn: &mut Connection<(), H>,
        got: &mut Got<()>,
        is_stuck: bool,
    ) -> bool {
        let heads = self.reader.replies.len();
        let mut is_stuck = is_stuck;
        while let Some(call) = self.timeline.next_call(heads, is_stuck) {
            is_stuck = false;
            match call {
                Call::AllowUpgrade => conn.allow_upgrade(),
                Call::WithoutTls => conn.without_tls(),
                Call::Finish => conn.finish(),
                Call::PeerClosed => self.is_peer_closed = true,
                Call::PeerReset => {
                    conn.peer_reset();
                    *got = Got::Nothing;
                }
            }
        }
        if self.is_peer_closed {
            conn.peer_closed();
        }
        is_stuck
    }

    /// Performs what the connection wants. `None` if the recording ends here.
    fn perform(&mut self, want: Want<'_, ()>, deadline: Option<Duration>) -> Option<Got<()>> {
        Some(match want {
            Want::Read(into) => return self.read(into, deadline),
            Want::Write(from) => {
                self.reader.feed(from);
                Got::Bytes(from.len())
            }
            Want::ReadFile { at, into, .. } => return self.read_file(at, into, deadline),
            Want::Copy { at, len, .. } => match self.file_bytes(at, len) {
                Ok(n) => {
                    self.reader.skip(n);
                    Got::Bytes(usize::try_from(n).unwrap_or(usize::MAX))
                }
                Err(error) => Got::Refused(error),
            },
            Want::WriteFile { from, .. } => self.write_file(from.len()),
            Want::Commit { .. } => Got::Committed(self.committed()),
            Want::Ask(ask) => return self.answer(ask, deadline),
            Want::Wait => {
                let next = self
                    .timeline
                    .wakes
                    .front()
                    .map(|wake| (wake.index, wake.tick));
                if !self.wait(next, deadline)? {
                    return Some(Got::Nothing);
                }
                self.timeline.wakes.pop_front();
                Got::Woken
            }
            Want::Log(lines) => {
                let logged = reader::logged(lines).into_iter();
                let to_head = logged.map(|request| request.line.starts_with("HEAD "));
                self.reader.to_head.extend(to_head);
                Got::Nothing
            }
            Want::Shutdown | Want::Upgrade | Want::Close => Got::Nothing,
        })
    }

    /// Waits for an event, and returns whether it happens before the deadline. `None` if the recording ends first.
    fn wait(
        &mut self,
        next: Option<(usize, Duration)>,
        deadline: Option<Duration>,
    ) -> Option<bool> {
        let ends = next.is_none() && !self.timeline.has_deadline();
        if ends && (self.end == End::Missing || deadline.is_none()) {
            return None;
        }
        Some(self.timeline.wait(next, deadline))
    }

    fn read(&mut self, into: &mut [u8], deadline: Option<Duration>) -> Option<Got<()>> {
        if self.unread.is_empty() {
            let next = self
                .timeline
                .inputs
                .front()
                .map(|input| (input.index, input.tick));
            if !self.wait(next, deadline)? {
                return Some(Got::Nothing);
            }
            match self.timeline.inputs.pop_front()?.event {
                Input::Bytes(bytes) => self.unread.extend(bytes),
                Input::Eof => return Some(Got::Bytes(0)),
                Input::Failed => return Some(Got::Failed),
            }
        }
        Some(Got::Bytes(move_bytes(&mut self.unread, into)))
    }

    fn read_file(
        &mut self,
        at: u64,
        into: &mut [u8],
        deadline: Option<Duration>,
    ) -> Option<Got<()>> {
        if !self.source.unread.is_empty() {
            return Some(Got::Bytes(move_bytes(&mut self.source.unread, into)));
        }
        let next = self.source.events.front();
        let is_working = next.is_some_and(|next| matches!(next.event, SourceEvent::Working));
        if self.source.file_len.is_some() && !is_working {
            return Some(match self.file_bytes(at, into.len() as u64) {
                Ok(n) => Got::Bytes(self.fill(at, &mut into[..n as usize])),
                Err(error) => Got::Refused(error),
            });
        }
        if !self.wait(next.map(|next| (next.index, next.tick)), deadline)? {
            return Some(Got::Nothing);
        }
        Some(match self.source.events.pop_front()?.event {
            SourceEvent::Output(output) => {
                self.source.unread.extend(output);
                Got::Bytes(move_bytes(&mut self.source.unread, into))
            }
            SourceEvent::Note(note) => Got::Note(note),
            SourceEvent::Working => Got::Working,
            SourceEvent::Refused(error, _) => Got::Refused(error),
            SourceEvent::End(_) => Got::Bytes(0),
            // What was written before the process started.
            _ => Got::Working,
        })
    }

    /// Returns how many of `len` bytes from this offset the file had.
    fn file_bytes(&self, at: u64, len: u64) -> Result<u64, FsError> {
        let mut end = self.source.file_len.unwrap_or_default();
        for event in &self.source.events {
            match event.event {
                SourceEvent::End(early) => end = end.min(early),
                SourceEvent::Refused(error, failed) if failed <= at => return Err(error),
                SourceEvent::Refused(_, failed) => end = end.min(failed),
                _ => {}
            }
        }
        Ok(len.min(end.saturating_sub(at)))
    }

    /// Fills a buffer with the content of the file, or with `x` if it was not recorded.
    fn fill(&self, at: u64, into: &mut [u8]) -> usize {
        into.fill(b'x');
        let end = at + into.len() as u64;
        for event in &self.source.events {
            let SourceEvent::FileBytes(start, bytes) = &event.event else {
                continue;
            };
            let (from, to) = (at.max(*start), end.min(start + bytes.len() as u64));
            if from < to {
                let recorded = &bytes[(from - start) as usize..(to - start) as usize];
                into[(from - at) as usize..(to - at) as usize].copy_from_slice(recorded);
            }
        }
        into.len()
    }

    fn write_file(&mut self, len: usize) -> Got<()> {
        let stored = self.source.events.iter().map(|event| match event.event {
            SourceEvent::Stored(len) => len,
            _ => 0,
        });
        let stored: u64 = stored.sum();
        let refused = self
            .source
            .events
            .iter()
            .find_map(|event| match event.event {
                SourceEvent::Refused(error, _) => Some(error),
                _ => None,
            });
        match refused {
            Some(error) if self.source.stored >= stored => Got::Refused(error),
            _ => {
                self.source.stored += len as u64;
                Got::Bytes(len)
            }
        }
    }

    fn committed(&self) -> Result<(), FsError> {
        let committed = self
            .source
            .events
            .iter()
            .find_map(|event| match event.event {
                SourceEvent::Committed(result) => Some(result),
                _ => None,
            });
        committed.unwrap_or(Ok(()))
    }

    fn answer(&mut self, ask: &Ask, deadline: Option<Duration>) -> Option<Got<()>> {
        let (question, path) = question(ask);
        let is_same = |answer: &At<(String, Vec<u8>, Answer)>| {
            answer.event.0 == question && answer.event.1 == path
        };
        let Some(skipped) = self
            .timeline
            .answers
            .iter()
            .take(ANSWERS_AHEAD)
            .position(is_same)
        else {
            if !self.timeline.answers.is_empty() || self.end != End::Missing {
                return self.answer_unasked(ask, question, path, deadline);
            }
            return None;
        };
        let next = &self.timeline.answers[skipped];
        let next = (next.index, next.tick);
        if !self.wait(Some(next), deadline)? {
            return Some(Got::Nothing);
        }
        self.timeline.answers.drain(..skipped);
        let At { index, event, .. } = self.timeline.answers.pop_front()?;
        let mut source = Source {
            events: self.timeline.take_source(index),
            ..Source::default()
        };
        let got = got(event.2, ask, &mut source);
        self.source = source;
        Some(got)
    }

    /// Answers a question that was not recorded.
    fn answer_unasked(
        &mut self,
        ask: &Ask,
        question: &str,
        path: &[u8],
        deadline: Option<Duration>,
    ) -> Option<Got<()>> {
        if let Ask::Verify(_) = ask {
            let replies = self.reader.replies.iter().filter(|reply| reply.is_final());
            let status = self.statuses.get(replies.count());
            let is_wrong = status == Some(&401);
            return Some(Got::Verified(if is_wrong {
                Err(FsError::Forbidden)
            } else {
                Ok(())
            }));
        }
        if self.timeline.has_deadline() {
            // It was not answered in time.
            let is_answered = self.wait(None, deadline)?;
            debug_assert!(!is_answered);
            return Some(Got::Nothing);
        }
        let path = crate::text::show(path);
        self.unanswered.push(format!("{question} {path:?}"));
        Some(match ask {
            Ask::List(_) => Got::Listed(Err(FsError::NotFound)),
            Ask::Change(_) => Got::Committed(Err(FsError::NotFound)),
            _ => Got::Opened(Err(FsError::NotFound)),
        })
    }
}

/// How many recorded answers are searched for that to a question.
const ANSWERS_AHEAD: usize = 64;

/// Moves bytes into a buffer, and returns how many.
fn move_bytes(bytes: &mut VecDeque<u8>, into: &mut [u8]) -> usize {
    let n = bytes.len().min(into.len());
    for (byte, into) in bytes.drain(..n).zip(into) {
        *into = byte;
    }
    n
}

fn question(ask: &Ask) -> (&'static str, &[u8]) {
    match ask {
        Ask::Open(path) => ("open", path.as_bytes()),
        Ask::List(path) => ("list", path.as_bytes()),
        Ask::Run(script) => ("run", script.path.as_bytes()),
        Ask::Archive(request) => ("archive", request.path.as_bytes()),
        Ask::Create(create) => ("create", create.path.as_bytes()),
        Ask::Change(change) => ("change", change.path().as_bytes()),
        Ask::Upload(request) => ("upload", request.path().as_bytes()),
        Ask::Verify(_) => ("verify", b""),
        _ => ("ask", b""),
    }
}

fn got(answer: Answer, ask: &Ask, source: &mut Source) -> Got<()> {
    Got::Opened(Ok(match answer {
        Answer::File { meta, sendable } => {
            source.file_len = Some(meta.len);
            Opened::File {
                file: (),
                meta,
                sendable,
            }
        }
        Answer::Directory => Opened::Directory,
        Answer::Process => Opened::Process(()),
        Answer::Writer => Opened::Writer(()),
        Answer::Upload(state) => Opened::Upload { file: (), state },
        Answer::Verified => return Got::Verified(Ok(())),
        Answer::Changed => return Got::Committed(Ok(())),
        Answer::Listed(entries) => return Got::Listed(Ok(entries)),
        Answer::Failed(error) => match ask {
            Ask::List(_) => return Got::Listed(Err(error)),
            Ask::Verify(_) => return Got::Verified(Err(error)),
            Ask::Change(_) => return Got::Committed(Err(error)),
            _ => return Got::Opened(Err(error)),
        },
    }))
}
