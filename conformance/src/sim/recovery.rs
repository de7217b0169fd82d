//! The check `recovery`: when the faults are over, a new connection gets its reply.

use super::conversation::{Conversation, Phase};
use super::reader::ReplyEnd;

/// Checks that the request after all faults gets a complete reply, and none with a status of 500 or more unless it got
/// one before them, too, or the file system returns an error, as for a name that exists by now.
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

#[cfg(test)]
mod tests {
    use sanserve_core::{FsError, from_fn};

    use super::check;
    use crate::sim::conversation::{FsFailure, FsOperation, Phase};
    use crate::sim::{Conversation, Sim};

    fn replied(
        mut conversations: Vec<Conversation>,
        phase: Phase,
        from: &str,
        to: &str,
    ) -> Vec<Conversation> {
        for conversation in conversations.iter_mut().filter(|one| one.phase == phase) {
            let output = String::from_utf8_lossy(&conversation.output).replace(from, to);
            conversation.output = output.into_bytes();
        }
        conversations
    }

    #[test]
    fn a_server_that_no_longer_serves_is_caught() {
        let sim = Sim::new(|_| from_fn(|ex| ex.send_error(404, "Not Found")));
        let mut worlds = (1..100).map(|seed| sim.simulate(seed, false).conversations);
        let is_probed = |one: &Conversation| one.phase == Phase::After;
        let world = worlds.find(|conversations| conversations.iter().any(is_probed));
        let world = world.expect("every fourth world has probes");
        let status = |phase, from, to| replied(world.clone(), phase, from, to);
        assert_eq!(check(&world), Ok(()));
        let failed = status(Phase::After, " 404 ", " 503 ");
        assert_eq!(
            check(&failed),
            Err("a request after the faults gets 503".into())
        );
        let mut excused = failed.clone();
        let failure = FsFailure {
            operation: FsOperation::Open,
            error: FsError::Io,
        };
        excused
            .iter_mut()
            .for_each(|one| one.fs_failures.push(failure));
        assert_eq!(check(&excused), Ok(()));
        assert_eq!(
            check(&replied(failed, Phase::Before, " 404 ", " 500 ")),
            Ok(())
        );
        let truncated = status(Phase::After, "</html>", "");
        let error = "a request after the faults gets no complete reply";
        assert_eq!(check(&truncated), Err(error.into()));
        let mut silent = world.clone();
        silent.iter_mut().for_each(|one| one.output.clear());
        assert_eq!(check(&silent), Err(error.into()));
    }
}
