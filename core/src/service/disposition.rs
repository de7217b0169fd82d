//! [`on_request`]: sends `Content-Disposition` with a file that is to be saved rather than shown.

use core::fmt::{self, Display, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::engine::Exchange;
use crate::sync::Arc;

/// Sends `Content-Disposition: attachment` (RFC 6266) with this file name if the query of the target is exactly
/// `?download`, or `?download=` as a form's button sends it. A browser then saves the file instead of showing it.
///
/// ```
/// use std::sync::Arc;
///
/// use sanserve_core::{Files, disposition};
///
/// let mut files = Files::new();
/// files.settings_mut().disposition = Some(Arc::new(disposition::on_request));
/// ```
pub fn on_request(ex: &mut Exchange<'_>, name: &[u8]) {
    let query = ex.path().split_once('?').map(|(_, query)| query);
    if let Some("download" | "download=") = query {
        let (stem, extension) = (name, "");
        ex.send_header("Content-Disposition", Disposition { stem, extension });
    }
}

/// A function that sends `Content-Disposition` for a file with this name, or nothing.
pub type SendDisposition = Arc<dyn Fn(&mut Exchange<'_>, &[u8]) + Send + Sync>;

/// The value of `Content-Disposition` (RFC 6266). If the name contains characters that clients interpret differently or
/// that the field cannot contain, it is sent twice, the second time encoded as in RFC 8187.
pub(super) struct Disposition<'a> {
    /// The name without `extension`.
    pub(super) stem: &'a [u8],
    /// Without a dot; empty if `stem` is the whole name.
    pub(super) extension: &'a str,
}

impl Display for Disposition<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disposition { stem, extension } = self;
        let dot = if extension.is_empty() { "" } else { "." };
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'%');
        out.write_str("attachment; filename=\"")?;
        for chunk in stem.utf8_chunks() {
            let bad = chunk.invalid().iter().map(|_| '_');
            for char in chunk.valid().chars().chain(bad) {
                let is_plain = u8::try_from(char).is_ok_and(plain);
                out.write_char(if is_plain { char } else { '_' })?;
            }
        }
        write!(out, "{dot}{extension}\"")?;
        if stem.iter().all(|&byte| plain(byte)) {
            return Ok(());
        }
        out.write_str("; filename*=UTF-8''")?;
        for chunk in stem.utf8_chunks() {
            write!(out, "{}", percent_encode(chunk.valid().as_bytes(), VALUE))?;
            // Bytes that are not UTF-8 cannot be encoded.
            if !chunk.invalid().is_empty() {
                out.write_str("%EF%BF%BD")?;
            }
        }
        write!(out, "{dot}{extension}")
    }
}

/// All characters but `attr-char` (RFC 8187 §3.2.1), as far as names contain them.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
