//! What plain HTTP is answered at a port for HTTPS: where the same is to be had.

use core::fmt::{self, Write};

use crate::engine::{ErrorPage, Exchange, Next};

/// Sends the client to the same host and target over HTTPS: 308, which keeps method and content (RFC 9110 §15.4.9). A
/// request that names no host, or has no path, is a 400.
pub(crate) fn redirect(ex: &mut Exchange<'_>) -> Next {
    let (host, path) = (ex.head.authority(), ex.head.path());
    let Some(host) = host.filter(|_| path.starts_with('/')) else {
        return ex.send_error(400, NOTE);
    };
    ex.log_message(format_args!("{NOTE}: the client is sent to https"));
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

/// Writes the page of an error in plain text, for a client that may not be a browser.
pub(crate) fn error_page(page: &ErrorPage<'_>, out: &mut dyn Write) -> fmt::Result {
    let ErrorPage {
        status, message, ..
    } = page;
    write!(out, "{status}: {message}\n{TEXT}")
}

/// The media type of both texts.
pub(crate) const TYPE: &str = "text/plain;charset=utf-8";

const NOTE: &str = "Plain HTTP on an HTTPS port";
const TEXT: &str = "This port speaks HTTPS: use https:// in place of http://.\n";
