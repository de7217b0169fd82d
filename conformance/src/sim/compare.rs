//! Whether what a peer saw is what it would have seen without mishaps, as far as they let it.

use super::conversation::{Conversation, Twin};
use super::reader::{self, End, Reply};

/// Compares a conversation with its twin.
///
/// All replies but the last must be equal, and as many as the twin's unless something happened. The
/// last may break off, or be an error in place of the twin's, if what happened explains it. Interim
/// replies, the pieces in which content is chunked and the boundaries of parts are nobody's business; nor is what
/// `Connection` says, after the connection was told to come to its end.
///
/// # Errors
/// What is different.
pub(super) fn compare(said: &Conversation) -> Result<(), String> {
    let Some(twin) = &said.twin else {
        return Err("the twin does not come to its end".into());
    };
    if let Some(astray) = &twin.astray {
        return Err(format!("the twin asks something else: {astray}"));
    }
    if said.output == twin.output {
        return Ok(());
    }
    let ours = said.replies()?;
    let their_output = adopt_boundaries(&said.output, &twin.output);
    let theirs = reader::read(&their_output, &reader::logged(&twin.log))
        .map_err(|what| format!("the twin's output: {what}"))?;
    for (at, our) in ours.iter().enumerate() {
        let their = theirs.get(at);
        if their.is_some_and(|their| equal(said, our, their)) {
            continue;
        }
        let last = at + 1 == ours.len();
        let last_of_twin = at + 1 >= theirs.len();
        if !(last && explained(said, twin, our, their, last_of_twin)) {
            let shown = |reply: &Reply<'_>| format!("{:?}", Shown(reply));
            return Err(format!(
                "reply {at} is {}, and without mishaps {}",
                shown(our),
                their.map_or("none".into(), shown)
            ));
        }
        return Ok(());
    }
    let mishaps = said.mishaps;
    // A reply that was whole already, as one to HEAD is, may be given up as well.
    let gave_up = mishaps.broken && reason(&said.log);
    let stopped = mishaps.reset || mishaps.late || mishaps.finished || gave_up;
    if ours.len() < theirs.len() && !stopped {
        return Err(format!(
            "{} replies in place of {}",
            ours.len(),
            theirs.len()
        ));
    }
    Ok(())
}

/// The twin's output with our boundaries of parts in place of its own: they depend on the clock.
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

fn equal(said: &Conversation, our: &Reply<'_>, their: &Reply<'_>) -> bool {
    let heads = if said.mishaps.finished {
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

/// Whether the last reply may differ from the twin's.
fn explained(
    said: &Conversation,
    twin: &Twin,
    our: &Reply<'_>,
    their: Option<&Reply<'_>>,
    last_of_twin: bool,
) -> bool {
    let mishaps = said.mishaps;
    // An error in place of what would have come, which may break off as well.
    let whole = our.end != End::Cut || mishaps.late || mishaps.reset;
    if is_error(our) && whole && (mishaps.late || mishaps.broken) {
        return true;
    }
    let begins_like = their.is_some_and(|their| begins_like(said, our, their));
    let broken_off = our.end != End::Whole;
    // The same, up to where it broke off.
    if broken_off && begins_like && (mishaps.reset || mishaps.late || mishaps.broken) {
        return true;
    }
    // The twin gave up its reply before any of it had left, or later than this one did, because of
    // the request's content or a mistake of the handler: how much has left by then depends on the
    // pace.
    let gave_up =
        last_of_twin && their.is_none_or(|their| their.end != End::Whole || their.status >= 400);
    let reasons = reason(&twin.log) && (mishaps.reset || reason(&said.log));
    gave_up && reasons
}

/// Whether a reply is an error, or too little of it is there to tell.
fn is_error(reply: &Reply<'_>) -> bool {
    reply
        .head
        .get(9)
        .is_none_or(|digit| matches!(digit, b'4' | b'5'))
}

fn begins_like(said: &Conversation, our: &Reply<'_>, their: &Reply<'_>) -> bool {
    if our.status == 0 && our.end == End::Cut {
        // Before its head was there. What `Connection` says, and what comes before it, may differ.
        let free = said.mishaps.finished || our.head.starts_with(b"HTTP/1.1 1");
        return free || their.head.starts_with(our.head);
    }
    let whole = Reply {
        body: their.body.clone(),
        end: their.end,
        ..our.clone()
    };
    equal(said, &whole, their) && their.body.starts_with(&our.body)
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
