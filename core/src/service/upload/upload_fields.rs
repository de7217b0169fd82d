//! The fields and targets of uploads that can be resumed (draft-ietf-httpbis-resumable-upload): parses those of requests,
//! and sends those of replies.

use alloc::format;
use core::fmt::{self, Display};
use core::time::Duration;

use crate::engine::log::LogEvent;
use crate::engine::{Exchange, Next, Protocol};
use crate::fs::{UploadState, UploadToken};
use crate::service::files::SelfReference;
use crate::wire::Version;

/// The version of the draft that is implemented: drafts 08 and later, until it is changed again.
const INTEROP_VERSION: u64 = 8;

/// The media type of a part of a file.
pub(super) const PARTIAL: &str = "application/partial-upload";

/// The fields of a request that creates an upload or appends to one.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadFields {
    /// `Upload-Complete`: whether the content of the request ends the file.
    pub(super) complete: bool,
    /// `Upload-Offset`.
    pub(super) offset: Option<u64>,
    /// The length of the content of the request, if it is known.
    pub(super) content: Option<u64>,
    /// `Upload-Length`.
    pub(super) length: Option<u64>,
}

impl UploadFields {
    /// Returns the fields of a request, or `None` if it has no valid `Upload-Complete`.
    pub(super) fn parse(ex: &Exchange<'_>) -> Option<UploadFields> {
        Some(UploadFields {
            complete: boolean(item(ex, "Upload-Complete")?)?,
            offset: item(ex, "Upload-Offset").and_then(integer),
            content: super::content_length(ex),
            length: item(ex, "Upload-Length").and_then(integer),
        })
    }

    /// Returns the length of the whole file, if the request says it. An `Err` means that it says two different ones.
    pub(super) fn len(&self) -> Result<Option<u64>, ()> {
        let end = |content| self.offset.unwrap_or(0).checked_add(content);
        let sum = self.content.filter(|_| self.complete).and_then(end);
        match (sum, self.length) {
            (Some(sum), Some(len)) if sum != len => Err(()),
            (sum, len) => Ok(sum.or(len)),
        }
    }
}

/// Returns whether the client understands 104 replies of this version of the draft.
pub(super) fn understands_interim(ex: &Exchange<'_>) -> bool {
    let is_http11 =
        ex.config.protocol == Protocol::Http11 && ex.request_version() == Version::Http11;
    is_http11 && speaks_draft(ex)
}

/// Returns whether the request is one of this version of the draft.
pub(super) fn speaks_draft(ex: &Exchange<'_>) -> bool {
    item(ex, "Upload-Draft-Interop-Version").and_then(integer) == Some(INTEROP_VERSION)
}

/// Returns the value of a field that must occur once, without parameters (RFC 9651 §3.3).
fn item<'a>(ex: &Exchange<'a>, name: &str) -> Option<&'a str> {
    let mut values = ex.get_all(name);
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    Some(value.split(';').next().unwrap_or_default().trim())
}

/// RFC 9651 §3.3.6.
fn boolean(value: &str) -> Option<bool> {
    match value {
        "?1" => Some(true),
        "?0" => Some(false),
        _ => None,
    }
}

/// RFC 9651 §3.3.1: at most 15 digits. Negative numbers have no meaning here.
fn integer(value: &str) -> Option<u64> {
    let is_valid = value.len() <= 15 && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| is_valid)
}

/// Returns the token in the target of an upload: `/directory/name?upload=0123456789abcdef0123456789abcdef`.
pub(super) fn token_in(target: &str) -> Option<UploadToken> {
    let start = target.len().checked_sub(QUERY.len() + DIGITS)?;
    let digits = target.get(start..)?.strip_prefix(QUERY)?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_token = digits.bytes().all(is_hex) && !target[..start].contains('?');
    is_token.then(|| UploadToken::from_str_radix(digits, 16).ok())?
}

/// Returns whether the query of a target has a parameter for the token of an upload.
pub(super) fn names_upload(target: &str) -> bool {
    let query = target.split_once('?').map(|(_, query)| query);
    let names = query.into_iter().flat_map(|query| query.split('&'));
    names
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .any(|name| name.eq_ignore_ascii_case("upload"))
}

const QUERY: &str = "?upload=";
const DIGITS: usize = 32;

/// Writes a reference from the target of a request to the upload that it has created.
struct Location<'a>(&'a str, UploadToken);

impl Display for Location<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{QUERY}{:032x}", SelfReference(self.0), self.1)
    }
}

/// Sends the interim reply that tells the client where it can resume its upload.
pub(super) fn send_created_interim(ex: &mut Exchange<'_>, state: &UploadState) {
    begin_interim(ex);
    send_location(ex, state);
    send_limit(ex, Some(state.lifetime));
    ex.end_headers();
}

