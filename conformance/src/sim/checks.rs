//! Checks what must hold for every conversation, whatever faults it had.

use sanserve_core::{Ask, Protocol};

use super::compare;
use super::conversation::{Answer, Conversation};
use super::reader::{ParsedReply, ReplyEnd};

/// A check; the error describes the violation.
pub type Check = fn(&Conversation) -> Result<(), String>;

/// All checks that apply to every handler, with their names.
pub const CHECKS: &[(&str, Check)] = &[
    ("end", end),
    ("work", work),
    ("deadlines", deadlines),
    ("paths", paths),
    ("memory", memory),
    ("amplification", amplification),
    ("handles", handles),
    ("transport", transport),
    ("deadlock", deadlock),
    ("requests", requests),
    ("finish", finish),
    ("replies", replies),
    ("close", close),
    ("log", log),
    ("upgrade", upgrade),
    ("reference", compare::compare),
];

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

/// The connection ends.
fn end(conversation: &Conversation) -> Result<(), String> {
    let counts = conversation.counts;
    ensure(counts.closed, || {
        format!(
            "the connection is still open after {} steps, {} requests and {} bytes",
            counts.steps,
            conversation.requests.len(),
            counts.bytes_moved
        )
    })
}

/// The number of steps is bounded by the bytes moved, plus a few steps for each request.
fn work(conversation: &Conversation) -> Result<(), String> {
    let counts = conversation.counts;
    let idle = counts
        .steps
        .saturating_sub(counts.bytes_moved + counts.pauses);
    let most = 64 * (conversation.requests.len() as u64 + 2) + 2 * counts.notes;
    ensure(idle <= most, || {
        format!("{idle} steps that moved nothing; no more than {most} are needed")
    })
}

/// Every wait has a deadline in the future.
fn deadlines(conversation: &Conversation) -> Result<(), String> {
    let counts = conversation.counts;
    ensure(counts.waits_without_deadline == 0, || {
        format!("{} waits without a deadline", counts.waits_without_deadline)
    })?;
    ensure(counts.past_deadlines == 0, || {
        format!("{} deadlines that had passed", counts.past_deadlines)
    })
}

/// No path can lead out of the root.
fn paths(conversation: &Conversation) -> Result<(), String> {
    for asked in &conversation.fs_calls {
        let path = match &asked.ask {
            Ask::Open(path) | Ask::List(path) => path,
            Ask::Run(script) => &script.path,
            Ask::Verify(_) => continue,
            Ask::Archive(request) => &request.path,
            Ask::Create(create) => &create.path,
            Ask::Change(change) => change.path(),
            Ask::Upload(request) => request.path(),
            other => return Err(format!("no check for {other:?}")),
        };
        let bytes = path.as_bytes();
        let plain =
            |segment: &[u8]| !matches!(segment, b"" | b"." | b"..") && !segment.contains(&0);
        ensure(
            bytes.is_empty() || bytes.split(|&byte| byte == b'/').all(plain),
            || format!("the path is {:?}", bytes.escape_ascii().to_string()),
        )?;
    }
    Ok(())
}

/// The memory of a connection is at most a small multiple of the request and the outbox: no page, error or log line
/// multiplies the request. How much a handler writes to a file at once is up to the handler.
fn memory(conversation: &Conversation) -> Result<(), String> {
    let limits = conversation.config.limits;
    // The capacity of the handler's buffer may be twice its length.
    let written = 2 * conversation.counts.file_write_max;
    let allocated = conversation.counts.allocated.saturating_sub(written);
    if allocated <= 4 * limits.outbox + 32 * 1024 {
        // The input, which may be large, does not matter.
        return Ok(());
    }
    let lines = conversation.input.split(|&byte| byte == b'\n');
    let longest = lines.map(<[u8]>::len).max().unwrap_or(0);
    let head = limits.head.request_line.min(longest)
        + limits.head.field_bytes.min(conversation.input.len());
    let most = 4 * (head + limits.outbox) + 32 * 1024;
    ensure(allocated <= most, || {
        format!("{allocated} bytes are allocated; {most} are enough")
    })
}

