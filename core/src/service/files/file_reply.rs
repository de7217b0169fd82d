//! Replies with an open file: all of it, ranges of it, the result of a precondition, or the page for missing files.

use alloc::borrow::Cow;
use alloc::string::ToString;
use core::mem;
use core::ops::Range;

use super::byteranges::{ContentRange, Parts};
use super::content_type::ContentType;
use super::{Files, Stage};
use crate::engine::log::LogEvent;
use crate::engine::{Exchange, Next};
use crate::fs::{Meta, Path};
use crate::service::coding::{Coding, Codings};
use crate::service::condition::{Verdict, evaluate, evaluate_date, range_applies};
use crate::service::etag::ETag;
use crate::service::reply_fields::OF_A_FILE;
use crate::text::range::Ranges;
use crate::text::{range, status};
use crate::wire::NameBloom;

/// An open file, with the values of the reply's fields.
pub(super) struct Found<'a> {
    path: &'a Path,
    /// The name without the suffix of a compressed variant.
    name: &'a [u8],
    pub(super) meta: Meta,
    pub(super) content_type: ContentType<'a>,
    pub(super) coding: Option<Coding>,
    pub(super) tag: Option<ETag>,
    /// The value of `Last-Modified`, never later than `Date` (RFC 9110 §8.8.2.1).
    modified: Option<i64>,
}

