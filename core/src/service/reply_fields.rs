//! [`ReplyFields`]: sends the fields that the settings of a file service add to its replies, and error replies with
//! these fields.
//!
//! Used by files, listings and errors, so it does not depend on what is served.

use alloc::borrow::Cow;
use core::fmt::Display;

use super::cors;
use crate::engine::{Exchange, Next};
use crate::text::status;
use crate::wire::syntax::is_among;

/// The settings of [`Files`](crate::Files) that determine fields of every reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyFields<'a> {
    /// The value of `Cache-Control`.
    pub(super) cache_control: Option<&'a str>,
    /// The origin of the pages that may use the replies.
    pub(super) cors: Option<&'a str>,
    /// The additional fields.
    pub(super) extra: &'a [(Cow<'static, str>, Cow<'static, str>)],
    /// Whether a file may be sent in a compressed variant.
    pub(super) negotiates_coding: bool,
    /// Whether a missing page may be replaced by the single-page application.
    pub(super) replaces_missing: bool,
    /// Whether replies are the same as CPython's, whose errors close the connection.
    pub(super) plain: bool,
}

impl ReplyFields<'_> {
    /// Sends `Vary`, with the request fields on which the reply depends (RFC 9110 §12.5.5). `missing` means that the
    /// target was not found, so that the reply may depend on whether the client is a browser that navigates.
    pub(super) fn send_vary(&self, ex: &mut Exchange<'_>, missing: bool) {
        if self.negotiates_coding {
            ex.send_header("Vary", "Accept-Encoding");
        }
        if self.replaces_missing && missing {
            ex.send_header("Vary", "Accept, Sec-Fetch-Mode");
        }
    }

    /// Sends the fields for caches and for pages of other origins.
    pub(super) fn send_policy(&self, ex: &mut Exchange<'_>) {
        if let Some(cache_control) = self.cache_control {
            ex.send_text("Cache-Control: ", cache_control);
        }
        self.send_cors(ex);
    }

    /// Allows pages of the configured origin to use the reply.
    pub(super) fn send_cors(&self, ex: &mut Exchange<'_>) {
        if let Some(origin) = self.cors {
            cors::send_fields(ex, origin);
        }
    }

    /// Sends the additional fields that guide caches, for a 304 (RFC 9110 §15.4.5).
    pub(super) fn send_guides(&self, ex: &mut Exchange<'_>) {
        for (name, value) in self.extra {
            let guides = ["Cache-Control", "Content-Location", "Expires", "Vary"];
            if is_among(name, &guides) && !self.has(name, &OF_A_FILE) {
                ex.send_header(name, value);
            }
        }
    }

    /// Sends the additional fields, except those that the reply has already: `sent`, and those of every reply.
    pub(super) fn send_extra(&self, ex: &mut Exchange<'_>, sent: &[&str]) {
        for (name, value) in self.extra {
            if !self.has(name, sent) {
                ex.send_header(name, value);
            }
        }
    }

    /// Returns whether one of the additional fields has that name.
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

    /// Replies with an error page and the fields that `further` sends. Pages of the configured origin may read it, too.
    /// The connection stays open, unlike CPython's, since a missing file is no reason to make the client reconnect; it
    /// closes after a 5xx, and if replies are the same as CPython's.
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

/// The fields that the reply with a file sends itself. `Vary` is not among them, since it is a list and may be sent
/// twice.
pub(super) const OF_A_FILE: [&str; 5] = [
    "Last-Modified",
    "ETag",
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Range",
];