/// The log is at most a small multiple of the requests and the notes of CGI scripts.
fn amplification(conversation: &Conversation) -> Result<(), String> {
    let requests = conversation.requests.len() as u64 + conversation.counts.notes + 4;
    let most = 8 * conversation.input.len() as u64 + 1024 * requests;
    let logged = conversation.log.len() as u64;
    ensure(logged <= most, || {
        format!("{logged} bytes are logged; {most} are enough")
    })
}

/// Files and processes are dropped as soon as they are not needed.
fn handles(conversation: &Conversation) -> Result<(), String> {
    let counts = conversation.counts;
    ensure(counts.open_at_close == 0, || {
        format!("{} files are held at the end", counts.open_at_close)
    })?;
    ensure(counts.open_after_reply == 0, || {
        format!("{} files are held after the reply", counts.open_after_reply)
    })
}

/// A transport is not used after it has failed.
fn transport(conversation: &Conversation) -> Result<(), String> {
    let uses = conversation.counts.uses_after_failure;
    ensure(uses == 0, || {
        format!("the transport is used {uses} times after it failed")
    })
}

/// The connection never waits for a peer that waits for a reply.
fn deadlock(conversation: &Conversation) -> Result<(), String> {
    let starved = conversation.counts.reads_while_reply_due;
    ensure(starved == 0, || {
        format!("{starved} waits for a peer that waits for a reply")
    })
}

/// The handler gets exactly the requests that were sent, in order, and not more requests or content than the limits
/// allow.
fn requests(conversation: &Conversation) -> Result<(), String> {
    let (content, most) = (
        conversation.counts.content_max,
        conversation.config.limits.content,
    );
    ensure(content <= most, || {
        format!("{content} bytes of content; {most} are the limit")
    })?;
    let (count, most) = (
        conversation.requests.len(),
        conversation.config.limits.requests,
    );
    ensure(count as u64 <= u64::from(most), || {
        format!("{count} requests; {most} are the limit")
    })?;
    let Some(sent) = &conversation.sent_lines else {
        return Ok(());
    };
    for (at, request) in conversation.requests.iter().enumerate() {
        let request: Vec<u8> = request.chars().map(|char| char as u8).collect();
        ensure(sent.get(at) == Some(&request), || {
            format!("request {at} is {:?}", request.escape_ascii().to_string())
        })?;
    }
    Ok(())
}

/// At most one request begins after `finish()`.
fn finish(conversation: &Conversation) -> Result<(), String> {
    let more = conversation.counts.begun_after_finish;
    ensure(more <= 1, || {
        format!("{more} requests are begun after finish()")
    })
}

/// Every reply can be parsed. It is complete unless the transport failed or the log has a reason. There are not more
/// replies than requests.
fn replies(conversation: &Conversation) -> Result<(), String> {
    let replies = conversation.replies()?;
    // One more, if the last request was invalid.
    let refused = replies
        .last()
        .is_some_and(|reply| reply.status >= 400 || reply.status == 0);
    let most = conversation.requests.len() + usize::from(refused);
    ensure(replies.len() <= most, || {
        format!(
            "{} replies to {} requests",
            replies.len(),
            conversation.requests.len()
        )
    })?;
    for (at, reply) in replies.iter().enumerate() {
        let excused = conversation.disruptions.reset || compare::ends_with_error(&conversation.log);
        ensure(reply.end != ReplyEnd::Truncated || excused, || {
            format!("reply {at} is truncated")
        })?;
    }
    Ok(())
}

