//! Whether a request comes from the page of another site.
//!
//! A browser lets any page send a form anywhere, with all that lets its user in: the network that he is
//! in, a password that a proxy asked for. So whoever visits a bad page would store what that has made up
//! (cross-site request forgery). Browsers say whose page it is, and no page can change that.

use crate::Exchange;
use crate::hosts::is_loopback;

/// Whether it does, as far as a browser says so. Whoever is none says nothing, and is welcome.
pub(super) fn is_foreign(ex: &Exchange<'_>) -> bool {
    // Fetch Metadata: said where the page came over a connection that can be trusted.
    let mut sites = ex.get_all("Sec-Fetch-Site").peekable();
    if sites.peek().is_some() {
        return !sites.all(|site| matches!(site, "same-origin" | "none"));
    }
    // RFC 6454 §7: said with every POST and PUT. The scheme is for whoever speaks TLS to know.
    let host = ex.head.authority().unwrap_or("");
    let is_here = |origin: &str| {
        let (_, from) = origin.split_once("://").unwrap_or_default();
        !from.is_empty() && from.eq_ignore_ascii_case(host)
    };
    !ex.get_all("Origin").all(is_here)
}

/// Whether a request is for this machine itself. Every browser says for which host it is.
pub(super) fn is_for_loopback(ex: &Exchange<'_>) -> bool {
    ex.head.host().is_none_or(is_loopback)
}
