//! Compares the replies of a replayed connection with the recorded ones.

use super::event::{Call, End, EventKind, Input};
use super::replayed::Replayed;
use super::replies::{self, Reply};
use super::{Difference, RecordedConnection, Replay};

/// Compares a replayed connection with the recorded one, and adds the result.
pub(super) fn compare(recorded: &RecordedConnection, replayed: &Replayed, replay: &mut Replay) {
    let before = replies::recorded(recorded);
    let is_broken = is_broken(recorded);
    let keeps_content = recorded.events.iter().any(|event| {
        matches!(
            event.kind,
            EventKind::Sent(super::event::Sent::ContentBytes(_))
        )
    });
    replay.connections += 1;
    let mut requests = replayed.requests.iter();
    let mut request = requests.next();
    for at in 0..before.len().max(replayed.replies.len()) {
        if !keeps_content && request.is_some_and(|request| request.is_form) {
            replay.skipped += before.len().saturating_sub(at);
            return;
        }
        let (is, was) = (replayed.replies.get(at), before.get(at));
        let is_last = at + 1 >= before.len();
        let text = match (was, is) {
            (Some(was), Some(is)) => difference(was, is, is_last && (is_broken || is_cut(was))),
            (Some(was), None) if is_last && is_broken && was.status() == 0 => None,
            (Some(was), None) => Some(format!("status {}, now no reply", was.status())),
            (None, Some(_)) if is_broken => None,
            (None, Some(is)) => Some(format!("no reply, now status {}", is.status())),
            (None, None) => None,
        };
        replay.replies += usize::from(was.is_some());
        if let Some(text) = text {
            replay.differences.push(Difference {
                connection: recorded.number,
                reply: at,
                request: request.map_or(String::new(), |request| request.line.clone()),
                text: with_unanswered(text, &replayed.unanswered),
            });
            // What follows differs for the same reason.
            return;
        }
        if was.is_some_and(Reply::is_final) {
            request = requests.next();
        }
    }
}

fn with_unanswered(text: String, unanswered: &[String]) -> String {
    match unanswered.first() {
        Some(question) => format!("{text}; asks the file system now: {question}"),
        None => text,
    }
}

/// Returns whether the record of a connection may end in the middle of a reply.
fn is_broken(recorded: &RecordedConnection) -> bool {
    recorded.end == End::Missing
        || recorded.events.iter().any(|event| {
            matches!(
                event.kind,
                EventKind::Input(Input::Failed) | EventKind::Call(Call::PeerReset)
            )
        })
}

/// Returns whether a reply is shorter than it says, because its file ended early or its client was too slow.
fn is_cut(reply: &Reply) -> bool {
    let length = reply.field("content-length");
    let length = length.and_then(|length| str::from_utf8(length).ok()?.parse::<u64>().ok());
    length.is_some_and(|length| reply.content < length)
}

/// Returns how a reply differs. One that is truncated differs only if the other one begins differently.
fn difference(was: &Reply, is: &Reply, is_truncated: bool) -> Option<String> {
    if is_truncated && !was.head.ends_with(b"\r\n\r\n") {
        return None;
    }
    if was.status() != is.status() {
        return Some(format!("status {}, now {}", was.status(), is.status()));
    }
    let (before, now) = (fields(was), fields(is));
    let (mut before, mut now) = (before.iter(), now.iter());
    loop {
        match (before.next(), now.next()) {
            (None, None) => break,
            (Some(was), Some(is)) if is_same(was, is) => {}
            (was, is) => return Some(format!("field {}, now {}", show(was), show(is))),
        }
    }
    if is.content != was.content && !(is_truncated && is.content >= was.content) {
        return Some(format!(
            "{} bytes of content, now {}",
            was.content, is.content
        ));
    }
    let (before, now) = (was.content_hash(), is.content_hash());
    let is_known = !is_truncated && before.is_some() && now.is_some();
    (is_known && before != now).then(|| "other content of the same length".into())
}

/// Returns the fields to be compared.
fn fields(reply: &Reply) -> Vec<(String, String)> {
    let fields = reply.fields().filter(|(name, _)| name != "date");
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fields = fields.map(|(name, value)| (name, without_boundary(text(value))));
    fields.collect()
}

/// Removes the boundary of several ranges, which depends on the time.
fn without_boundary(value: String) -> String {
    match value.split_once("; boundary=") {
        Some((media_type, _)) => media_type.into(),
        None => value,
    }
}

/// Returns whether a field is the same. A value that was removed from the recording is equal to any of its length.
fn is_same(was: &(String, String), is: &(String, String)) -> bool {
    let is_removed = !was.1.is_empty() && was.1.bytes().all(|byte| byte == b'x');
    was.0 == is.0 && (was.1 == is.1 || is_removed && was.1.len() == is.1.len())
}

fn show(field: Option<&(String, String)>) -> String {
    match field {
        Some((name, value)) => format!("`{name}: {value}`"),
        None => "none".into(),
    }
}
