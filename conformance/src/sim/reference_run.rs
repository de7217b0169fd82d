//! Runs a conversation again without faults, as reference: with the same requests, and the same answers from the file
//! system. The content of a file is what was read in the first run.

use std::cell::RefCell;
use std::time::Duration;

use sanserve_core::{Ask, Connection, FsError, Got, Handler, Now, Opened, Step, Want};

use super::conversation::{Answer, Conversation, FsCall, ReferenceRun};
use super::driver::{REPLY_MAX, address, steps_max};
use super::recording_handler::{HandlerRecord, RecordingHandler};

/// An open file or process: the number of its recorded answer, and how much of a process's output was read or of a new
/// file was written.
struct ReplayedFile {
    answer: usize,
    at: usize,
    /// How often it was committed.
    commits: usize,
}

/// Runs a conversation again without faults. Returns `None` if it does not end.
pub(super) fn run<H: Handler>(
    conversation: &Conversation,
    handler: H,
    recording: bool,
) -> Option<ReferenceRun> {
    let (handler, record) = RecordingHandler::new(handler);
    record.borrow_mut().shown = recording.then(Vec::new);
    let mut conn = Connection::new(
        conversation.config.clone(),
        &address(conversation.number),
        handler,
    );
    if conversation.upgradable {
        conn.allow_upgrade();
    }
    let mut reference = repeat(conversation, conn, &record)?;
    reference.calls = record.borrow_mut().shown.take().unwrap_or_default();
    Some(reference)
}

fn repeat<H: Handler>(
    conversation: &Conversation,
    mut conn: Connection<ReplayedFile, RecordingHandler<H>>,
    record: &RefCell<HandlerRecord>,
) -> Option<ReferenceRun> {
    let (mut reference, mut calls) = (ReferenceRun::default(), 0);
    let (mut rest, mut now, mut got) = (&conversation.input[..], Duration::ZERO, Got::Nothing);
    let (mut steps, mut reply_began) = (0, (0, 0));
    loop {
        let (requests, sent) = (record.borrow().requests.len(), reference.output.len());
        record.borrow_mut().calls = 0;
        if reply_began.1 != requests {
            reply_began = (sent, requests);
        }
        let bytes = conversation.input.len() + sent;
        if steps > steps_max(bytes as u64, requests) || sent - reply_began.0 > REPLY_MAX {
            return None;
        }
        if conversation.disruptions.reset && sent > conversation.output.len() + ENOUGH {
            return Some(reference);
        }
        steps += 1;
        let time = Now {
            tick: now,
            unix: conversation.unix,
        };
        let Step { want, deadline, .. } = conn.step(time, got);
        got = match want {
            Want::Read(_) if rest.is_empty() && !conversation.half_close => {
                now = deadline?;
                Got::Nothing
            }
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                reference.output.extend_from_slice(from);
                Got::Bytes(from.len())
            }
            Want::ReadFile { file, at, into } => read(&conversation.fs_calls, file, at, into)
                .map_or(Got::Refused(FsError::Io), Got::Bytes),
            Want::Copy { file, at, len } => {
                let from = reference.output.len();
                reference
                    .output
                    .resize(from + usize::try_from(len).ok()?, 0);
                let n = read(
                    &conversation.fs_calls,
                    file,
                    at,
                    &mut reference.output[from..],
                )?;
                reference.output.truncate(from + n);
                Got::Bytes(n)
            }
            Want::WriteFile { file, from } => write(&conversation.fs_calls, file, from.len()),
            Want::Commit { file } => match &conversation.fs_calls[file.answer].answer {
                Answer::Writer(writing) | Answer::Upload { writing, .. } => {
                    let committed = writing.commits.get(file.commits).copied();
                    file.commits += 1;
                    Got::Committed(committed.unwrap_or(Ok(())))
                }
                _ => unreachable!("only new files are committed"),
            },
            Want::Wait => Got::Woken,
            Want::Upgrade => {
                let mut upgraded = conn.into_upgraded().received;
                upgraded.extend_from_slice(rest);
                reference.upgraded = Some(upgraded);
                return Some(reference);
            }
            Want::Ask(ask) => {
                let recorded = conversation.fs_calls.get(calls);
                if let Some(before) = recorded.filter(|recorded| recorded.ask != *ask) {
                    let message = format!("call {calls}: {ask:?} in place of {:?}", before.ask);
                    reference.diverged.get_or_insert(message);
                }
                calls += 1;
                repeat_answer(ask, recorded.map(|recorded| &recorded.answer), calls - 1)
            }
            Want::Log(lines) => {
                reference.log.push_str(lines);
                Got::Nothing
            }
            Want::Shutdown => Got::Nothing,
            Want::Close => return Some(reference),
        };
    }
}

