//! Replies to plain HTTP requests on an HTTPS port: a redirect to HTTPS, and error pages in plain text.

use core::fmt::{self, Write};

use crate::engine::{ErrorPage, Exchange, Next};

/// Redirects to the same host and target over HTTPS with 308, which preserves method and content (RFC 9110 §15.4.9).
/// Replies 400 if the request names no host or has no path.
pub(crate) fn redirect(ex: &mut Exchange<'_>) -> Next {
    let (host, path) = (ex.head.authority(), ex.head.path());
    let Some(host) = host.filter(|_| path.starts_with('/')) else {
        return ex.send_error(400, NOTE);
    };
    ex.log_message(format_args!("{NOTE}: redirected to https"));
    ex.close_connection();
    ex.send_response(308);
    ex.send_header("Location", format_args!("https://{host}{path}"));
    ex.send_header("Connection", "close");
    ex.send_header("Content-Type", TYPE);
    ex.send_header("Content-Length", TEXT.len());
    ex.end_headers();
    if ex.command() != "HEAD" {
        ex.write(TEXT.as_bytes());
    }
    Next::Done
}

/// Writes an error page in plain text, since the client may not be a browser.
pub(crate) fn error_page(page: &ErrorPage<'_>, out: &mut dyn Write) -> fmt::Result {
    let ErrorPage {
        status, message, ..
    } = page;
    write!(out, "{status}: {message}\n{TEXT}")
}

/// The media type of the redirect's text and of the error page.
pub(crate) const TYPE: &str = "text/plain;charset=utf-8";

const NOTE: &str = "Plain HTTP on an HTTPS port";
const TEXT: &str = "This port speaks HTTPS: use https:// in place of http://.\n";
