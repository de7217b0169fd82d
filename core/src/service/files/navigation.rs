//! Recognises navigation requests: those for a page that a user visits.

use crate::engine::Exchange;

/// Returns whether the request is a navigation, as far as its fields tell. Scripts that fetch data, and pages that load
/// images, are better served with an error than with a page.
pub(super) fn is_navigation(ex: &Exchange<'_>) -> bool {
    // Browsers send these fields, but only on secure connections.
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
