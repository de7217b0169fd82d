//! The check `recovery`: when the faults are over, a new connection gets its reply.

use super::conversation::{Conversation, Phase};
use super::reader::ReplyEnd;

/// Checks that the request after all faults gets a complete reply, and none with a status of 500 or more unless it got one
/// before them, too, or the file system returns an error, as for a name that exists by now.
pub(super) fn check(conversations: &[Conversation]) -> Result<(), String> {
    let probe = |phase| {
        let mut all = conversations.iter();
        all.find(|conversation| conversation.phase == phase)
    };
    let Some(after) = probe(Phase::After) else {
        return Ok(());
    };
    // A mistake is a failure of another check, unless it is allowed.
    if after.handler_errors().next().is_some() || after.input.is_empty() {
        return Ok(());
    }
    let reached = status(after).ok_or("a request after the faults gets no complete reply")?;
    let before = probe(Phase::Before).and_then(status);
    let is_excused = !after.fs_failures.is_empty();
    if reached >= 500 && !is_excused && before.is_none_or(|before| before < 500) {
        return Err(format!("a request after the faults gets {reached}"));
    }
    Ok(())
}

/// Returns the status of the first reply, if it is complete.
fn status(conversation: &Conversation) -> Option<u16> {
    let replies = conversation.replies().ok()?;
    let reply = replies.first()?;
    (reply.end != ReplyEnd::Truncated).then_some(reply.status)
}