/// Sends the interim reply that tells the client how much of its upload is stored.
pub(super) fn send_progress_interim(ex: &mut Exchange<'_>, offset: u64) {
    begin_interim(ex);
    ex.send_header("Upload-Offset", offset);
    ex.end_headers();
}

fn begin_interim(ex: &mut Exchange<'_>) {
    ex.send_response_only(104, "Upload Resumption Supported");
    ex.send_header("Upload-Draft-Interop-Version", INTEROP_VERSION);
}

pub(super) fn send_location(ex: &mut Exchange<'_>, state: &UploadState) {
    ex.send_header("Location", Location(ex.path(), state.token));
}

pub(super) fn send_complete(ex: &mut Exchange<'_>, is_complete: bool) {
    ex.send_header("Upload-Complete", if is_complete { "?1" } else { "?0" });
}

pub(super) fn send_offset(ex: &mut Exchange<'_>, offset: u64) {
    ex.send_header("Upload-Offset", offset);
}

/// Sends `Upload-Limit`: the largest file, and for how long the upload can be resumed, in seconds.
pub(super) fn send_limit(ex: &mut Exchange<'_>, lifetime: Option<Duration>) {
    let size = ex.config.limits.content.min(INTEGER_MAX);
    match lifetime.map(|lifetime| lifetime.as_secs()) {
        Some(age) => {
            ex.send_header(
                "Upload-Limit",
                format_args!("max-size={size}, max-age={age}"),
            );
        }
        None => ex.send_header("Upload-Limit", format_args!("max-size={size}")),
    }
}

/// The largest integer of a structured field (RFC 9651 §3.3.1).
const INTEGER_MAX: u64 = 999_999_999_999_999;

/// A reason for which part of an upload is refused, with a type that programs recognise (RFC 9457).
#[derive(Debug, Clone, Copy)]
pub(super) enum Problem {
    /// The offset of the request is not that of the upload.
    Offset {
        /// The offset of the upload.
        expected: u64,
        /// The offset of the request.
        provided: u64,
    },
    /// The request contradicts itself or an earlier one about the length of the file.
    Length,
    /// The upload is complete, so nothing can be appended.
    Complete,
}

impl Problem {
    /// Replies with the problem.
    pub(super) fn send(self, ex: &mut Exchange<'_>) -> Next {
        const TYPES: &str = "https://iana.org/assignments/http-problem-types#";
        let (status, title, content) = match self {
            Problem::Offset { expected, provided } => {
                let title = "offset from request does not match offset of resource";
                let members = format!(
                    r#""type":"{TYPES}mismatching-upload-offset","title":"{title}","expected-offset":{expected},"provided-offset":{provided}"#
                );
                (409, title, members)
            }
            Problem::Length => {
                let title = "inconsistent length values for upload";
                let members =
                    format!(r#""type":"{TYPES}inconsistent-upload-length","title":"{title}""#);
                (400, title, members)
            }
            Problem::Complete => {
                let title = "upload is already completed";
                let members = format!(r#""type":"{TYPES}completed-upload","title":"{title}""#);
                (409, title, members)
            }
        };
        let message = &title;
        ex.record_failure(LogEvent::Error { status, message }, message);
        ex.send_response(status);
        send_complete(ex, matches!(self, Problem::Complete));
        if let Problem::Offset { expected, .. } = self {
            send_offset(ex, expected);
        }
        ex.send_error_headers();
        ex.send_header("Content-Type", "application/problem+json");
        ex.send_header("Content-Length", content.len() + 2);
        ex.end_headers();
        ex.write(format!("{{{content}}}").as_bytes());
        Next::Done
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::{boolean, integer, token_in};

    #[test]
    fn values_are_those_of_structured_fields() {
        assert_eq!(boolean("?1"), Some(true));
        assert_eq!(boolean("?0"), Some(false));
        for value in ["", "1", "true", "?2", "? 1", "?1 ?0"] {
            assert_eq!(boolean(value), None, "{value}");
        }
        assert_eq!(integer("0"), Some(0));
        assert_eq!(integer("999999999999999"), Some(999_999_999_999_999));
        for value in ["", "-1", "+1", "1.0", "1000000000000000", "0x10", "٣"] {
            assert_eq!(integer(value), None, "{value}");
        }
    }

    #[test]
    fn the_token_of_an_upload_is_the_whole_query() {
        let token = "00000000000000000000000000000abc";
        assert_eq!(token_in(&format!("/a?upload={token}")), Some(0xabc));
        for target in [
            format!("/a?upload={}", &token[1..]),
            format!("/a?upload=0{token}"),
            format!("/a?x=1&upload={token}"),
            format!("/a?x?upload={token}"),
            format!("/a?upload={}", token.to_uppercase()),
            format!("/a?upload=+{}", &token[1..]),
            token.into(),
            "/a".into(),
        ] {
            assert_eq!(token_in(&target), None, "{target}");
        }
    }
}
