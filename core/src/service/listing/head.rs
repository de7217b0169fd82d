//! Sends the heads of replies with a listing, and evaluates the preconditions for a listing that has a tag.

use super::policy::Policy;
use crate::engine::{Exchange, Next};
use crate::fs::{FileVersion, Meta};
use crate::service::condition::{Verdict, evaluate};
use crate::service::etag::ETag;
use crate::service::reply_fields::ReplyFields;
use crate::text::status;

/// The values for the head of a page.
pub(super) struct PageHead {
    pub(super) tag: Option<ETag>,
    pub(super) content_type: &'static str,
    /// The `Content-Encoding`.
    pub(super) coding: Option<&'static str>,
    /// The `Content-Security-Policy`.
    pub(super) security: Option<Policy>,
    /// Whether the listing is also available as another media type.
    pub(super) varies: bool,
}

/// Returns the metadata from which the tag of a page with this length and version is made.
pub(super) fn meta(len: u64, version: u64) -> Meta {
    Meta {
        len,
        modified: None,
        version: Some(FileVersion::new(version)),
        executable: false,
    }
}

impl PageHead {
    /// Sends the head, with the length that `content_len` returns, if it is known. Returns the next operation in place of
    /// the page, if the client has the page already or a precondition failed.
    pub(super) fn send(
        self,
        ex: &mut Exchange<'_>,
        fields: ReplyFields<'_>,
        content_len: &mut dyn FnMut() -> Option<u64>,
    ) -> Option<Next> {
        let verdict = evaluate(ex, self.tag.as_ref(), None);
        if verdict == Verdict::Failed {
            let message = &status::phrase(412);
            return Some(fields.send_error(ex, 412, message, &mut |_| ()));
        }
        let unchanged = verdict == Verdict::Unchanged;
        ex.send_response(if unchanged { 304 } else { 200 });
        if !unchanged {
            ex.send_text("Content-type: ", self.content_type);
            if let Some(len) = content_len() {
                ex.send_length(len);
            }
            if let Some(coding) = self.coding {
                ex.send_text("Content-Encoding: ", coding);
            }
        }
        if let Some(tag) = self.tag {
            ex.send_trusted("ETag: ", tag.as_bytes());
        }
        fields.send_vary(ex, false);
        if self.varies {
            ex.send_trusted("Vary: ", b"Accept");
        }
        fields.send_policy(ex);
        if unchanged {
            fields.send_guides(ex);
        } else {
            let own = self.security.filter(|_| !fields.is_extra(SECURITY));
            if let Some(own) = own {
                ex.send_header(SECURITY, own);
            }
            fields.send_extra(ex, &["ETag", "Content-Encoding"]);
        }
        ex.end_headers();
        unchanged.then_some(Next::Done)
    }
}

/// Sends the head of CPython's page.
pub(super) fn send_python(ex: &mut Exchange<'_>, len: u64, fields: ReplyFields<'_>) {
    ex.send_response(200);
    ex.send_trusted("Content-type: ", b"text/html; charset=utf-8");
    ex.send_length(len);
    fields.send_policy(ex);
    fields.send_extra(ex, &[]);
    ex.end_headers();
}

/// A field that an additional field of the same name replaces.
const SECURITY: &str = "Content-Security-Policy";