/// If the connection closes, its last reply says so (RFC 9112 §9.6). Exceptions are faults and unread content, because
/// of which it may have to close later.
fn close(conversation: &Conversation) -> Result<(), String> {
    let mentions = |name: &[u8]| {
        let mut at = conversation.input.windows(name.len());
        at.any(|part| part.eq_ignore_ascii_case(name))
    };
    let modern = conversation.config.protocol == Protocol::Http11;
    if !conversation.counts.shutdown || conversation.disruptions.any() || !modern {
        return Ok(());
    }
    let replies = conversation.replies()?;
    let silent =
        |reply: &&ParsedReply<'_>| !reply.head.is_empty() && reply.field("Connection").is_none();
    // A reply without head and content is not visible.
    let last = replies.last().filter(silent);
    let last = last.filter(|_| conversation.logged().len() == replies.len());
    ensure(
        last.is_none() || mentions(b"-length") || mentions(b"-encoding"),
        || "it closes without `Connection: close` in its last reply".into(),
    )
}

/// Every reply has a line in the log with its status, in order.
fn log(conversation: &Conversation) -> Result<(), String> {
    let (replies, logged) = (conversation.replies()?, conversation.logged());
    for (at, reply) in replies.iter().enumerate() {
        if reply.status == 0 {
            continue;
        }
        // The last reply may have been replaced after it was logged.
        let last = at + 1 == replies.len();
        let mut lines = logged
            .iter()
            .skip(at)
            .take(if last { usize::MAX } else { 1 });
        ensure(lines.any(|line| line.status == reply.status), || {
            format!(
                "the status of reply {at} is {}, but not in the log",
                reply.status
            )
        })?;
    }
    Ok(())
}

/// After an upgrade the next protocol reads the bytes that follow the request, each once and in order.
fn upgrade(conversation: &Conversation) -> Result<(), String> {
    let Some(upgraded) = &conversation.upgraded else {
        return Ok(());
    };
    ensure(conversation.upgradable, || {
        "an upgrade that the adapter does not allow".into()
    })?;
    let request = conversation.requests.len() - 1;
    let reference = conversation.reference.as_ref();
    let reference = reference.and_then(|reference| reference.upgraded.as_deref());
    let expected = match conversation.request_ends.get(request) {
        Some(end) => &conversation.input[*end..],
        None => reference.ok_or("an upgrade that the reference run does not have")?,
    };
    let expected = match conversation.disruptions.reset {
        true => &expected[..upgraded.len().min(expected.len())],
        false => expected,
    };
    ensure(upgraded == expected, || {
        format!(
            "the next protocol reads {:?} in place of {:?}",
            upgraded.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        )
    })
}

/// For the file service: the content of a 200 is that of a file or a listing, as it was when it was read.
pub(super) fn files(conversation: &Conversation) -> Result<(), String> {
    let (replies, logged) = (conversation.replies()?, conversation.logged());
    ensure(logged.len() <= conversation.requests.len() + 2, || {
        format!("{} requests in the log", logged.len())
    })?;
    let mut answers = conversation.fs_calls.iter().map(|asked| &asked.answer);
    for (at, reply) in replies.iter().enumerate() {
        let line = logged.get(at).map_or("", |line| line.line);
        let head_only = line.starts_with("HEAD ");
        let asks = head_only || line.starts_with("GET ");
        if !asks || reply.status != 200 || reply.end != ReplyEnd::Complete {
            continue;
        }
        let found = answers.any(|answer| holds(answer, reply, head_only));
        ensure(found, || {
            format!("the content of reply {at} was never read")
        })?;
    }
    Ok(())
}

/// Whether a reply is made from this answer of the file system.
fn holds(answer: &Answer, reply: &ParsedReply<'_>, head_only: bool) -> bool {
    match answer {
        Answer::File {
            meta, bytes_read, ..
        } => {
            let announced = reply.field("Content-Length") == Some(meta.len.to_string().as_bytes());
            announced && (head_only || bytes_read[..] == reply.body[..])
        }
        Answer::Listed(entries) => {
            let lines = reply.body.split(|&byte| byte == b'\n');
            let items = lines.filter(|line| line.starts_with(b"<li>")).count();
            let hidden = entries.iter().filter(|entry| entry.name.starts_with(b"."));
            let visible = entries.len() - hidden.count();
            head_only || items == entries.len() || items == visible
        }
        _ => false,
    }
}
