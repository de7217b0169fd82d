//! Requests that are not for a file: other methods, and what a browser asks before it lets the page
//! of another site have something (Fetch standard, §3.2).

use core::fmt::{self, Display};

use super::Files;
use crate::engine::log::Refusal;
use crate::engine::{Exchange, Next};
use crate::text::escape::Repr;
use crate::text::status;

/// What files can be asked for.
pub(super) const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Says whose pages may have the reply.
pub(crate) const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// The fields of replies that pages of other origins may have.
pub(super) const CORS: [&str; 2] = [ALLOW_ORIGIN, "Access-Control-Expose-Headers"];

impl Files {
    /// Answers a method that is not for files: OPTIONS (RFC 9110 §9.3.7), one that is registered and not allowed
    /// (§15.5.6), or one that is not registered (§15.6.2). `allow` is what is allowed.
    pub(crate) fn answer_method(&self, ex: &mut Exchange<'_>, allow: &str) -> Next {
        match ex.command() {
            "OPTIONS" => {
                ex.send_response(200);
                ex.send_header("Allow", allow);
                ex.send_header("Content-Length", 0);
                self.send_cors(ex);
                self.send_preflight(ex, allow);
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

    /// Replies that no such method is known here.
    pub(super) fn unsupported(&self, ex: &mut Exchange<'_>) -> Next {
        self.error(ex, 501, Unsupported(ex.command()))
    }

    /// Lets pages of the other origin have the reply.
    pub(super) fn send_cors(&self, ex: &mut Exchange<'_>) {
        if let Some(origin) = self.cors {
            let [allow, expose] = CORS;
            ex.send_header(allow, origin);
            ex.send_header(expose, EXPOSED);
        }
    }

    /// Lets them ask, if that is what was asked.
    fn send_preflight(&self, ex: &mut Exchange<'_>, allow: &str) {
        if self.cors.is_some() && is_preflight(ex) {
            ex.send_header("Access-Control-Allow-Methods", allow);
            ex.send_header("Access-Control-Allow-Headers", "*, Authorization, Range");
            ex.send_header("Access-Control-Max-Age", 86_400);
        }
    }

    /// Replies with an error page. Pages of the other origin may see that one, too. The connection
    /// stays, unlike CPython's: what is not there is no reason to make the peer come again. If we are
    /// at fault it closes, and if [`Files::plain`] is set.
    pub(crate) fn error(&self, ex: &mut Exchange<'_>, status: u16, message: impl Display) -> Next {
        self.error_with(ex, status, message, &mut |_| ())
    }

    /// The same, and the log says by which rule the request is refused, if that is by one.
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

    /// The same with further fields.
    pub(crate) fn error_with(
        &self,
        ex: &mut Exchange<'_>,
        status: u16,
        message: impl Display,
        more: &mut dyn FnMut(&mut Exchange<'_>),
    ) -> Next {
        let explanation = status::explanation(status);
        if status >= 500 || self.plain {
            ex.close_connection();
        }
        ex.error(status, &message, explanation, &mut |ex| {
            more(ex);
            if matches!(ex.command(), "GET" | "HEAD") {
                self.send_vary(ex, status == 404);
            }
            self.send_cors(ex);
        })
    }
}

/// Whether a browser asks if a page may send a request, rather than sending it.
pub(crate) fn is_preflight(ex: &Exchange<'_>) -> bool {
    ex.command() == "OPTIONS" && ex.header("Access-Control-Request-Method").is_some()
}

/// Whether a person goes to a page, as far as the request tells. A script that asks for data, or a
/// page for its pictures, is better told that there is nothing.
pub(super) fn is_navigation(ex: &Exchange<'_>) -> bool {
    // Browsers say it, but not on every connection.
    if let Some(mode) = ex.header("Sec-Fetch-Mode") {
        return mode.eq_ignore_ascii_case("navigate");
    }
    let mut accepts = ex.get_all("Accept").peekable();
    let path = ex.path().split(['?', '#']).next().unwrap_or_default();
    let is_page = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let anything = accepts.peek().is_none();
    let mut all = accepts.flat_map(|list| list.split([',', ';']).map(str::trim));
    anything && is_page
        || all.any(|kind| kind.eq_ignore_ascii_case("text/html") || kind == "*/*" && is_page)
}

/// `Unsupported method ('BREW')`.
struct Unsupported<'a>(&'a str);

impl Display for Unsupported<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Unsupported method ({})", Repr(self.0))
    }
}

/// The methods of IANA's registry, but for `PRI`, which begins another protocol. A client that gets 501 for one of
/// these would take it for a server that cannot be understood, and try again.
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

/// What pages may see of a reply, beside what they always may.
const EXPOSED: &str = "Accept-Ranges, Content-Encoding, Content-Range, ETag";
