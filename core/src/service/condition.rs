//! Preconditions: whether the peer wants what it asks for, in the order of RFC 9110 §13.2.2.
//!
//! They concern what would be sent with 200 and has a tag: files, and listings of ours. On redirects,
//! errors and CPython's listings they are not looked at (RFC 9110 §13.2.1).

use super::etag::{ETag, tags};
use crate::engine::Exchange;
use crate::fs::Meta;
use crate::text::date;
use crate::wire::NameBloom;

/// What the preconditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The file is to be sent.
    Send,
    /// The peer has it already: 304.
    Unchanged,
    /// It is not the one that the peer means: 412.
    Failed,
}

/// Judges all but `If-Range`. `modified` is the time of the file itself, which may be one that was
/// never sent to anybody because it lies in the future.
pub(super) fn judge(ex: &Exchange<'_>, tag: Option<&ETag>, modified: Option<i64>) -> Verdict {
    const CONDITIONS: NameBloom = NameBloom::of(&[
        "If-Match",
        "If-Unmodified-Since",
        "If-None-Match",
        "If-Modified-Since",
    ]);
    if !ex.head.fields().may_have(CONDITIONS) {
        return Verdict::Send;
    }
    if !is_meant(ex, tag, modified) {
        return Verdict::Failed;
    }
    // §13.1.2, §13.1.3.
    let is_known = match holds(ex, "If-None-Match", tag, ETag::resembles) {
        Some(holds) => holds,
        None => is_unmodified(ex, modified),
    };
    if is_known {
        Verdict::Unchanged
    } else {
        Verdict::Send
    }
}

/// Judges `If-Modified-Since` alone, as CPython does, which ignores it beside any `If-None-Match`.
pub(super) fn judge_date(ex: &Exchange<'_>, modified: Option<i64>) -> Verdict {
    if ex.header("If-None-Match").is_none() && is_unmodified(ex, modified) {
        Verdict::Unchanged
    } else {
        Verdict::Send
    }
}

/// Whether the file was not modified after the date in `If-Modified-Since`.
fn is_unmodified(ex: &Exchange<'_>, modified: Option<i64>) -> bool {
    let since = only_date(ex, "If-Modified-Since");
    modified
        .zip(since)
        .is_some_and(|(modified, since)| modified <= since)
}

/// Whether the file that is there is the one that the peer means. §13.1.1, §13.1.4: the date counts only
/// where no tag is asked for.
fn is_meant(ex: &Exchange<'_>, tag: Option<&ETag>, modified: Option<i64>) -> bool {
    match holds(ex, "If-Match", tag, ETag::is) {
        Some(holds) => holds,
        None => match (modified, only_date(ex, "If-Unmodified-Since")) {
            (Some(modified), Some(since)) => modified <= since,
            _ => true,
        },
    }
}

/// Whether the peer wants something stored, where this file is or none. `*` is any file, and none that
/// is not there.
pub(crate) fn may_be_stored(ex: &Exchange<'_>, there: Option<Meta>) -> bool {
    let Some(meta) = there else {
        return ex.header("If-Match").is_none();
    };
    let tag = ETag::new(meta, "");
    is_meant(ex, tag.as_ref(), meta.date())
        && holds(ex, "If-None-Match", tag.as_ref(), ETag::resembles) != Some(true)
}

/// Whether a `Range` field counts (§13.1.5): there is no `If-Range`, or what it names is strong and
/// what there is. `sent` is the date that the file is sent with.
pub(super) fn range_counts(ex: &Exchange<'_>, tag: Option<&ETag>, sent: Option<i64>) -> bool {
    let Some(value) = ex.header("If-Range") else {
        return true;
    };
    if ex.get_all("If-Range").count() > 1 {
        return false;
    }
    if value.contains('"') {
        return tag.is_some_and(|tag| tag.is(value));
    }
    // §8.8.2.2: of a date in this very second nobody knows what else may still happen in it.
    let over = |at: i64| ex.now().unix.is_some_and(|now| at < now);
    let asked = date::parse(value, ex.now().unix);
    sent.is_some_and(|at| over(at) && asked == Some(at))
}

/// Whether the fields of this name, if there are any, hold `*` or a tag like this one. Several are
/// one list.
fn holds(
    ex: &Exchange<'_>,
    name: &str,
    tag: Option<&ETag>,
    alike: fn(&ETag, &str) -> bool,
) -> Option<bool> {
    let mut fields = ex.get_all(name).peekable();
    fields.peek()?;
    let listed = |list: &str| tag.is_some_and(|tag| tags(list).any(|other| alike(tag, other)));
    Some(fields.any(|list| list == "*" || listed(list)))
}

/// The date in the only field of this name. Two fields, or one that is not a valid date, are ignored
/// (RFC 9110 §13.1.3, §13.1.4).
fn only_date(ex: &Exchange<'_>, name: &str) -> Option<i64> {
    let mut fields = ex.get_all(name);
    match (fields.next(), fields.next()) {
        (Some(value), None) => date::parse(value, ex.now().unix),
        _ => None,
    }
}
