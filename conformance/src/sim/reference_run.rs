//! The reference of a conversation: the same requests and the same answers of the file system, but
//! nothing is late, cut or lost. What a file holds is what was seen of it the first time.

use std::time::Duration;

use sanserve_core::{Ask, Connection, FsError, Got, Handler, Now, Opened, Step, Want};

use super::conversation::{Answer, Conversation, FsCall, ReferenceRun};
use super::driver::address;

/// What is open of the answers that were recorded: the number of the answer, and, for a program,
/// how much of it was read.
struct ReplayedFile {
    answer: usize,
    at: usize,
}

/// Plays the reference of a conversation. `None` if it does not come to its end.
pub(super) fn run<H: Handler>(conversation: &Conversation, handler: H) -> Option<ReferenceRun> {
    let mut conn = Connection::new(
        conversation.config.clone(),
        &address(conversation.number),
        handler,
    );
    let (mut reference, mut asks) = (ReferenceRun::default(), 0);
    let (mut rest, mut now, mut got) = (&conversation.input[..], Duration::ZERO, Got::Nothing);
    for _ in 0..STEPS_MAX {
        let time = Now {
            tick: now,
            unix: conversation.unix,
        };
        let Step {
            want, deadline: by, ..
        } = conn.step(time, got);
        got = match want {
            Want::Read(_) if rest.is_empty() && !conversation.half_close => {
                now = by?;
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
            Want::WriteFile { from, .. } => Got::Bytes(from.len()),
            Want::Commit { .. } => Got::Committed(Ok(())),
            Want::Wait => Got::Woken,
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Ask(ask) => {
                let asked = conversation.fs_calls.get(asks);
                if let Some(before) = asked.filter(|asked| asked.ask != *ask) {
                    let what = format!("question {asks}: {ask:?} in place of {:?}", before.ask);
                    reference.diverged.get_or_insert(what);
                }
                asks += 1;
                repeat_answer(ask, asked.map(|asked| &asked.answer), asks - 1)
            }
            Want::Log(lines) => {
                reference.log.push_str(lines);
                Got::Nothing
            }
            Want::Shutdown => Got::Nothing,
            Want::Close => return Some(reference),
        };
    }
    None
}

/// The same answer again. What was never answered is not found.
fn repeat_answer(ask: &Ask, answer: Option<&Answer>, number: usize) -> Got<ReplayedFile> {
    let seen = ReplayedFile {
        answer: number,
        at: 0,
    };
    let opened = match (answer, ask) {
        (Some(Answer::Listed(entries)), _) => return Got::Listed(Ok(entries.clone())),
        (Some(Answer::Failed(error)), Ask::List(_)) => return Got::Listed(Err(*error)),
        (None, Ask::List(_)) => return Got::Listed(Err(FsError::NotFound)),
        (Some(Answer::Verified), _) => return Got::Verified(Ok(())),
        (Some(Answer::Failed(error)), Ask::Verify(_)) => return Got::Verified(Err(*error)),
        (None, Ask::Verify(_)) => return Got::Verified(Err(FsError::Forbidden)),
        (Some(Answer::File { meta, sendable, .. }), _) => Opened::File {
            file: seen,
            meta: *meta,
            sendable: *sendable,
        },
        (Some(Answer::Directory), _) => Opened::Directory,
        (Some(Answer::Program { .. }), _) => Opened::Process(seen),
        (Some(Answer::Writer), _) => Opened::Writer(seen),
        (Some(Answer::Failed(error)), _) => return Got::Opened(Err(*error)),
        (None, _) => return Got::Opened(Err(FsError::NotFound)),
    };
    Got::Opened(Ok(opened))
}

/// Reads what was seen. Of a file the rest is zeros, up to where it was found to end or is conversation to:
/// nobody can have sent any of that.
fn read(asked: &[FsCall], file: &mut ReplayedFile, at: u64, into: &mut [u8]) -> Option<usize> {
    let (seen, at, len) = match &asked[file.answer].answer {
        Answer::File {
            meta, seen, ended, ..
        } => {
            let len = ended.unwrap_or(usize::try_from(meta.len).unwrap_or(usize::MAX));
            let len = len.max(seen.len());
            (seen, usize::try_from(at).unwrap_or(usize::MAX), len)
        }
        Answer::Program { seen } => (seen, file.at, seen.len()),
        // It is refused in the world.
        Answer::Writer => return None,
        _ => unreachable!("nothing else was opened"),
    };
    let n = into.len().min(len.saturating_sub(at));
    let rest = seen.get(at..).unwrap_or_default();
    let known = rest.len().min(n);
    into[..known].copy_from_slice(&rest[..known]);
    into[known..n].fill(0);
    file.at += n;
    Some(n)
}

/// More steps than any reference takes.
const STEPS_MAX: usize = 1_000_000;
