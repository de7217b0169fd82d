//! Builds the expected replies that many cases share, for the keywords `error`, `error-page`, `listing` and others.
//!
//! CPython's error page is as it was recorded. No code is shared with the engine under test.

use crate::text::Token;

/// Returns CPython's reply for an error, in reply to any method but HEAD. Further fields may follow the message, one a
/// line.
///
/// # Panics
/// If there is no explanation for the status here.
pub(crate) fn error(protocol: &str, status: &str, message: &str) -> Vec<Token> {
    let (mut reply, page) = parts(protocol, status, message, CLOSE);
    reply.extend(page.bytes().map(Some));
    reply
}

/// Returns the same in reply to HEAD.
pub(crate) fn error_head(protocol: &str, status: &str, message: &str) -> Vec<Token> {
    parts(protocol, status, message, CLOSE).0
}

/// Returns the HTTP/1.1 error reply that keeps the connection open.
pub(crate) fn error_keep_alive(head: bool, status: &str, message: &str) -> Vec<Token> {
    let (mut reply, page) = parts("HTTP/1.1", status, message, "");
    if !head {
        reply.extend(page.bytes().map(Some));
    }
    reply
}

const CLOSE: &str = "Connection: close\r\n";

/// Returns the reply with sanserve's own error page, up to its links. The connection stays open if the request was a
/// valid one of HTTP/1.1.
pub(crate) fn error_page(protocol: &str, status: &str, message: &str) -> Vec<Token> {
    let keeps_alive = protocol == "HTTP/1.1" && matches!(status, "404" | "412");
    let (mut reply, _) = parts(
        protocol,
        status,
        message,
        if keeps_alive { "" } else { CLOSE },
    );
    let length = reply
        .windows(8)
        .rposition(|tokens| tokens == b"-Length:".map(Some));
    reply.truncate(length.expect("an error has a length") + 8);
    let (shown, explanation) = (escaped(message), explanation(status, message));
    let page = format!(
        "{START}<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \0\">
<title>{status} {shown}</title>
<style>\0</style>
</head>
<body>
<main>
<h1>{status} {shown}</h1>
<p>{explanation}.</p>
"
    );
    reply.extend(tokens(" \0\r\n\r\n"));
    reply.extend(tokens(&page));
    reply
}

/// Returns the reply with the listing of the directory at `path`, up to the breadcrumbs. With `uploads`, it also has the
/// style of the controls for uploads and deletions, and its policy allows their script and its requests. With `pictures`,
/// it has the style of that view, and its policy allows pictures.
pub(crate) fn listing(protocol: &str, path: &str, uploads: bool, pictures: bool) -> Vec<Token> {
    let (policy, sending, style) = match uploads {
        true => (
            " 'sha256-\0'",
            " 'sha256-\0'; connect-src 'self'",
            "<style>\0</style>\n",
        ),
        false => ("", "", ""),
    };
    let (pictures_hash, images, cards) = match pictures {
        true => (" 'sha256-\0'", " 'self'", "<style>\0</style>\n"),
        false => ("", "", ""),
    };
    let shown = escaped(path);
    tokens(&format!(
        "{protocol} 200 OK\r
Server: \0\r
Date: \0\r
Content-type: text/html; charset=utf-8\r
Content-Length: \0\r
ETag: \"\0\"\r
Vary: Accept\r
Content-Security-Policy: default-src 'none'; style-src 'sha256-\0' 'sha256-\0'{policy}{pictures_hash}; \
script-src 'sha256-\0'{sending}; img-src data:{images}; base-uri 'none'; form-action 'self'; frame-ancestors 'self'\r
\r
{START}<title>Directory listing for {shown}</title>
<style>\0</style>
<style>\0</style>
{style}{cards}</head>
<body>
<main>
<h1>Directory listing for {shown}</h1>
<header>
"
    ))
}

/// Returns the head of the reply, and its content.
fn parts(protocol: &str, status: &str, message: &str, close: &str) -> (Vec<Token>, String) {
    let (message, fields) = message.split_once('\n').unwrap_or((message, ""));
    let shown = escaped(message);
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
    let mut add = |text: &str| reply.extend(tokens(text));
    add(&format!("{protocol} {status} {message}\r\nServer: "));
    add("\0\r\nDate: \0\r\n");
    fields
        .lines()
        .for_each(|field| add(&format!("{field}\r\n")));
    add(close);
    add("Content-Type: text/html;charset=utf-8\r\n");
    add(&format!("Content-Length: {}\r\n\r\n", page.len()));
    (reply, page)
}

/// Converts text to tokens. A NUL stands for a wildcard.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.bytes();
    bytes
        .map(|byte| Some(byte).filter(|&byte| byte != 0))
        .collect()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// The beginning of sanserve's own pages.
const START: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"robots\" content=\"noindex\">
<link rel=\"icon\" href=\"data:image/svg+xml,\0\">
";

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
        ("408", _) => "Request timed out; try again later",
        ("409", _) => "Request conflict",
        ("411", _) => "Client must specify Content-Length",
        ("421", _) => "Server is not able to produce a response",
        ("412", _) => "Precondition in headers is false",
        ("415", _) => "Entity body in unsupported format",
        ("416", _) => "Cannot satisfy request range",
        ("417", _) => "Expect condition could not be satisfied",
        ("999", "Short Message") => "This is a long \n explanation",
        ("999", _) => "???",
        ("413", _) => "Content is too large",
        ("414", _) => "URI is too long",
        ("500", _) => "Server got itself in trouble",
        ("501", _) => "Server does not support this operation",
        ("503", _) => "The server cannot process the request due to a high load",
        ("505", _) => "Cannot fulfill request",
        _ => panic!("status {status} has no explanation here yet"),
    }
}
