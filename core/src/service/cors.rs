//! Cross-origin requests (CORS): what a browser asks before it lets a page of another origin use a reply (Fetch standard, §3.2).

use crate::engine::Exchange;

/// Names the origin whose pages may use the reply.
pub(crate) const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// The fields of replies that pages of other origins may use.
pub(super) const FIELDS: [&str; 2] = [ALLOW_ORIGIN, "Access-Control-Expose-Headers"];

/// Lets pages of an origin use the reply.
pub(super) fn send_fields(ex: &mut Exchange<'_>, origin: &str) {
    let [allow, expose] = FIELDS;
    ex.send_header(allow, origin);
    ex.send_header(expose, EXPOSED);
}

/// Lets pages send requests with these methods.
pub(super) fn send_preflight_fields(ex: &mut Exchange<'_>, methods: &str) {
    ex.send_header("Access-Control-Allow-Methods", methods);
    ex.send_header("Access-Control-Allow-Headers", "*, Authorization, Range");
    ex.send_header("Access-Control-Max-Age", 86_400);
}

/// Returns whether a browser asks if a page may send a request, rather than sending it.
pub(super) fn is_preflight(ex: &Exchange<'_>) -> bool {
    ex.command() == "OPTIONS" && ex.header("Access-Control-Request-Method").is_some()
}

/// The fields that pages may see, in addition to those that the standard names.
const EXPOSED: &str = "Accept-Ranges, Content-Encoding, Content-Range, ETag";
