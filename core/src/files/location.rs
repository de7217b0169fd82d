//! [`Location`]: where a client is sent that forgot the slash behind a directory.

use core::fmt::{self, Display};

/// A path with a slash added to it, before its query. Browsers take `//host` for the name of another host, so
/// several slashes become one. They also take a backslash for a slash, so it is encoded.
pub(super) struct Location<'a>(pub(super) &'a str);

impl Display for Location<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = self.0.split_once('?').unwrap_or((self.0, ""));
        out.write_str("/")?;
        let below = path.trim_start_matches('/');
        for (at, piece) in below.split('\\').enumerate() {
            out.write_str(if at > 0 { "%5C" } else { "" })?;
            out.write_str(piece)?;
        }
        out.write_str("/")?;
        if !query.is_empty() {
            write!(out, "?{query}")?;
        }
        Ok(())
    }
}
