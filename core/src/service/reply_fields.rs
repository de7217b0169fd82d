//! [`ReplyFields`]: the fields that the settings of a file service add to its replies, and the errors that have them too.
//!
//! Files, listings and errors all send them, so they know nothing of what is served.

use alloc::borrow::Cow;
use core::fmt::Display;

use super::cors;
use crate::engine::{Exchange, Next};
use crate::text::status;
use crate::wire::syntax::is_among;

/// The settings of [`Files`](crate::Files) that decide on the fields of every reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyFields<'a> {
    /// The value of `Cache-Control`.
    pub(super) cache_control: Option<&'a str>,
    /// The origin of the pages that may use the replies.
    pub(super) cors: Option<&'a str>,
    /// The user's own fields.
    pub(super) extra: &'a [(Cow<'static, str>, Cow<'static, str>)],
    /// Whether a file is sent in a form that the client accepts.
    pub(super) negotiates_coding: bool,
    /// Whether a browser is sent another page in place of one that is missing.
    pub(super) replaces_missing: bool,
    /// Whether replies are those of CPython, whose errors close the connection.
    pub(super) plain: bool,
}

impl ReplyFields<'_> {
    /// Sends the names of the request fields on which the reply depends (RFC 9110 §12.5.5). `missing` says whether the target was
    /// not found: then it may depend on who asks whether another page is sent.
    pub(super) fn send_vary(&self, ex: &mut Exchange<'_>, missing: bool) {
        if self.negotiates_coding {
            ex.send_header("Vary", "Accept-Encoding");
        }
        if self.replaces_missing && missing {
            ex.send_header("Vary", "Accept, Sec-Fetch-Mode");
        }
    }

    /// Sends what may be done with the reply: by caches, and by pages of another origin.
    pub(super) fn send_policy(&self, ex: &mut Exchange<'_>) {
        if let Some(cache_control) = self.cache_control {
            ex.send_text("Cache-Control: ", cache_control);
        }
        self.send_cors(ex);
    }

    /// Lets pages of the other origin use the reply.
    pub(super) fn send_cors(&self, ex: &mut Exchange<'_>) {
        if let Some(origin) = self.cors {
            cors::send_fields(ex, origin);
        }
    }

    /// Sends those of the extra fields that a 304 has, since they guide caches (RFC 9110 §15.4.5).
    pub(super) fn send_guides(&self, ex: &mut Exchange<'_>) {
        for (name, value) in self.extra {
            let guides = ["Cache-Control", "Content-Location", "Expires", "Vary"];
            if is_among(name, &guides) && !self.has(name, &OF_A_FILE) {
                ex.send_header(name, value);
            }
        }
    }

    /// Sends the extra fields, except those that the reply has already: `sent`, and those of every reply.
    pub(super) fn send_extra(&self, ex: &mut Exchange<'_>, sent: &[&str]) {
        for (name, value) in self.extra {
            if !self.has(name, sent) {
                ex.send_header(name, value);
            }
        }
    }

    /// Returns whether one of the extra fields has that name.
    pub(super) fn is_extra(&self, name: &str) -> bool {
        let mut extra = self.extra.iter();
        extra.any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    fn has(&self, name: &str, sent: &[&str]) -> bool {
        is_among(name, &["Server", "Date", "Content-type", "Content-Length"])
            || is_among(name, sent)
            || self.cache_control.is_some() && name.eq_ignore_ascii_case("Cache-Control")
            || self.cors.is_some() && is_among(name, &cors::FIELDS)
    }

    /// Replies with an error page and the fields that `further` sends. Pages of the other origin may see it too. The connection stays
    /// open, unlike CPython's, since a missing file is no reason to make the client connect again; it closes at a 5xx, and if
    /// replies are CPython's.
    pub(super) fn send_error(
        &self,
        ex: &mut Exchange<'_>,
        status: u16,
        message: &dyn Display,
        further: &mut dyn FnMut(&mut Exchange<'_>),
    ) -> Next {
        let explanation = status::explanation(status);
        if status >= 500 || self.plain {
            ex.close_connection();
        }
        ex.error(status, message, explanation, &mut |ex| {
            further(ex);
            if matches!(ex.command(), "GET" | "HEAD") {
                self.send_vary(ex, status == 404);
            }
            self.send_cors(ex);
        })
    }
}

/// The fields that the reply with a file has or may have itself. `Vary` is not one of them, since it is a list and may occur again.
pub(super) const OF_A_FILE: [&str; 5] = [
    "Last-Modified",
    "ETag",
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Range",
];
