//! [`ContentType`]: the media type of a file. Adds the charset of text, and sends the field.

use alloc::borrow::Cow;
use core::fmt::{self, Display};

use crate::engine::Exchange;
use crate::wire::syntax::is_among;

/// A media type, and the charset to send with it.
#[derive(Debug)]
pub(super) struct ContentType<'a> {
    name: Cow<'a, str>,
    charset: Option<&'a str>,
}

impl<'a> ContentType<'a> {
    /// Returns the type of a file. `charset` is that of text files.
    pub(super) fn new(name: Cow<'a, str>, charset: Option<&'a str>) -> Self {
        let charset = charset.filter(|_| takes_charset(&name));
        ContentType { name, charset }
    }

    /// Returns the media type without the charset.
    #[cfg(feature = "gzip")]
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends the field.
    pub(super) fn send(&self, ex: &mut Exchange<'_>) {
        match self.charset {
            None => ex.send_text("Content-type: ", &self.name),
            Some(_) => ex.send_header("Content-type", self),
        }
    }
}

impl Display for ContentType<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContentType { name, charset } = self;
        out.write_str(name)?;
        match charset {
            Some(charset) => write!(out, "; charset={charset}"),
            None => Ok(()),
        }
    }
}

/// Returns whether [`FileSettings::charset`](super::FileSettings::charset) applies to a media type. HTML and XML
/// documents declare their own, which the parameter would overrule (HTML standard §13.2.3.2, RFC 7303 §3.2).
fn takes_charset(name: &str) -> bool {
    let names_its_own = ["text/html", "text/xml"];
    name.starts_with("text/") && !name.contains(';') && !is_among(name, &names_its_own)
}
