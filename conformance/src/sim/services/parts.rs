//! Checks uploads in parts: a file that was stored consists of parts, each of which was sent for its place, and of which
//! the last one was sent whole as the last; and every reply says what has happened.

use std::collections::{BTreeMap, BTreeSet};

use sanserve_core::UploadToken;

use super::exchange::Exchange;
use super::served::Served;
use super::uploads::{Claims, File, shown};
use crate::sim::model_tree::ModelTree;
use crate::sim::reader::ParsedReply;

/// The parts of all uploads of a world.
pub(super) struct Parts<'a> {
    creations: Vec<Part<'a>>,
    appended: Vec<Part<'a>>,
    /// Whether there are connections whose requests are not known.
    may_have_others: bool,
}

/// A part of a file, as it was sent.
struct Part<'a> {
    path: Vec<u8>,
    /// The number of the upload; `None` if the request creates it.
    token: Option<UploadToken>,
    /// Its place in the file.
    offset: usize,
    content: &'a [u8],
    /// Whether it may complete the file: all of it was sent, and as the last part.
    is_last: bool,
    /// The status of a reply that says that the file is complete, or 0.
    completed: u16,
    /// Whether the file must not replace another one, if the request creates the upload.
    must_be_new: bool,
}

impl<'a> Parts<'a> {
    /// Finds the parts in a world.
    pub(super) fn new(served: &Served<'a>) -> Parts<'a> {
        let exchanges = served.connections.iter().flat_map(|(_, all)| all);
        let parts = exchanges.filter_map(|exchange| part(served, exchange));
        let (creations, appended) = parts.partition(|part| part.token.is_none());
        let mut conversations = served.connections.iter();
        Parts {
            creations,
            appended,
            may_have_others: conversations
                .any(|(conversation, _)| conversation.sent_lines.is_none()),
        }
    }

    /// Returns the last parts of all series of parts that make up a file. Of each part but the last, any number of bytes
    /// may have been stored.
    fn last_parts(&self, (path, content): &File) -> Vec<&Part<'a>> {
        let tokens = self.appended.iter().filter_map(|part| part.token);
        let tokens: BTreeSet<UploadToken> = tokens.collect();
        let mut found: Vec<&Part<'a>> = Vec::new();
        let mut reached = vec![false; content.len() + 1];
        for part in self.creations.iter().filter(|part| part.path == *path) {
            let len = common_len(part.content, content);
            reached[..=len].fill(true);
            if part.completes(0, len, content) {
                found.push(part);
            }
        }
        for token in tokens {
            let is_for = |part: &&Part<'a>| part.path == *path && part.token == Some(token);
            let mut parts: Vec<&Part<'a>> = self.appended.iter().filter(is_for).collect();
            parts.sort_by_key(|part| part.offset);
            let mut reached = reached.clone();
            for part in parts {
                let at = part.offset;
                if reached.get(at) != Some(&true) {
                    continue;
                }
                let len = common_len(part.content, &content[at..]);
                reached[at..=at + len].fill(true);
                if part.completes(at, len, content) {
                    found.push(part);
                }
            }
        }
        found
    }

    /// Adds what was said of a file that was stored.
    pub(super) fn claim(&self, file: &File, claims: &mut Claims) {
        let is_only_in_parts = claims.stored + claims.unknown == 0;
        let last_parts = self.last_parts(file);
        claims.must_be_new |=
            is_only_in_parts && !last_parts.is_empty() && self.must_be_new(&file.0);
        for part in last_parts {
            match part.completed {
                0 => claims.unknown += 1,
                status => {
                    claims.stored += 1;
                    claims.is_new = Some(status == 201);
                }
            }
        }
    }

    /// Whether all uploads of a path were created by requests that must not replace another file.
    fn must_be_new(&self, path: &[u8]) -> bool {
        let mut creations = self.creations.iter().filter(|part| part.path == path);
        creations.all(|part| part.must_be_new)
    }

