//! [`ErrorPage`]: the content of an error page, and the functions that write it: [`python`] writes CPython's page, [`page`] one
//! that is styled like [`listing::page`](crate::listing::page()).

use alloc::sync::Arc;
use core::fmt::{self, Debug, Display, Write};

use crate::text::escape::Html;
use crate::text::page_style::{HEAD, STYLE};

/// Writes CPython's error page.
///
/// # Errors
/// Returns the errors of the writer.
pub fn python(page: &ErrorPage<'_>, out: &mut dyn Write) -> fmt::Result {
    write!(out, "{page}")
}

/// Writes an error page that is styled like [`listing::page`](crate::listing::page()), with CPython's texts.
///
/// ```
/// use sanserve_core::{Config, error_page};
///
/// let config = Config::default().with_error_page(error_page::page);
/// ```
///
/// # Errors
/// Returns the errors of the writer.
pub fn page(page: &ErrorPage<'_>, out: &mut dyn Write) -> fmt::Result {
    let ErrorPage {
        status,
        message,
        explanation,
    } = page;
    out.write_str(HEAD)?;
    out.write_str(POLICY)?;
    out.write_str("<title>Error response</title>\n")?;
    out.write_str(STYLE)?;
    out.write_str("</head>\n<body>\n<main>\n<h1>Error response</h1>\n")?;
    write!(out, "<p>Error code: {status}</p>\n<p>Message: ")?;
    write!(Html(out), "{message}")?;
    write!(out, ".</p>\n<p>Error code explanation: {status} - ")?;
    Html(out).write_str(explanation)?;
    out.write_str(".</p>\n</main>\n</body>\n</html>\n")
}

/// A function that writes an error page.
pub type WriteErrorPage = Arc<dyn Fn(&ErrorPage<'_>, &mut dyn Write) -> fmt::Result + Send + Sync>;

/// The content of an error page. Its `Display` is CPython's page.
#[derive(Clone, Copy)]
#[allow(
    clippy::exhaustive_structs,
    reason = "tests of a page write it as a literal"
)]
pub struct ErrorPage<'a> {
    /// The status code.
    pub status: u16,
    /// A short description of the error. It may contain text from the client: escape it with [`Html`].
    pub message: &'a dyn Display,
    /// An explanation: a sentence without full stop.
    pub explanation: &'a str,
}

impl Debug for ErrorPage<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ErrorPage")
            .field("status", &self.status)
            .field("message", &format_args!("{}", self.message))
            .field("explanation", &self.explanation)
            .finish()
    }
}

impl Display for ErrorPage<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorPage {
            status,
            message,
            explanation,
        } = self;
        out.write_str(PYTHON)?;
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

const PYTHON: &str = "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n        \
    <title>Error response</title>\n    </head>\n    <body>\n        <h1>Error response</h1>\n";

/// A policy that allows the page to load nothing but its own style. It is in the page because error replies have no
/// such field.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
    style-src 'sha256-s9qIfFMOBo5MpjjYZBj2XAU4k2s22ufJ4ESQO26fYmU='; img-src data:; base-uri 'none'; form-action 'none'\">\n";
