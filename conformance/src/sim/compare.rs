//! Compares a conversation with its reference run, as far as the faults allow.

use super::conversation::{Conversation, ReferenceRun};
use super::reader::{self, ParsedReply, ReplyEnd};

/// Compares a conversation with its reference run.
///
/// All replies except the last must be equal, and there must be the same number unless there was a fault. The last may
/// be truncated, or be an error in place of the reference's reply, if a fault explains it; and it may differ if the
/// last reply of the reference run failed, too. Not compared are interim replies, how content is chunked, multipart
/// boundaries, and `Connection` after `finish()`.
///
/// # Errors
/// A description of the difference.
pub(super) fn compare(conversation: &Conversation) -> Result<(), String> {
    let Some(reference) = &conversation.reference else {
        return Err("the reference run does not end".into());
    };
    if let Some(diverged) = &reference.diverged {
        return Err(format!(
            "the reference run makes another file system call: {diverged}"
        ));
    }
    if conversation.output == reference.output {
        let both = conversation.upgraded.is_some() == reference.upgraded.is_some();
        return match both || conversation.disruptions.any() {
            true => Ok(()),
            false => Err("only one of them is upgraded".into()),
        };
    }
    let ours = conversation.replies()?;
    let their_output = adopt_boundaries(&conversation.output, &reference.output);
    let theirs = reader::parse(&their_output, &reader::logged(&reference.log))
        .map_err(|message| format!("the output of the reference run: {message}"))?;
    for (at, our) in ours.iter().enumerate() {
        let their = theirs.get(at);
        if their.is_some_and(|their| equal(conversation, our, their)) {
            continue;
        }
        let last = at + 1 == ours.len();
        let last_of_reference = at + 1 >= theirs.len();
        if !(last && explained(conversation, reference, our, their, last_of_reference)) {
            let shown = |reply: &ParsedReply<'_>| format!("{:?}", Shown(reply));
            return Err(format!(
                "reply {at} is {}, and without faults {}",
                shown(our),
                their.map_or("none".into(), shown)
            ));
        }
        return Ok(());
    }
    let disruptions = conversation.disruptions;
    // A reply that was already complete, as to HEAD, may be aborted as well.
    let aborted = disruptions.io_error && ends_with_error(&conversation.log);
    let stopped = disruptions.reset || disruptions.late || disruptions.finished || aborted;
    if ours.len() < theirs.len() && !stopped {
        return Err(format!(
            "{} replies in place of {}",
            ours.len(),
            theirs.len()
        ));
    }
    Ok(())
}

/// Returns the reference's output with the multipart boundaries of `ours`, because they depend on the clock. Each is
/// replaced up to the next only: several replies of the same moment have the same one.
fn adopt_boundaries(ours: &[u8], theirs: &[u8]) -> Vec<u8> {
    let mut output = theirs.to_vec();
    let their_starts = boundary_starts(theirs);
    let ends = their_starts.iter().skip(1).copied().chain([theirs.len()]);
    let each = their_starts.iter().copied().zip(ends);
    for (our_start, (start, end)) in boundary_starts(ours).into_iter().zip(each) {
        let (our, their) = (line_at(ours, our_start), line_at(theirs, start));
        if their.is_empty() {
            continue;
        }
        // Ours may be truncated.
        let n = our.len().min(their.len());
        let mut at = start;
        while let Some(found) = theirs[at..end]
            .windows(their.len())
            .position(|part| part == their)
        {
            at += found;
            output[at..][..n].copy_from_slice(&our[..n]);
            at += their.len();
        }
    }
    output
}

/// Returns where the multipart boundaries in an output are named.
fn boundary_starts(output: &[u8]) -> Vec<usize> {
    let name = b"; boundary=";
    let all = output.windows(name.len()).enumerate();
    all.filter(|(_, part)| part == name)
        .map(|(at, _)| at + name.len())
        .collect()
}

/// Returns the rest of the line.
fn line_at(output: &[u8], start: usize) -> &[u8] {
    let line = output[start..].split(|&byte| byte == b'\r').next();
    line.unwrap_or_default()
}

