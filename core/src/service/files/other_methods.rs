//! Replies to methods other than GET and HEAD, and error replies of the file service.

use core::fmt::{self, Display};

use super::Files;
use crate::engine::log::Refusal;
use crate::engine::{Exchange, Next};
use crate::service::cors::{self, is_preflight};
use crate::text::escape::Repr;
use crate::text::status;

/// The methods for files.
pub(super) const ALLOW: &str = "GET, HEAD, OPTIONS";

impl Files {
    /// Replies to a method that is not for files: OPTIONS (RFC 9110 §9.3.7), a registered method that is not allowed
    /// (§15.5.6), or one that is not registered (§15.6.2). `allow` is the list of allowed methods.
    pub(crate) fn answer_method(&self, ex: &mut Exchange<'_>, allow: &str) -> Next {
        self.answer_method_with(ex, allow, &mut |_| ())
    }

    /// As [`answer_method`](Self::answer_method), with further fields in reply to OPTIONS.
    pub(crate) fn answer_method_with(
        &self,
        ex: &mut Exchange<'_>,
        allow: &str,
        further: &mut dyn FnMut(&mut Exchange<'_>),
    ) -> Next {
        match ex.command() {
            "OPTIONS" => {
                ex.send_response(200);
                ex.send_header("Allow", allow);
                ex.send_header("Content-Length", 0);
                further(ex);
                self.fields().send_cors(ex);
                if self.settings.cors.is_some() && is_preflight(ex) {
                    cors::send_preflight_fields(ex, allow);
                }
                ex.end_headers();
                Next::Done
            }
            command if KNOWN.contains(&command) => {
                self.error_with(ex, 405, status::phrase(405), &mut |ex| {
                    ex.send_header("Allow", allow);
                })
            }
            _ => self.unsupported(ex),
        }
    }

    /// Replies that the method is not supported.
    pub(super) fn unsupported(&self, ex: &mut Exchange<'_>) -> Next {
        self.error(ex, 501, Unsupported(ex.command()))
    }

    /// Replies with an error page that has the fields that the settings add ([`ReplyFields::send_error`]).
    ///
    /// [`ReplyFields::send_error`]: crate::service::reply_fields::ReplyFields::send_error
    pub(crate) fn error(&self, ex: &mut Exchange<'_>, status: u16, message: impl Display) -> Next {
        self.error_with(ex, status, message, &mut |_| ())
    }

    /// As [`error`](Self::error), and logs the undisclosed reason for which the request is refused, if there is one.
    pub(crate) fn refuse(
        &self,
        ex: &mut Exchange<'_>,
        status: u16,
        message: impl Display,
        rule: Option<Refusal>,
    ) -> Next {
        let next = self.error(ex, status, message);
        ex.log_refusal(rule);
        next
    }

    /// As [`error`](Self::error), with further fields.
    pub(crate) fn error_with(
        &self,
        ex: &mut Exchange<'_>,
        status: u16,
        message: impl Display,
        further: &mut dyn FnMut(&mut Exchange<'_>),
    ) -> Next {
        self.fields().send_error(ex, status, &message, further)
    }
}

/// Formats a message such as `Unsupported method ('BREW')`.
struct Unsupported<'a>(&'a str);

impl Display for Unsupported<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Unsupported method ({})", Repr(self.0))
    }
}

/// The methods of IANA's registry, except `PRI`, which begins another protocol. A client that gets 501 for one of these
/// may assume a malfunction, and try again.
const KNOWN: [&str; 38] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];
