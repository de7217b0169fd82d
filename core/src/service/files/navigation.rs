//! Whether a request is for a page that a person goes to.

use crate::engine::Exchange;

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