fn equal(conversation: &Conversation, our: &ParsedReply<'_>, their: &ParsedReply<'_>) -> bool {
    let heads = if conversation.disruptions.finished {
        without_connection(our.head) == without_connection(their.head)
    } else {
        our.head == their.head
    };
    heads && our.body == their.body && our.end == their.end
}

fn without_connection(head: &[u8]) -> Vec<&[u8]> {
    let lines = head.split(|&byte| byte == b'\n');
    lines
        .filter(|line| !line.to_ascii_lowercase().starts_with(b"connection:"))
        .collect()
}

/// Returns whether a fault explains that the last reply differs from the reference's.
fn explained(
    conversation: &Conversation,
    reference: &ReferenceRun,
    our: &ParsedReply<'_>,
    their: Option<&ParsedReply<'_>>,
    last_of_reference: bool,
) -> bool {
    let disruptions = conversation.disruptions;
    // An error in place of the reply, which may itself be truncated.
    let whole = our.end != ReplyEnd::Truncated || disruptions.late || disruptions.reset;
    if is_error(our) && whole && (disruptions.late || disruptions.io_error) {
        return true;
    }
    let begins_like = their.is_some_and(|their| begins_like(conversation, our, their));
    let truncated = our.end != ReplyEnd::Complete;
    // The same reply, but truncated.
    if truncated && begins_like && (disruptions.reset || disruptions.late || disruptions.io_error) {
        return true;
    }
    // The reference run aborted its reply, because of the request's content or a mistake of the handler. How much
    // was sent before that depends on the fragmentation.
    let aborted = last_of_reference
        && their.is_none_or(|their| their.end != ReplyEnd::Complete || their.status >= 400);
    let both_failed = ends_with_error(&reference.log)
        && (disruptions.reset || ends_with_error(&conversation.log));
    aborted && both_failed
}

/// Whether a reply is an error, or too short to tell.
fn is_error(reply: &ParsedReply<'_>) -> bool {
    reply
        .head
        .get(9)
        .is_none_or(|digit| matches!(digit, b'4' | b'5'))
}

fn begins_like(
    conversation: &Conversation,
    our: &ParsedReply<'_>,
    their: &ParsedReply<'_>,
) -> bool {
    if our.status == 0 && our.end == ReplyEnd::Truncated {
        // Truncated within the head. `Connection` and interim replies may differ.
        let free = conversation.disruptions.finished || our.head.starts_with(b"HTTP/1.1 1");
        return free || their.head.starts_with(our.head);
    }
    let whole = ParsedReply {
        body: their.body.clone(),
        end: their.end,
        ..our.clone()
    };
    equal(conversation, &whole, their) && their.body.starts_with(&our.body)
}

/// Returns whether a log ends with an error or a note.
pub(super) fn ends_with_error(log: &str) -> bool {
    let lines: Vec<&str> = log.lines().collect();
    lines
        .iter()
        .rev()
        .take(2)
        .any(|line| reader::logged_line(line).is_none_or(|request| request.status >= 400))
}

/// A short description of a reply.
struct Shown<'a>(&'a ParsedReply<'a>);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ParsedReply {
            status,
            head,
            body,
            end,
        } = self.0;
        let start = &body[..body.len().min(60)];
        write!(
            out,
            "{status} ({end:?}, head {:?}, {} bytes of content: {:?})",
            head.escape_ascii().to_string(),
            body.len(),
            start.escape_ascii().to_string()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::adopt_boundaries;

    #[test]
    fn replies_of_one_moment_get_the_boundary_of_their_own_reply() {
        let ours = b"a; boundary=11\r\n--11\r\nb; boundary=22\r\n--22\r\nc; boundary=3";
        let theirs = b"a; boundary=99\r\n--99\r\nb; boundary=99\r\n--99\r\nc; boundary=88\r\n--88";
        let adopted = b"a; boundary=11\r\n--11\r\nb; boundary=22\r\n--22\r\nc; boundary=38\r\n--38";
        assert_eq!(adopt_boundaries(ours, theirs), adopted);
    }
}
