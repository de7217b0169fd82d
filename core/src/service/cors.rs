//! Sends the fields of cross-origin resource sharing (CORS; Fetch standard, §3.2): those that let pages of another
//! origin use a reply, and those that answer a preflight. Also recognises preflights.

use crate::engine::Exchange;

/// The field that names the origin whose pages may use the reply.
pub(crate) const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// The fields of replies that pages of other origins may use.
pub(super) const FIELDS: [&str; 2] = [ALLOW_ORIGIN, "Access-Control-Expose-Headers"];

/// Allows pages of an origin to use the reply.
pub(super) fn send_fields(ex: &mut Exchange<'_>, origin: &str) {
    let [allow, expose] = FIELDS;
    ex.send_header(allow, origin);
    ex.send_header(expose, EXPOSED);
}

/// Allows pages to send requests with these methods.
pub(super) fn send_preflight_fields(ex: &mut Exchange<'_>, methods: &str) {
    ex.send_header("Access-Control-Allow-Methods", methods);
    ex.send_header("Access-Control-Allow-Headers", "*, Authorization, Range");
    ex.send_header("Access-Control-Max-Age", 86_400);
}

/// Returns whether the request is a preflight: a browser asks whether a page may send a request.
pub(super) fn is_preflight(ex: &Exchange<'_>) -> bool {
    ex.command() == "OPTIONS" && ex.header("Access-Control-Request-Method").is_some()
}

/// The response fields that pages may read, in addition to those that the standard names.
const EXPOSED: &str = "Accept-Ranges, Content-Encoding, Content-Range, ETag";
