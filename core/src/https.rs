//! What plain HTTP is answered at a port for HTTPS: where the same is to be had.

use core::fmt::{self, Display, Write};

use crate::{ErrorPage, Exchange, Next};

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
    ex.send_header("Location", format_args!("https://{host}{}", Encoded(path)));
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

/// A path whose bytes above 0x7E, which may come bare, are written in hex.
struct Encoded<'a>(&'a str);

impl Display for Encoded<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '!'..='~' => out.write_char(char),
            char => write!(out, "%{:02X}", char as u32),
        })
    }
}

/// The media type of both texts.
pub(crate) const TYPE: &str = "text/plain;charset=utf-8";

const NOTE: &str = "Plain HTTP on an HTTPS port";
const TEXT: &str = "This port speaks HTTPS: use https:// in place of http://.\n";