    /// Every part of which a reply says that it completes a file is the last one of a file that was stored.
    pub(super) fn check<'b>(&self, stored: impl Iterator<Item = &'b File>) -> Result<(), String> {
        let stored: Vec<&File> = stored.collect();
        let last: BTreeSet<*const Part<'a>> = stored
            .iter()
            .flat_map(|file| self.last_parts(file))
            .map(std::ptr::from_ref)
            .collect();
        let parts = self.creations.iter().chain(&self.appended);
        let mut missing =
            parts.filter(|part| part.completed != 0 && !last.contains(&std::ptr::from_ref(*part)));
        match missing.next() {
            Some(part) if !self.may_have_others => Err(format!(
                "a reply says that {} completes a file, but none was stored with it at {}",
                shown(&(part.path.clone(), part.content.to_vec())),
                part.offset
            )),
            _ => Ok(()),
        }
    }
}

impl Part<'_> {
    /// Whether it completes a file with this content, of which it has `len` bytes from `at` on.
    fn completes(&self, at: usize, len: usize, content: &[u8]) -> bool {
        self.is_last && len == self.content.len() && at + len == content.len()
    }
}

fn part<'a>(served: &Served<'a>, exchange: &Exchange<'a>) -> Option<Part<'a>> {
    let path = exchange.path()?;
    let token = exchange.upload();
    let offset = match token {
        None if exchange.creates_upload() => 0,
        Some(_) if exchange.method == "PATCH" => number(exchange.fields("Upload-Offset").first()?)?,
        _ => return None,
    };
    let is_last = exchange.completes_upload()? && exchange.is_whole;
    let status = exchange.status();
    let settings = exchange.settings;
    Some(Part {
        path: served.tree.resolve(path.as_bytes()),
        token,
        offset,
        content: exchange.content,
        is_last,
        completed: match status {
            201 | 204 if is_last => status,
            _ => 0,
        },
        must_be_new: !settings.overwrite || exchange.fields("If-None-Match").contains(&"*"),
    })
}

/// Returns the length of the longest common start.
fn common_len(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

fn number(text: &str) -> Option<usize> {
    text.parse().ok()
}

/// Checks the replies about uploads, and what the file system was asked for.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    if let Some(mistake) = served.tree.upload_mistakes().into_iter().next() {
        return Err(mistake);
    }
    served.each(check_reply)?;
    for (conversation, exchanges) in &served.connections {
        let is_alone = served.connections.len() == 1
            && conversation.fs_failures.is_empty()
            && !served.tree.has_passed_day();
        let mut told = Told {
            is_alone,
            uploads: BTreeMap::new(),
        };
        for exchange in exchanges {
            told.check(served.tree, exchange)
                .map_err(|message| format!("{} {}: {message}", exchange.method, exchange.target))?;
        }
    }
    Ok(())
}

/// Checks the reply to a request for an upload, or to one that creates an upload.
fn check_reply(exchange: &Exchange<'_>) -> Result<(), String> {
    let is_creation = exchange.creates_upload();
    if !is_creation && exchange.upload().is_none() {
        return Ok(());
    }
    let Some(reply) = &exchange.reply else {
        return Ok(());
    };
    let (complete, offset) = (
        text(reply, "Upload-Complete"),
        text(reply, "Upload-Offset").and_then(number),
    );
    let sent = exchange
        .fields("Upload-Offset")
        .first()
        .and_then(|text| number(text));
    let end = sent.filter(|_| !is_creation).unwrap_or(0) + exchange.content.len();
    let right = match (exchange.method, reply.status) {
        (_, 0 | 100..=199 | 400..=408 | 410..=599) => true,
        ("OPTIONS", 200) => text(reply, "Allow").is_some_and(|methods| methods.contains("PATCH")),
        ("DELETE", 204) => true,
        ("GET" | "HEAD", 204) => offset.is_some() && matches!(complete, Some("?0" | "?1")),
        ("PATCH" | "PUT" | "POST", 201 | 204) => match exchange.completes_upload() {
            _ if !exchange.is_whole => false,
            // A file that could not have been resumed has no such fields.
            Some(true) if is_creation && complete.is_none() => true,
            Some(true) => complete == Some("?1") && offset == Some(end),
            _ => complete == Some("?0") && offset == Some(end),
        },
        // The offset is wrong, or the file cannot be stored.
        (_, 409) => offset.is_none() || offset != sent,
        _ => false,
    };
    match right {
        true => Ok(()),
        false => Err(format!(
            "the status is {}, Upload-Complete {complete:?} and Upload-Offset {offset:?}",
            reply.status
        )),
    }
}

