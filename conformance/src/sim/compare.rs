//! Whether what a peer saw is what it would have seen without disruptions, as far as they let it.

use super::conversation::{Conversation, ReferenceRun};
use super::reader::{self, Reply, ReplyEnd};

/// Compares a conversation with its reference.
///
/// All replies but the last must be equal, and as many as the reference's unless something happened. The
/// last may break off, or be an error in place of the reference's, if what happened explains it. Interim
/// replies, the pieces in which content is chunked and the boundaries of parts are nobody's business; nor is what
/// `Connection` says, after the connection was told to come to its end.
///
/// # Errors
/// What is different.
pub(super) fn compare(conversation: &Conversation) -> Result<(), String> {
    let Some(reference) = &conversation.reference else {
        return Err("the reference does not come to its end".into());
    };
    if let Some(diverged) = &reference.diverged {
        return Err(format!("the reference asks something else: {diverged}"));
    }
    if conversation.output == reference.output {
        return Ok(());
    }
    let ours = conversation.replies()?;
    let their_output = adopt_boundaries(&conversation.output, &reference.output);
    let theirs = reader::read(&their_output, &reader::logged(&reference.log))
        .map_err(|what| format!("the reference's output: {what}"))?;
    for (at, our) in ours.iter().enumerate() {
        let their = theirs.get(at);
        if their.is_some_and(|their| equal(conversation, our, their)) {
            continue;
        }
        let last = at + 1 == ours.len();
        let last_of_reference = at + 1 >= theirs.len();
        if !(last && explained(conversation, reference, our, their, last_of_reference)) {
            let shown = |reply: &Reply<'_>| format!("{:?}", Shown(reply));
            return Err(format!(
                "reply {at} is {}, and without mishaps {}",
                shown(our),
                their.map_or("none".into(), shown)
            ));
        }
        return Ok(());
    }
    let disruptions = conversation.disruptions;
    // A reply that was whole already, as one to HEAD is, may be given up as well.
    let gave_up = disruptions.broken && reason(&conversation.log);
    let stopped = disruptions.reset || disruptions.late || disruptions.finished || gave_up;
    if ours.len() < theirs.len() && !stopped {
        return Err(format!(
            "{} replies in place of {}",
            ours.len(),
            theirs.len()
        ));
    }
    Ok(())
}

/// The reference's output with our boundaries of parts in place of its own: they depend on the clock.
fn adopt_boundaries(ours: &[u8], theirs: &[u8]) -> Vec<u8> {
    let mut output = theirs.to_vec();
    for (our, their) in boundaries(ours).into_iter().zip(boundaries(theirs)) {
        let mut at = 0;
        while let Some(found) = output[at..]
            .windows(their.len())
            .position(|part| part == their)
        {
            at += found;
            // Ours may be cut.
            let n = our.len().min(their.len());
            output[at..][..n].copy_from_slice(&our[..n]);
            at += their.len();
        }
    }
    output
}

/// The boundaries that are named in an output.
fn boundaries(output: &[u8]) -> Vec<&[u8]> {
    let named = b"; boundary=";
    let starts = output.windows(named.len()).enumerate();
    let starts = starts
        .filter(|(_, part)| part == named)
        .map(|(at, _)| at + named.len());
    let to_end = |at: usize| output[at..].split(|&byte| byte == b'\r').next();
    let all = starts.filter_map(to_end);
    all.filter(|name| !name.is_empty()).collect()
}

fn equal(conversation: &Conversation, our: &Reply<'_>, their: &Reply<'_>) -> bool {
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

/// Whether the last reply may differ from the reference's.
fn explained(
    conversation: &Conversation,
    reference: &ReferenceRun,
    our: &Reply<'_>,
    their: Option<&Reply<'_>>,
    last_of_reference: bool,
) -> bool {
    let disruptions = conversation.disruptions;
    // An error in place of what would have come, which may break off as well.
    let whole = our.end != ReplyEnd::Cut || disruptions.late || disruptions.reset;
    if is_error(our) && whole && (disruptions.late || disruptions.broken) {
        return true;
    }
    let begins_like = their.is_some_and(|their| begins_like(conversation, our, their));
    let broken_off = our.end != ReplyEnd::Whole;
    // The same, up to where it broke off.
    if broken_off && begins_like && (disruptions.reset || disruptions.late || disruptions.broken) {
        return true;
    }
    // The reference gave up its reply before any of it had left, or later than this one did, because of
    // the request's content or a mistake of the handler: how much has left by then depends on the
    // pace.
    let gave_up = last_of_reference
        && their.is_none_or(|their| their.end != ReplyEnd::Whole || their.status >= 400);
    let reasons = reason(&reference.log) && (disruptions.reset || reason(&conversation.log));
    gave_up && reasons
}

/// Whether a reply is an error, or too little of it is there to tell.
fn is_error(reply: &Reply<'_>) -> bool {
    reply
        .head
        .get(9)
        .is_none_or(|digit| matches!(digit, b'4' | b'5'))
}

fn begins_like(conversation: &Conversation, our: &Reply<'_>, their: &Reply<'_>) -> bool {
    if our.status == 0 && our.end == ReplyEnd::Cut {
        // Before its head was there. What `Connection` says, and what comes before it, may differ.
        let free = conversation.disruptions.finished || our.head.starts_with(b"HTTP/1.1 1");
        return free || their.head.starts_with(our.head);
    }
    let whole = Reply {
        body: their.body.clone(),
        end: their.end,
        ..our.clone()
    };
    equal(conversation, &whole, their) && their.body.starts_with(&our.body)
}

/// Whether a log ends with something that went wrong.
pub(super) fn reason(log: &str) -> bool {
    let lines: Vec<&str> = log.lines().collect();
    lines
        .iter()
        .rev()
        .take(2)
        .any(|line| reader::logged_line(line).is_none_or(|request| request.status >= 400))
}

/// A reply in few words.
struct Shown<'a>(&'a Reply<'a>);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reply {
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