impl Files {
    /// Replies with the open file.
    pub(super) fn send_file(&mut self, ex: &mut Exchange<'_>, path: &Path, meta: Meta) -> Next {
        let codings = mem::replace(&mut self.codings, Codings::NONE);
        #[cfg_attr(
            not(feature = "gzip"),
            expect(unused_mut, reason = "nothing is compressed")
        )]
        let mut found = self.found(ex, path, meta, codings.current);
        if let Stage::NotFound = self.stage {
            return self.send_not_found_page(ex, &found);
        }
        #[cfg(feature = "gzip")]
        if self.settings.compress_files
            && !self.settings.plain
            && let Some((next, file)) = self.try_compress(ex, &mut found, codings)
        {
            drop(found);
            self.stage = file.map_or(Stage::Target, Stage::Compressed);
            return next;
        }
        if found.coding.is_none() && !codings.identity {
            return self.error(ex, 406, status::phrase(406));
        }
        if self.settings.plain {
            return self.send_plain(ex, found);
        }
        match evaluate(ex, found.tag.as_ref(), meta.date()) {
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
                let content_type = found.content_type.to_string();
                let parts = Parts::new(ranges, meta, content_type, coding, ex.now());
                self.send_head_of_parts(ex, &found, &parts);
                drop(found);
                self.stage = Stage::Parts(parts.into());
                self.continue_reply(ex)
            }
            Ranges::None => self.error_with(ex, 416, status::phrase(416), &mut |ex| {
                ex.send_header("Content-Range", format_args!("bytes */{}", meta.len));
            }),
        }
    }

    /// Replies with the whole file, or that it is unchanged, as CPython does.
    fn send_plain(&self, ex: &mut Exchange<'_>, mut found: Found<'_>) -> Next {
        let Meta { len, modified, .. } = found.meta;
        (found.tag, found.modified) = (None, modified);
        if evaluate_date(ex, modified) == Verdict::Unchanged {
            ex.send_response(304);
            self.fields().send_policy(ex);
            ex.end_headers();
            return Next::Done;
        }
        self.send_head(ex, 200, &found, len, None);
        Next::Send(0..len)
    }

    fn found<'a>(
        &'a self,
        ex: &Exchange<'_>,
        path: &'a Path,
        meta: Meta,
        coding: Option<Coding>,
    ) -> Found<'a> {
        let suffix = coding.map_or("", Coding::suffix);
        let name = path.file_name();
        let name = name.strip_suffix(suffix.as_bytes()).unwrap_or(name);
        let settings = &*self.settings;
        let media_type = match self.stage {
            Stage::Archive(download) => Cow::Borrowed(download.media_type),
            _ => (settings.guess_type)(name).unwrap_or(Cow::Borrowed(&settings.default_type)),
        };
        Found {
            path,
            name,
            meta,
            content_type: ContentType::new(media_type, settings.charset.as_deref()),
            coding,
            tag: ETag::new(meta, coding.map_or("", Coding::tag_suffix)),
            modified: match (meta.date(), ex.now().unix) {
                (Some(modified), Some(now)) => Some(modified.min(now)),
                (modified, _) => modified,
            },
        }
    }

    /// Sends the head of a whole file, or of a range of it.
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

    /// Sends the head of several ranges of a file, whose types and positions are in the parts. As CPython has no such
    /// reply, `Content-Type` is in the usual spelling, which some clients require.
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
        self.send_disposition(ex, found);
        self.send_validators(ex, found);
        if !self.settings.plain {
            ex.send_trusted("Accept-Ranges: ", b"bytes");
        }
        let fields = self.fields();
        fields.send_policy(ex);
        fields.send_extra(ex, &OF_A_FILE);
        ex.end_headers();
    }

    /// Sends the name under which a client saves an archive, or a file if the settings say so. An additional field
    /// replaces that of a file.
    pub(super) fn send_disposition(&self, ex: &mut Exchange<'_>, found: &Found<'_>) {
        match (&self.stage, &self.settings.disposition) {
            (Stage::Archive(download), _) => (download.send_name)(download, ex, found.path),
            // Its name is not that of the target.
            (Stage::Spa, _) | (_, None) => {}
            (_, Some(send)) => {
                if !self.fields().is_extra("Content-Disposition") {
                    send(ex, found.name);
                }
            }
        }
    }

    /// Sends the validators.
    pub(super) fn send_validators(&self, ex: &mut Exchange<'_>, found: &Found<'_>) {
        if let Some(modified) = found.modified {
            let date = *ex.dates.modified.format(modified);
            ex.send_trusted("Last-Modified: ", &date);
        }
        if let Some(tag) = &found.tag {
            ex.send_trusted("ETag: ", tag.as_bytes());
        }
        let is_substitute = matches!(self.stage, Stage::Spa);
        self.fields().send_vary(ex, is_substitute);
    }

    /// Sends a 304, with the fields about caching that a 200 would have, and no others (RFC 9110 §15.4.5).
    pub(super) fn send_unchanged(&self, ex: &mut Exchange<'_>, found: &Found<'_>) -> Next {
        ex.send_response(304);
        self.send_validators(ex, found);
        let fields = self.fields();
        fields.send_policy(ex);
        fields.send_guides(ex);
        ex.end_headers();
        Next::Done
    }

    /// Sends the page for missing files with 404. As it is not a representation of the missing file, it has no
    /// validators, and preconditions and ranges do not apply to it.
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
        let fields = self.fields();
        fields.send_vary(ex, true);
        fields.send_cors(ex);
        ex.send_error_headers();
        ex.end_headers();
        ex.log_refusal(self.refused);
        Next::Send(0..found.meta.len)
    }
}

/// Returns the ranges to send. The field applies only to GET, and only after all preconditions (RFC 9110 §14.2). Two
/// `Range` fields do not form a list.
fn ranges(ex: &Exchange<'_>, found: &Found<'_>) -> Ranges {
    const RANGE: NameBloom = NameBloom::of(&["Range"]);
    if !ex.head.fields().may_have(RANGE) {
        return Ranges::All;
    }
    let mut fields = ex.get_all("Range");
    let (Some(value), None) = (fields.next(), fields.next()) else {
        return Ranges::All;
    };
    if ex.command() == "GET" && range_applies(ex, found.tag.as_ref(), found.modified) {
        range::parse(value, found.meta.len)
    } else {
        Ranges::All
    }
}
