//! What a file is answered with: all of it, parts of it, or the reason why not.

use core::fmt::{self, Display};
use core::mem;
use core::ops::Range;

use super::byteranges::{ContentRange, Parts};
use super::coding::{Coding, Codings};
use super::options::CORS;
use super::{Files, Stage};
use crate::engine::log::LogEvent;
use crate::engine::{Exchange, Next};
use crate::fs::{FileVersion, Meta, Path};
use crate::service::condition::{Verdict, judge, judge_date, range_counts};
use crate::service::etag::ETag;
use crate::text::range::Ranges;
use crate::text::{date, range, status};
use crate::wire::NameBloom;
use crate::wire::syntax::is_among;

/// A media type, with the charset that it is said to have.
#[derive(Debug, Clone, Copy)]
pub(super) struct ContentType {
    name: &'static str,
    charset: Option<&'static str>,
}

impl ContentType {
    fn send(&self, ex: &mut Exchange<'_>) {
        match self.charset {
            None => ex.send_text("Content-type: ", self.name),
            Some(_) => ex.send_header("Content-type", self),
        }
    }
}

impl Display for ContentType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContentType { name, charset } = self;
        out.write_str(name)?;
        match charset {
            Some(charset) => write!(out, "; charset={charset}"),
            None => Ok(()),
        }
    }
}

/// An open file, and what the peer is told of it.
struct Found<'a> {
    path: &'a Path,
    meta: Meta,
    content_type: ContentType,
    coding: Option<Coding>,
    tag: Option<ETag>,
    /// What `Last-Modified` says: never later than `Date` (RFC 9110 §8.8.2.1).
    modified: Option<i64>,
}

impl Files {
    /// Answers with the file that is open.
    pub(super) fn send_file(&mut self, ex: &mut Exchange<'_>, path: &Path, meta: Meta) -> Next {
        let codings = mem::replace(&mut self.codings, Codings::NONE);
        let found = self.found(ex, path, meta, codings.current);
        if let Stage::NotFound = self.stage {
            return self.send_not_found_page(ex, &found);
        }
        if found.coding.is_none() && !codings.identity {
            return self.error(ex, 406, status::phrase(406));
        }
        if self.plain {
            return self.send_plain(ex, found);
        }
        match judge(ex, found.tag.as_ref(), meta.date()) {
            Verdict::Failed => return self.error(ex, 412, status::phrase(412)),
            Verdict::Unchanged => return self.send_unchanged(ex, &found),
            Verdict::Send => {}
        }
        match ranges(ex, &found) {
            Ranges::All => {
                self.send_head(ex, 200, &found, meta.len, None);
                Next::Send(0..meta.len)
            }
            Ranges::One(range) => {
                let len = range.end - range.start;
                self.send_head(ex, 206, &found, len, Some(&range));
                Next::Send(range)
            }
            Ranges::Several(ranges) => {
                let coding = found.coding.map(Coding::name);
                let parts = Parts::new(ranges, meta, found.content_type, coding, ex.now());
                self.send_head_of_parts(ex, &found, &parts);
                self.stage = Stage::Parts(parts.into());
                self.go_on(ex)
            }
            Ranges::None => self.error_with(ex, 416, status::phrase(416), &mut |ex| {
                ex.send_header("Content-Range", format_args!("bytes */{}", meta.len));
            }),
        }
    }

    /// Answers with the whole file, or that it is unchanged, as CPython does.
    fn send_plain(&self, ex: &mut Exchange<'_>, mut found: Found<'_>) -> Next {
        let Meta { len, modified, .. } = found.meta;
        (found.tag, found.modified) = (None, modified);
        if judge_date(ex, modified) == Verdict::Unchanged {
            ex.send_response(304);
            self.send_policy(ex);
            ex.end_headers();
            return Next::Done;
        }
        self.send_head(ex, 200, &found, len, None);
        Next::Send(0..len)
    }

