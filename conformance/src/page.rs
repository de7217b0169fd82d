//! The error reply, written down once: what the `error` line of a case stands for.
//!
//! This is CPython's page as it was recorded, and shares no code with the engine that is judged by
//! it.

use crate::text::Token;

/// The whole reply for an error in answer to anything but HEAD, in that protocol. Behind the message
/// there may be further fields, each in a line of its own.
///
/// # Panics
/// If the status has no explanation here yet.
pub(crate) fn error(protocol: &str, status: &str, message: &str) -> Vec<Token> {
    let (mut reply, page) = parts(protocol, status, message, CLOSE);
    reply.extend(page.bytes().map(Some));
    reply
}

/// The same in answer to HEAD.
pub(crate) fn error_head(protocol: &str, status: &str, message: &str) -> Vec<Token> {
    parts(protocol, status, message, CLOSE).0
}

/// The reply of HTTP/1.1 for an error that leaves the connection as it is.
pub(crate) fn stays(head: bool, status: &str, message: &str) -> Vec<Token> {
    let (mut reply, page) = parts("HTTP/1.1", status, message, "");
    if !head {
        reply.extend(page.bytes().map(Some));
    }
    reply
}

const CLOSE: &str = "Connection: close\r\n";

/// The head of the reply, and its content.
fn parts(protocol: &str, status: &str, message: &str, close: &str) -> (Vec<Token>, String) {
    let (message, fields) = message.split_once('\n').unwrap_or((message, ""));
    let shown = message
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let explanation = explanation(status, message);
    let page = format!(
        "<!DOCTYPE HTML>
<html lang=\"en\">
    <head>
        <meta charset=\"utf-8\">
        <title>Error response</title>
    </head>
    <body>
        <h1>Error response</h1>
        <p>Error code: {status}</p>
        <p>Message: {shown}.</p>
        <p>Error code explanation: {status} - {explanation}.</p>
    </body>
</html>
"
    );
    let mut reply = Vec::new();
    let mut add = |text: &str| reply.extend(text.bytes().map(Some));
    add(&format!("{protocol} {status} {message}\r\nServer: "));
    add("\0\r\nDate: \0\r\n");
    fields
        .lines()
        .for_each(|field| add(&format!("{field}\r\n")));
    add(close);
    add("Content-Type: text/html;charset=utf-8\r\n");
    add(&format!("Content-Length: {}\r\n\r\n", page.len()));
    // A NUL marks where anything may stand.
    let reply = reply.into_iter();
    let reply = reply.map(|token| token.filter(|&byte| byte != 0));
    (reply.collect(), page)
}

fn explanation(status: &str, message: &str) -> &'static str {
    match (status, message) {
        (_, "Line too long") => "got more than 65536 bytes when reading header line",
        (_, "Too many headers") => "got more than 100 headers",
        ("400", _) => "Bad request syntax or unsupported method",
        ("401", _) => "No permission -- see authorization schemes",
        ("404", _) => "Nothing matches the given URI",
        ("403", _) => "Request forbidden -- authorization will not help",
        ("405", _) => "Specified method is invalid for this resource",
        ("406", _) => "URI not available in preferred format",
        ("412", _) => "Precondition in headers is false",
        ("416", _) => "Cannot satisfy request range",
        ("417", _) => "Expect condition could not be satisfied",
        ("999", "Short Message") => "This is a long \n explanation",
        ("999", _) => "???",
        ("413", _) => "Content is too large",
        ("414", _) => "URI is too long",
        ("500", _) => "Server got itself in trouble",
        ("501", _) => "Server does not support this operation",
        ("505", _) => "Cannot fulfill request",
        _ => panic!("status {status} has no explanation here yet"),
    }
}
