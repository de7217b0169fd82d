//! [`ErrorPage`]: what stands on the page of an error.

use core::fmt::{self, Display, Write};

use crate::escape::Html;

/// What is known of an error. Displayed, it is CPython's page; for another one set
/// [`Config::error_page`](crate::Config::error_page).
#[derive(Clone, Copy)]
pub struct ErrorPage<'a> {
    /// The status code.
    pub status: u16,
    /// What happened, in a few words. It may hold what the peer sent: escape it with [`Html`].
    pub message: &'a dyn Display,
    /// What that means, in a sentence without full stop.
    pub explanation: &'a str,
}

impl Display for ErrorPage<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorPage {
            status,
            message,
            explanation,
        } = self;
        out.write_str(HEAD)?;
        write!(
            out,
            "        <p>Error code: {status}</p>\n        <p>Message: "
        )?;
        write!(Html(out), "{message}")?;
        write!(out, ".</p>\n        <p>Error code explanation: {status} - ")?;
        Html(out).write_str(explanation)?;
        out.write_str(".</p>\n    </body>\n</html>\n")
    }
}

const HEAD: &str = "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n        \
    <title>Error response</title>\n    </head>\n    <body>\n        <h1>Error response</h1>\n";
