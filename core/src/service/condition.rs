//! Evaluates preconditions, in the order of RFC 9110 §13.2.2, and `If-Range`.
//!
//! They apply to representations that would be sent with 200 and have a tag: files, and our own listings. Redirects,
//! errors and CPython's listings ignore them (RFC 9110 §13.2.1).

use super::etag::{ETag, tags};
use crate::engine::Exchange;
use crate::fs::Meta;
use crate::text::date;
use crate::wire::NameBloom;

/// The result of the preconditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send the file.
    Send,
    /// The client has the file already: 304.
    Unchanged,
    /// The file is not the one that the client expects: 412.
    Failed,
}

/// Evaluates all preconditions but `If-Range`. `modified` is the time of the file itself, which was never sent if it is
/// in the future.
pub(super) fn evaluate(ex: &Exchange<'_>, tag: Option<&ETag>, modified: Option<i64>) -> Verdict {
    const CONDITIONS: NameBloom = NameBloom::of(&[
        "If-Match",
        "If-Unmodified-Since",
        "If-None-Match",
        "If-Modified-Since",
    ]);
    if !ex.head.fields().may_have(CONDITIONS) {
        return Verdict::Send;
    }
    if !is_expected(ex, tag, modified) {
        return Verdict::Failed;
    }
    // §13.1.2, §13.1.3.
    let is_known = match contains_tag(ex, "If-None-Match", tag, ETag::weak_eq) {
        Some(holds) => holds,
        None => is_unmodified(ex, modified),
    };
    if is_known {
        Verdict::Unchanged
    } else {
        Verdict::Send
    }
}

/// Evaluates `If-Modified-Since` alone, as CPython does, which ignores it if there is an `If-None-Match`.
pub(super) fn evaluate_date(ex: &Exchange<'_>, modified: Option<i64>) -> Verdict {
    if ex.header("If-None-Match").is_none() && is_unmodified(ex, modified) {
        Verdict::Unchanged
    } else {
        Verdict::Send
    }
}

/// Returns whether the file was not modified after the date in `If-Modified-Since`.
fn is_unmodified(ex: &Exchange<'_>, modified: Option<i64>) -> bool {
    let since = only_date(ex, "If-Modified-Since");
    modified
        .zip(since)
        .is_some_and(|(modified, since)| modified <= since)
}

/// Returns whether the existing file is the one that the client expects. §13.1.1, §13.1.4: the date counts only without
/// a tag.
fn is_expected(ex: &Exchange<'_>, tag: Option<&ETag>, modified: Option<i64>) -> bool {
    match contains_tag(ex, "If-Match", tag, ETag::strong_eq) {
        Some(holds) => holds,
        None => match (modified, only_date(ex, "If-Unmodified-Since")) {
            (Some(modified), Some(since)) => modified <= since,
            _ => true,
        },
    }
}

/// Returns whether the preconditions allow the client to store a file in place of this one, or of none. `*` matches any
/// existing file.
pub(crate) fn may_store(ex: &Exchange<'_>, existing: Option<Meta>) -> bool {
    match existing {
        Some(meta) => may_change(ex, meta, ""),
        None => ex.header("If-Match").is_none(),
    }
}

/// Returns whether the preconditions allow the client to change the file of which this is a representation, whose tag
/// has this suffix.
pub(crate) fn may_change(ex: &Exchange<'_>, meta: Meta, suffix: &str) -> bool {
    let tag = ETag::new(meta, suffix);
    let is_named = |tag: Option<ETag>| {
        contains_tag(ex, "If-None-Match", tag.as_ref(), ETag::weak_eq) == Some(true)
    };
    // The client may have it as it was compressed while it was sent.
    #[cfg(feature = "gzip")]
    if is_named(ETag::of_compressed(meta)) {
        return false;
    }
    is_expected(ex, tag.as_ref(), meta.date()) && !is_named(tag)
}

/// Returns whether a `Range` field applies (§13.1.5): if there is no `If-Range`, or if its validator is strong and
/// matches. `sent` is the date with which the file is sent.
pub(super) fn range_applies(ex: &Exchange<'_>, tag: Option<&ETag>, sent: Option<i64>) -> bool {
    let Some(value) = ex.header("If-Range") else {
        return true;
    };
    if ex.get_all("If-Range").count() > 1 {
        return false;
    }
    if value.contains('"') {
        return tag.is_some_and(|tag| tag.strong_eq(value));
    }
    // §8.8.2.2: a date in the current second is weak, as the file may still change within it.
    let is_past = |at: i64| ex.now().unix.is_some_and(|now| at < now);
    let validator = date::parse(value, ex.now().unix);
    sent.is_some_and(|at| is_past(at) && validator == Some(at))
}

/// Returns whether a request asks for a part of a representation, which must be known exactly, or whether its
/// `If-None-Match` contains this tag.
#[cfg(feature = "gzip")]
pub(super) fn names_plain(ex: &Exchange<'_>, tag: Option<&ETag>) -> bool {
    const NAMES: NameBloom = NameBloom::of(&["If-Match", "If-None-Match", "Range"]);
    let fields = ex.head.fields();
    fields.may_have(NAMES)
        && (ex.header("Range").is_some()
            || ex.header("If-Match").is_some()
            || ex
                .get_all("If-None-Match")
                .any(|list| tag.is_some_and(|tag| tags(list).any(|other| tag.weak_eq(other)))))
}

/// Returns whether the fields of this name contain `*` or a matching tag. Several fields form one list. `None` if there
/// are no such fields.
fn contains_tag(
    ex: &Exchange<'_>,
    name: &str,
    tag: Option<&ETag>,
    matches: fn(&ETag, &str) -> bool,
) -> Option<bool> {
    let mut fields = ex.get_all(name).peekable();
    fields.peek()?;
    // Most lists are one tag.
    let listed = |list: &str| {
        tag.is_some_and(|tag| matches(tag, list) || tags(list).any(|other| matches(tag, other)))
    };
    Some(fields.any(|list| list == "*" || listed(list)))
}

/// Returns the date in the only field of this name. If there are two, or if it is not a valid date, it is ignored (RFC
/// 9110 §13.1.3, §13.1.4).
fn only_date(ex: &Exchange<'_>, name: &str) -> Option<i64> {
    let mut fields = ex.get_all(name);
    match (fields.next(), fields.next()) {
        (Some(value), None) => date::parse(value, ex.now().unix),
        _ => None,
    }
}
