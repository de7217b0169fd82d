//! Whether a request comes from the page of another site.
//!
//! A browser lets any page send a form anywhere, with all that lets its user in: the network that he is
//! in, a password that a proxy asked for. So whoever visits a bad page would store what that has made up
//! (cross-site request forgery). Browsers say whose page it is, and no page can change that.

use crate::engine::Exchange;
use crate::service::hosts::is_loopback;

/// Whether it does, as far as a browser says so. Whoever is none says nothing, and is welcome.
pub(super) fn is_foreign(ex: &Exchange<'_>) -> bool {
    // Fetch Metadata: said where the page came over a connection that can be trusted.
    let mut sites = ex.get_all("Sec-Fetch-Site").peekable();
    if sites.peek().is_some() {
        return !sites.all(|site| matches!(site, "same-origin" | "none"));
    }
    // RFC 6454 §7: said with every POST and PUT.
    !ex.get_all("Origin").all(|origin| is_here(ex, origin))
}

/// Whether an origin is the host and port of the request. The usual port of its scheme is the same as none. The
/// schemes are not compared: a proxy that speaks TLS may pass requests on without, with the `Host` that it got.
fn is_here(ex: &Exchange<'_>, origin: &str) -> bool {
    match origin.split_once("://") {
        Some(("http", host)) => ex.head.is_for(host, 80),
        Some(("https", host)) => ex.head.is_for(host, 443),
        _ => false,
    }
}

/// Whether a browser hides whose page it is. It does so for the frames of a sandbox, which any site may have, and for the
/// forms of pages whose `Referrer-Policy` is `no-referrer` (Fetch §3.2.1), so nobody can be let in by that.
pub(super) fn is_hidden(ex: &Exchange<'_>) -> bool {
    ex.header("Sec-Fetch-Site").is_none() && ex.get_all("Origin").all(|origin| origin == "null")
}

/// Whether a request is for this machine itself. Every browser says for which host it is.
pub(super) fn is_for_loopback(ex: &Exchange<'_>) -> bool {
    ex.head.host().is_none_or(is_loopback)
}
