//! The replies of a conversation beside those of its reference run, for transcripts.

use super::conversation::{Conversation, ReferenceRun};
use super::reader::{self, ParsedReply};
use super::shown::brief;

/// More lines of a kind than this are left out.
const LINES_MAX: usize = 20;

/// Returns a line for each reply, each in both runs, and the calls of the handler without faults.
pub(super) fn lines(conversation: &Conversation) -> Vec<String> {
    let ours = match conversation.replies() {
        Ok(replies) => replies.iter().map(show).collect(),
        Err(error) => vec![error],
    };
    let Some(reference) = &conversation.reference else {
        let mut lines = numbered(&ours);
        lines.push("without faults: it was not run, or does not end".into());
        return lines;
    };
    let theirs = their_replies(reference);
    let mut lines = match ours == theirs {
        true => numbered(&ours),
        false => differing(&ours, &theirs),
    };
    if ours == theirs {
        lines.push("without faults: the same replies".into());
    }
    let calls = reference.calls.iter();
    lines.extend(calls.map(|call| format!("without faults: handler: {call}")));
    lines
}

fn their_replies(reference: &ReferenceRun) -> Vec<String> {
    match reader::parse(&reference.output, &reader::logged(&reference.log)) {
        Ok(replies) => replies.iter().map(show).collect(),
        Err(error) => vec![error],
    }
}

fn numbered(replies: &[String]) -> Vec<String> {
    let shown = replies.iter().take(LINES_MAX).enumerate();
    let mut lines: Vec<String> = shown
        .map(|(at, reply)| format!("reply {at}: {reply}"))
        .collect();
    if replies.len() > LINES_MAX {
        lines.push(format!("{} replies in all", replies.len()));
    }
    lines
}

/// Returns the replies from a little before the first that is different on.
fn differing(ours: &[String], theirs: &[String]) -> Vec<String> {
    let pairs = ours.iter().zip(theirs);
    let first = pairs.take_while(|(our, their)| our == their).count();
    let most = ours.len().max(theirs.len());
    let shown = first.saturating_sub(2)..most.min(first + LINES_MAX);
    let mut lines = Vec::new();
    for at in shown {
        let (our, their) = (ours.get(at), theirs.get(at));
        let none = "none".to_string();
        lines.push(format!("reply {at}: {}", our.unwrap_or(&none)));
        if our == their {
            lines.push("without faults: the same".into());
        } else {
            let their = their.unwrap_or(&none);
            lines.push(format!("without faults: {their}  <- different"));
        }
    }
    lines
}

fn show(reply: &ParsedReply<'_>) -> String {
    let ParsedReply {
        status, body, end, ..
    } = reply;
    let (len, start) = (body.len(), brief(&body[..body.len().min(60)]));
    let more = if len > 60 { "…" } else { "" };
    format!("{status} {end:?}, {len} bytes of content: {start}{more}")
}