/// If the transport failed in the first run, the reference run stops this many bytes past what the peer received then.
const ENOUGH: usize = 64 << 10;

/// Returns the recorded answer. A call that was not answered fails.
fn repeat_answer(ask: &Ask, answer: Option<&Answer>, number: usize) -> Got<ReplayedFile> {
    let file = ReplayedFile {
        answer: number,
        at: 0,
        commits: 0,
    };
    let opened = match (answer, ask) {
        (Some(Answer::Listed(entries)), _) => return Got::Listed(Ok(entries.clone())),
        (Some(Answer::Failed(error)), Ask::List(_)) => return Got::Listed(Err(*error)),
        (None, Ask::List(_)) => return Got::Listed(Err(FsError::NotFound)),
        (Some(Answer::Verified), _) => return Got::Verified(Ok(())),
        (Some(Answer::Failed(error)), Ask::Verify(_)) => return Got::Verified(Err(*error)),
        (None, Ask::Verify(_)) => return Got::Verified(Err(FsError::Forbidden)),
        (Some(Answer::Changed), _) => return Got::Committed(Ok(())),
        (Some(Answer::Failed(error)), Ask::Change(_)) => return Got::Committed(Err(*error)),
        (None, Ask::Change(_)) => return Got::Committed(Err(FsError::NotFound)),
        (Some(Answer::File { meta, sendable, .. }), _) => Opened::File {
            file,
            meta: *meta,
            sendable: *sendable,
        },
        (Some(Answer::Directory), _) => Opened::Directory,
        (Some(Answer::Process { .. }), _) => Opened::Process(file),
        (Some(Answer::Writer(_)), _) => Opened::Writer(file),
        (Some(Answer::Upload { state, .. }), _) => Opened::Upload {
            file,
            state: *state,
        },
        (Some(Answer::Failed(error)), _) => return Got::Opened(Err(*error)),
        (None, _) => return Got::Opened(Err(FsError::NotFound)),
    };
    Got::Opened(Ok(opened))
}

/// Accepts `len` bytes for a new file or a process. A write to a new file fails where it failed in the first run.
fn write(recorded: &[FsCall], file: &mut ReplayedFile, len: usize) -> Got<ReplayedFile> {
    let (Answer::Writer(writing) | Answer::Upload { writing, .. }) = &recorded[file.answer].answer
    else {
        return Got::Bytes(len);
    };
    let n = match writing.error {
        Some(error) if file.at == writing.written => return Got::Refused(error),
        Some(_) => len.min(writing.written - file.at),
        None => len,
    };
    file.at += n;
    Got::Bytes(n)
}

/// Reads recorded bytes. The rest of a file is zeros, up to its recorded end or the length in its metadata: these bytes
/// were never sent.
fn read(recorded: &[FsCall], file: &mut ReplayedFile, at: u64, into: &mut [u8]) -> Option<usize> {
    let (bytes_read, at, len) = match &recorded[file.answer].answer {
        Answer::File {
            meta,
            bytes_read,
            early_end,
            ..
        } => {
            let len = early_end.unwrap_or(usize::try_from(meta.len).unwrap_or(usize::MAX));
            let len = len.max(bytes_read.len());
            (bytes_read, usize::try_from(at).unwrap_or(usize::MAX), len)
        }
        Answer::Process { bytes_read } => (bytes_read, file.at, bytes_read.len()),
        // Reading it also failed in the first run.
        Answer::Writer(_) | Answer::Upload { .. } => return None,
        _ => unreachable!("only files and processes can be read"),
    };
    let n = into.len().min(len.saturating_sub(at));
    let rest = bytes_read.get(at..).unwrap_or_default();
    let known = rest.len().min(n);
    into[..known].copy_from_slice(&rest[..known]);
    into[known..n].fill(0);
    file.at += n;
    Some(n)
}