    fn found<'a>(
        &self,
        ex: &Exchange<'_>,
        path: &'a Path,
        meta: Meta,
        coding: Option<Coding>,
    ) -> Found<'a> {
        let suffix = coding.map_or("", Coding::suffix);
        let name = path.file_name();
        let name = name.strip_suffix(suffix.as_bytes()).unwrap_or(name);
        let name = (self.guess_type)(name).unwrap_or(self.default_type);
        let name = match self.stage {
            Stage::Archive(download) => download.media_type,
            _ => name,
        };
        Found {
            path,
            meta,
            content_type: ContentType {
                name,
                charset: self.charset.filter(|_| takes_charset(name)),
            },
            coding,
            tag: ETag::new(meta, coding.map_or("", Coding::mark)),
            modified: match (meta.date(), ex.now().unix) {
                (Some(modified), Some(now)) => Some(modified.min(now)),
                (modified, _) => modified,
            },
        }
    }

    /// The head of a whole file, or of a range of it.
    fn send_head(
        &self,
        ex: &mut Exchange<'_>,
        status: u16,
        found: &Found<'_>,
        len: u64,
        range: Option<&Range<u64>>,
    ) {
        ex.send_response(status);
        found.content_type.send(ex);
        ex.send_length(len);
        if let Some(range) = range {
            ex.send_header("Content-Range", ContentRange(range, found.meta.len));
        }
        if let Some(coding) = found.coding {
            ex.send_header("Content-Encoding", coding.name());
        }
        self.end_head(ex, found);
    }

    /// The head of several ranges of a file. They have their types and places themselves. CPython has no such reply, so
    /// `Content-Type` is written as everywhere else: some clients look for it in that spelling.
    fn send_head_of_parts(&self, ex: &mut Exchange<'_>, found: &Found<'_>, parts: &Parts) {
        let boundary = parts.boundary();
        ex.send_response(206);
        ex.send_header(
            "Content-Type",
            format_args!("multipart/byteranges; boundary={boundary}"),
        );
        ex.send_length(parts.content_length());
        self.end_head(ex, found);
    }

    fn end_head(&self, ex: &mut Exchange<'_>, found: &Found<'_>) {
        if let Stage::Archive(download) = self.stage {
            (download.send_name)(download, ex, found.path);
        }
        self.send_validators(ex, found);
        if !self.plain {
            ex.send_known("Accept-Ranges: ", b"bytes");
        }
        self.send_policy(ex);
        self.send_extra_headers(ex, &FILE);
        ex.end_headers();
    }

    /// What tells this state of a file from others.
    fn send_validators(&self, ex: &mut Exchange<'_>, found: &Found<'_>) {
        if let Some(modified) = found.modified {
            ex.send_known("Last-Modified: ", &date::format(modified));
        }
        if let Some(tag) = found.tag {
            ex.send_known("ETag: ", tag.as_bytes());
        }
        self.send_vary(ex, matches!(self.stage, Stage::Spa));
    }

    /// What the reply would be another one for (RFC 9110 §12.5.5). Whether something stands for
    /// what is missing depends on who asks.
    pub(super) fn send_vary(&self, ex: &mut Exchange<'_>, missing: bool) {
        if self.precompressed {
            ex.send_header("Vary", "Accept-Encoding");
        }
        if self.spa.is_some() && missing {
            ex.send_header("Vary", "Accept, Sec-Fetch-Mode");
        }
    }

    /// What may be done with the reply.
    fn send_policy(&self, ex: &mut Exchange<'_>) {
        if let Some(cache_control) = self.cache_control {
            ex.send_text("Cache-Control: ", cache_control);
        }
        self.send_cors(ex);
    }

    /// RFC 9110 §15.4.5: what a 200 would have said about caching, and nothing else.
    fn send_unchanged(&self, ex: &mut Exchange<'_>, found: &Found<'_>) -> Next {
        ex.send_response(304);
        self.send_validators(ex, found);
        self.send_policy(ex);
        self.send_guides(ex);
        ex.end_headers();
        Next::Done
    }

    /// The page for what is not there is no representation of it: it has no validators, and
    /// preconditions and ranges do not concern it.
    fn send_not_found_page(&self, ex: &mut Exchange<'_>, found: &Found<'_>) -> Next {
        let message = &"File not found";
        let status = 404;
        ex.record_failure(LogEvent::Error { status, message }, message);
        ex.send_response(404);
        found.content_type.send(ex);
        ex.send_length(found.meta.len);
        if let Some(coding) = found.coding {
            ex.send_header("Content-Encoding", coding.name());
        }
        self.send_vary(ex, true);
        self.send_cors(ex);
        ex.end_headers();
        ex.log_refusal(self.refused);
        Next::Send(0..found.meta.len)
    }

    /// The head of CPython's page, of so many bytes.
    pub(crate) fn start_listing(&self, ex: &mut Exchange<'_>, len: u64) {
        ex.send_response(200);
        ex.send_known("Content-type: ", b"text/html; charset=utf-8");
        ex.send_length(len);
        self.send_policy(ex);
        self.send_extra_headers(ex, &[]);
        ex.end_headers();
    }

    /// The head of a listing that has a tag, or why it is not sent. `security` is its
    /// `Content-Security-Policy`, `varies` whether its type is one of several that the peer might
    /// have had.
    pub(crate) fn start_page(
        &self,
        ex: &mut Exchange<'_>,
        (len, sum): (u64, u64),
        (content_type, security): (&str, Option<&str>),
        varies: bool,
    ) -> Option<Next> {
        let meta = Meta {
            len,
            modified: None,
            version: Some(FileVersion::new(sum)),
            executable: false,
        };
        let tag = ETag::new(meta, "");
        let verdict = judge(ex, tag.as_ref(), None);
        if verdict == Verdict::Failed {
            return Some(self.error(ex, 412, status::phrase(412)));
        }
        let unchanged = verdict == Verdict::Unchanged;
        ex.send_response(if unchanged { 304 } else { 200 });
        if !unchanged {
            ex.send_text("Content-type: ", content_type);
            ex.send_length(len);
        }
        if let Some(tag) = tag {
            ex.send_known("ETag: ", tag.as_bytes());
        }
        self.send_vary(ex, false);
        if varies {
            ex.send_known("Vary: ", b"Accept");
        }
        self.send_policy(ex);
        if unchanged {
            self.send_guides(ex);
        } else {
            let own = security.filter(|_| !self.is_extra(SECURITY));
            if let Some(own) = own {
                ex.send_header(SECURITY, own);
            }
            self.send_extra_headers(ex, &["ETag"]);
        }
        ex.end_headers();
        unchanged.then_some(Next::Done)
    }

    /// Whether the extra fields have one of that name.
    fn is_extra(&self, name: &str) -> bool {
        let mut extra = self.extra_headers.iter();
        extra.any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// Those of the extra fields that guide caches.
    fn send_guides(&self, ex: &mut Exchange<'_>) {
        for &(name, value) in self.extra_headers {
            let guides = ["Cache-Control", "Content-Location", "Expires", "Vary"];
            if is_among(name, &guides) && !self.has(name, &FILE) {
                ex.send_header(name, value);
            }
        }
    }

    /// Sends the extra fields, but not those that the reply has: these, and what every one has.
    fn send_extra_headers(&self, ex: &mut Exchange<'_>, has: &[&str]) {
        for &(name, value) in self.extra_headers {
            if !self.has(name, has) {
                ex.send_header(name, value);
            }
        }
    }

    fn has(&self, name: &str, has: &[&str]) -> bool {
        is_among(name, &["Server", "Date", "Content-type", "Content-Length"])
            || is_among(name, has)
            || self.cache_control.is_some() && name.eq_ignore_ascii_case("Cache-Control")
            || self.cors.is_some() && is_among(name, &CORS)
    }
}