/// What the peer of a connection was told of uploads.
struct Told {
    /// Whether nothing else can have changed an upload.
    is_alone: bool,
    uploads: BTreeMap<(Vec<u8>, UploadToken), State>,
}

/// The state of an upload, as a reply said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    At(usize),
    Complete,
    Cancelled,
}

impl Told {
    /// Compares a reply with what the peer was told before.
    fn check(&mut self, tree: &ModelTree, exchange: &Exchange<'_>) -> Result<(), String> {
        let (Some(reply), Some(path)) = (&exchange.reply, exchange.path()) else {
            return Ok(());
        };
        let Some(token) = token(exchange, reply) else {
            return Ok(());
        };
        let key = (path.as_bytes().to_vec(), token);
        if exchange.method == "DELETE" && reply.status == 204 && !tree.is_cancelled(&key) {
            return Err("it was not cancelled".into());
        }
        let before = self.uploads.get(&key).copied();
        let after = state_after(exchange, reply, before);
        if let Some(before) = before {
            self.compare(exchange, reply.status, before, after)?;
        }
        match after {
            Some(state) => self.uploads.insert(key, state),
            None => self.uploads.remove(&key),
        };
        Ok(())
    }

    fn compare(
        &self,
        exchange: &Exchange<'_>,
        status: u16,
        before: State,
        after: Option<State>,
    ) -> Result<(), String> {
        let place = exchange.fields("Upload-Offset");
        let place = place.first().and_then(|text| number(text));
        let is_appended = exchange.method == "PATCH" && matches!(status, 201 | 204);
        match (before, after) {
            (State::Cancelled, Some(State::At(_) | State::Complete)) => {
                Err("it was cancelled".into())
            }
            (State::Complete, Some(State::At(_))) => Err("it was complete".into()),
            (State::Complete, _) if is_appended => Err("it was complete already".into()),
            (State::At(one), Some(State::At(other))) if other < one => {
                Err(format!("its offset was {one}, and is {other}"))
            }
            // An offset does not decrease, so such a part was not at its place.
            (State::At(offset), _)
                if is_appended
                    && (place < Some(offset) || self.is_alone && place != Some(offset)) =>
            {
                Err(format!("its offset was {offset}"))
            }
            (State::At(_), _) if self.is_alone && status == 404 => Err("it existed".into()),
            (State::At(offset), Some(_))
                if self.is_alone && status == 409 && place == Some(offset) =>
            {
                Err("its offset is refused".into())
            }
            _ => Ok(()),
        }
    }
}

/// Returns the number of the upload that a request is for or has created.
fn token(exchange: &Exchange<'_>, reply: &ParsedReply<'_>) -> Option<UploadToken> {
    if !exchange.creates_upload() {
        return exchange.upload();
    }
    let (_, digits) = text(reply, "Location")?.split_once("?upload=")?;
    UploadToken::from_str_radix(digits, 16).ok()
}

/// Returns the state of an upload, as the reply says. `None` if it is not known any more.
fn state_after(
    exchange: &Exchange<'_>,
    reply: &ParsedReply<'_>,
    before: Option<State>,
) -> Option<State> {
    let is_complete = text(reply, "Upload-Complete") == Some("?1");
    match (reply.status, text(reply, "Upload-Offset").and_then(number)) {
        (201 | 204, _) if exchange.method == "DELETE" => Some(State::Cancelled),
        (201 | 204, Some(_)) | (409, None) if is_complete => Some(State::Complete),
        (201 | 204 | 409, Some(offset)) => Some(State::At(offset)),
        // The file cannot be stored, or is longer than it may be.
        (400 | 409, None) => None,
        _ => before,
    }
}

fn text<'a>(reply: &ParsedReply<'a>, name: &str) -> Option<&'a str> {
    str::from_utf8(reply.field(name)?).ok()
}
