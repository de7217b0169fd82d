//! Recognises requests from pages of other sites, and requests for names other than those of this machine.
//!
//! A browser lets any page send forms to any server, with the user's network access and credentials. So a malicious
//! page could upload files through any visitor's browser (cross-site request forgery). Browsers send the origin of the
//! page, which no page can change.

use crate::engine::Exchange;
use crate::service::hosts::is_loopback;

/// Returns whether the request comes from a page of another site, according to the browser. Clients that are not
/// browsers send no such fields, and are allowed.
pub(super) fn is_cross_site(ex: &Exchange<'_>) -> bool {
    // Fetch Metadata: sent if the URL of the request is trustworthy: HTTPS, or this machine.
    let mut sites = ex.get_all("Sec-Fetch-Site").peekable();
    if sites.peek().is_some() {
        return !sites.all(|site| matches!(site, "same-origin" | "none"));
    }
    // Fetch, "Origin header": sent with every method other than GET and HEAD.
    !ex.get_all("Origin").all(|origin| is_same_host(ex, origin))
}

/// Returns whether an origin has the host and port of the request. A missing port is the default port of the scheme.
/// Schemes are not compared: a proxy that terminates TLS may forward requests with their original `Host`.
fn is_same_host(ex: &Exchange<'_>, origin: &str) -> bool {
    match origin.split_once("://") {
        Some(("http", host)) => ex.head.is_for(host, 80),
        Some(("https", host)) => ex.head.is_for(host, 443),
        _ => false,
    }
}

/// Returns whether the browser hides the origin. It does so for sandboxed frames, which any site may have, and for
/// forms of pages whose `Referrer-Policy` is `no-referrer` (Fetch §3.2.1), so a hidden origin is not trusted.
pub(super) fn is_opaque(ex: &Exchange<'_>) -> bool {
    ex.header("Sec-Fetch-Site").is_none() && ex.get_all("Origin").all(|origin| origin == "null")
}

/// Returns whether a request is for a name of this machine, according to its host, which every browser sends.
pub(super) fn is_for_loopback(ex: &Exchange<'_>) -> bool {
    ex.head.host().is_none_or(is_loopback)
}
