//! [`ErrorPage`]: the content of an error page, and the functions that write it: [`python`] writes CPython's page, [`page`] one
//! that is styled like [`listing::page`](crate::listing::page()).

use alloc::string::String;
use core::fmt::{self, Debug, Display, Write};

use crate::sync::Arc;
use crate::text::decimal::Digits;
use crate::text::escape::Html;
use crate::text::page_style::{HEAD, STYLE};

/// Writes CPython's error page.
///
/// # Errors
/// Returns the errors of the writer.
pub fn python(page: &ErrorPage<'_>, out: &mut dyn Write) -> fmt::Result {
    let ErrorPage {
        status,
        message,
        explanation,
        ..
    } = page;
    // Without `core::fmt` where possible, which takes most of the time of a 404.
    let code = Digits::decimal((*status).into());
    out.write_str(PYTHON)?;
    out.write_str(code.as_str())?;
    out.write_str("</p>\n        <p>Message: ")?;
    write!(Html(out), "{message}")?;
    out.write_str(".</p>\n        <p>Error code explanation: ")?;
    out.write_str(code.as_str())?;
    out.write_str(" - ")?;
    Html(out).write_str(explanation)?;
    out.write_str(".</p>\n    </body>\n</html>\n")
}

/// Writes an error page for people, which is styled like [`listing::page`](crate::listing::page()): the status and the
/// message, the explanation, and links to the directory that contains the target and to the root.
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
        target,
    } = page;
    out.write_str(HEAD)?;
    out.write_str(POLICY)?;
    out.write_str("<title>")?;
    write!(Html(out), "{status} {message}")?;
    out.write_str("</title>\n")?;
    out.write_str(STYLE)?;
    out.write_str("</head>\n<body>\n<main>\n<h1>")?;
    write!(Html(out), "{status} {message}")?;
    out.write_str("</h1>\n<p>")?;
    Html(out).write_str(explanation)?;
    out.write_str(".</p>\n")?;
    links(target, out)?;
    out.write_str("</main>\n</body>\n</html>\n")
}

/// Returns a function that writes [`page`] where the root is mounted at a path, such as `/files`. Pages for targets
/// outside of it have no links.
pub fn page_below(
    mount: String,
) -> impl Fn(&ErrorPage<'_>, &mut dyn Write) -> fmt::Result + Send + Sync + 'static {
    move |error, out| {
        let target = error.target.strip_prefix(mount.as_str());
        let target = target.filter(|target| target.starts_with('/'));
        page(
            &ErrorPage {
                target: target.unwrap_or_default(),
                ..*error
            },
            out,
        )
    }
}

/// Writes links to the directory that contains the target and to the root. They are relative, since a proxy may have
/// removed a prefix of the path.
fn links(target: &str, out: &mut dyn Write) -> fmt::Result {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let (Some(names), true) = (path.strip_prefix('/'), path != "/") else {
        return Ok(());
    };
    let is_directory = names.ends_with('/');
    // The number of directories above the target.
    let depth = names.matches('/').count() - usize::from(is_directory);
    if depth > DEPTH_MAX {
        return Ok(());
    }
    out.write_str("<p>")?;
    let link = |climb: usize, text: &str, out: &mut dyn Write| {
        out.write_str("<a href=\"")?;
        out.write_str(if climb == 0 { "./" } else { "" })?;
        (0..climb).try_for_each(|_| out.write_str("../"))?;
        write!(out, "\">{text}</a>")
    };
    if depth > 0 {
        link(usize::from(is_directory), "Parent folder", out)?;
        out.write_str(" ")?;
    }
    link(depth + usize::from(is_directory), "Home", out)?;
    out.write_str("</p>\n")
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
    /// The target of the request, with its query; empty if the request has none or it was not understood. It is text
    /// from the client.
    pub target: &'a str,
}

impl Debug for ErrorPage<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ErrorPage")
            .field("status", &self.status)
            .field("message", &format_args!("{}", self.message))
            .field("explanation", &self.explanation)
            .field("target", &self.target)
            .finish()
    }
}

impl Display for ErrorPage<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        python(self, out)
    }
}

const PYTHON: &str = "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n        \
    <title>Error response</title>\n    </head>\n    <body>\n        <h1>Error response</h1>\n        \
    <p>Error code: ";

/// The largest number of directories above a target for which the page has links, whose length grows with it.
const DEPTH_MAX: usize = 256;

/// A policy that allows the page to load nothing but its own style. It is in the page because error replies have no
/// such field.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
    style-src 'sha256-VZqrKLVBEMC/dz9SX3CdM6HyDauW8f5VFZHVYaUUNpM='; img-src data:; base-uri 'none'; form-action 'none'\">\n";
