//! [`ReplyReader`]: divides what is sent to a client into heads and content, as it is sent.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};

use super::RecordedConnection;
use super::event::{EventKind, Sent};

/// A reply, final or interim.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    /// Status line, fields, and the empty line.
    pub(super) head: Vec<u8>,
    /// The length of its content in bytes.
    pub(super) content: u64,
    /// The hash of its content.
    hash: DefaultHasher,
    /// Whether part of the content is not known.
    is_cut: bool,
}

impl Reply {
    /// Returns the status, or 0 if there is no head.
    pub(super) fn status(&self) -> u16 {
        let status = self.head.get(9..12).unwrap_or_default();
        let status = str::from_utf8(status).ok();
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Returns whether this is the reply to a request, or HTTP/0.9.
    pub(super) fn is_final(&self) -> bool {
        self.status() >= 200 || matches!(self.status(), 0 | 101)
    }

    /// Returns the hash of the content, if all of it is known.
    pub(super) fn content_hash(&self) -> Option<u64> {
        (!self.is_cut).then(|| self.hash.finish())
    }

    fn add_content(&mut self, content: &[u8]) {
        self.content += content.len() as u64;
        self.hash.write(content);
    }

    fn add_unknown_content(&mut self, len: u64) {
        self.content += len;
        self.is_cut = true;
    }
}

/// Returns the recorded replies.
pub(super) fn recorded(connection: &RecordedConnection) -> Vec<Reply> {
    let mut replies = Vec::<Reply>::new();
    for event in &connection.events {
        let EventKind::Sent(sent) = &event.kind else {
            continue;
        };
        if let Sent::Head(head) = sent {
            replies.push(Reply {
                head: head.clone(),
                ..Reply::default()
            });
            continue;
        }
        if replies.is_empty() {
            replies.push(Reply::default());
        }
        match (sent, replies.last_mut()) {
            (Sent::Content(len), Some(reply)) => reply.add_unknown_content(*len),
            (Sent::ContentBytes(content), Some(reply)) => reply.add_content(content),
            _ => {}
        }
    }
    replies
}

/// Reads replies.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    pub(super) replies: Vec<Reply>,
    /// For each of the next replies, whether it is one to HEAD.
    pub(super) to_head: VecDeque<bool>,
    line: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Before a head.
    #[default]
    Start,
    Head,
    Sized(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    /// The content ends with the connection.
    Rest,
}

impl ReplyReader {
    /// Takes the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let left = match self.state {
                State::Sized(left) | State::Chunk(left) => left,
                State::Rest => u64::MAX,
                _ => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let n = end.map_or(bytes.len(), |end| end + 1);
                    self.line.extend_from_slice(&bytes[..n]);
                    bytes = &bytes[n..];
                    if end.is_some() {
                        self.on_line();
                    }
                    continue;
                }
            };
            let n = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.reply().add_content(&bytes[..n]);
            self.after_content(n as u64);
            bytes = &bytes[n..];
        }
    }

    /// Takes content that is not known.
    pub(super) fn skip(&mut self, len: u64) {
        self.reply().add_unknown_content(len);
        self.after_content(len);
    }

    /// Takes the end of the stream.
    pub(super) fn finish(&mut self) {
        let line = std::mem::take(&mut self.line);
        match self.state {
            State::Start if line.starts_with(b"HTTP/1.") => self.replies.push(Reply {
                head: line,
                ..Reply::default()
            }),
            State::Start if !line.is_empty() => self.reply().add_content(&line),
            State::Head => self.reply().head.extend_from_slice(&line),
            _ => {}
        }
    }

    fn after_content(&mut self, n: u64) {
        self.state = match self.state {
            State::Sized(left) if left <= n => State::Start,
            State::Sized(left) => State::Sized(left - n),
            State::Chunk(left) if left <= n => State::ChunkEnd,
            State::Chunk(left) => State::Chunk(left - n),
            state => state,
        };
    }

    fn reply(&mut self) -> &mut Reply {
        if self.replies.is_empty() {
            self.replies.push(Reply::default());
        }
        self.replies.last_mut().expect("there is one")
    }

    fn on_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let is_empty = line.trim_ascii().is_empty();
        match self.state {
            State::Start if !line.starts_with(b"HTTP/1.") => {
                self.state = State::Rest;
                self.replies.push(Reply::default());
                self.reply().add_content(&line);
            }
            State::Start => {
                self.state = State::Head;
                self.replies.push(Reply::default());
                self.reply().head.extend_from_slice(&line);
            }
            State::Head => {
                self.reply().head.extend_from_slice(&line);
                if is_empty {
                    self.state = self.content_state();
                }
            }
            State::ChunkSize => {
                let digits = str::from_utf8(line.trim_ascii()).unwrap_or_default();
                self.state = match u64::from_str_radix(digits, 16) {
                    Ok(0) => State::Trailer,
                    Ok(size) => State::Chunk(size),
                    Err(_) => State::Rest,
                };
            }
            State::ChunkEnd => self.state = State::ChunkSize,
            State::Trailer if is_empty => self.state = State::Start,
            _ => {}
        }
    }

    fn content_state(&mut self) -> State {
        let reply = self.reply();
        let (status, is_final) = (reply.status(), reply.is_final());
        let (length, chunked) = (
            reply.field("content-length"),
            reply.field("transfer-encoding"),
        );
        let length = length.and_then(|length| str::from_utf8(length).ok()?.parse().ok());
        let is_chunked = chunked.is_some();
        if !is_final || self.to_head.pop_front() == Some(true) || matches!(status, 204 | 304) {
            return State::Start;
        }
        match length {
            Some(0) => State::Start,
            Some(length) => State::Sized(length),
            None if is_chunked => State::ChunkSize,
            None => State::Rest,
        }
    }
}

impl Reply {
    /// Returns the value of the first field of this name, which is given in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields()
            .find(|(is, _)| is == name)
            .map(|(_, value)| value)
    }

    /// Returns the fields: names in lower case, and values.
    pub(super) fn fields(&self) -> impl Iterator<Item = (String, &[u8])> {
        let lines = self.head.split(|byte| *byte == b'\n').skip(1);
        lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }
}
