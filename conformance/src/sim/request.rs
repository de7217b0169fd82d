//! [`Request`]: a request that a peer sends. Its fields and content can be left out, to find the smallest request that
//! fails.

use std::borrow::Cow;
use std::fmt::Display;

use super::Random;
use super::seed::{Part, Reduction};

/// A request that a peer sends, for [`Sim::requests`](super::Sim::requests). It has HTTP/1.1 and a `Host` unless you
/// change that.
///
/// ```
/// use sanserve_conformance::sim::Request;
///
/// let put = Request::new("PUT", "/a.txt").field("If-None-Match", "*").content(b"hello".to_vec());
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) method: Cow<'static, str>,
    pub(super) target: Cow<'static, str>,
    /// With its space; empty in a simple request.
    pub(super) version: &'static str,
    /// What precedes the request line.
    pub(super) lead: &'static [u8],
    pub(super) fields: Vec<Cow<'static, [u8]>>,
    /// The number of an invalid field, because of which no handler gets this request.
    pub(super) invalid: Option<usize>,
    pub(super) content: Option<Content>,
}

/// The content of a request.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// If it is chunked: the random numbers for the chunks.
    pub(super) chunks: Option<Random>,
    /// Whether a chunk may be invalid.
    pub(super) may_break: bool,
    /// Whether the peer waits for a 100 that may never come before it sends the content.
    pub(super) is_withheld: bool,
}

impl Request {
    /// Creates a request without content.
    pub fn new(
        method: impl Into<Cow<'static, str>>,
        target: impl Into<Cow<'static, str>>,
    ) -> Request {
        Request {
            method: method.into(),
            target: target.into(),
            version: " HTTP/1.1",
            lead: b"",
            fields: vec![b"Host: h".into()],
            invalid: None,
            content: None,
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Display) -> Request {
        let field = format!("{name}: {value}").into_bytes();
        self.fields.push(field.into());
        self
    }

    /// Sets the content, which is sent with a `Content-Length`.
    #[must_use]
    pub fn content(self, bytes: Vec<u8>) -> Request {
        let content = Some(Content {
            bytes,
            chunks: None,
            may_break: false,
            is_withheld: false,
        });
        Request { content, ..self }
    }

    /// Sends the content in chunks of random lengths.
    #[must_use]
    pub fn chunked(mut self, random: &mut Random) -> Request {
        if let Some(content) = &mut self.content {
            content.chunks = Some(random.fork());
        }
        self
    }

    /// Leaves out a field, content or chunks.
    pub(super) fn reduce(&mut self, reductions: &[&Reduction]) {
        let has = |part, at| reductions.iter().any(|one| one.contains(part, at));
        self.invalid = self.invalid.filter(|at| !has(Part::Field, *at));
        let mut at = 0;
        self.fields.retain(|_| {
            at += 1;
            !has(Part::Field, at - 1)
        });
        let Some(content) = &mut self.content else {
            return;
        };
        let from = reductions.iter().filter(|one| one.part == Part::Content);
        if let Some(from) = from.map(|one| one.range.start).min() {
            content.bytes.truncate(from);
        }
        if has(Part::Chunks, 0) {
            content.chunks = None;
        }
    }
}