/// Whether a media type is completed by [`Files::charset`]. Documents in HTML and XML name their own, and would not be
/// believed any more (HTML standard §13.2.3.2, RFC 7303 §3.2).
fn takes_charset(name: &str) -> bool {
    let names_its_own = ["text/html", "text/xml"];
    name.starts_with("text/") && !name.contains(';') && !is_among(name, &names_its_own)
}

/// The fields that a file's reply has or may have by itself. `Vary` may come again, as a list does.
const FILE: [&str; 5] = [
    "Last-Modified",
    "ETag",
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Range",
];

/// A field that the user's own may take the place of.
const SECURITY: &str = "Content-Security-Policy";

/// Which parts of a file are to be sent. RFC 9110 §14.2: of GET alone, and only after all
/// preconditions. Two `Range` fields are no list.
fn ranges(ex: &Exchange<'_>, found: &Found<'_>) -> Ranges {
    const RANGE: NameBloom = NameBloom::of(&["Range"]);
    if !ex.head.fields().may_have(RANGE) {
        return Ranges::All;
    }
    let mut fields = ex.get_all("Range");
    let (Some(value), None) = (fields.next(), fields.next()) else {
        return Ranges::All;
    };
    if ex.command() == "GET" && range_counts(ex, found.tag.as_ref(), found.modified) {
        range::parse(value, found.meta.len)
    } else {
        Ranges::All
    }
}
