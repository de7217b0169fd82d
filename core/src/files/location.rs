//! [`Location`]: where the peer is sent that forgot the slash behind a directory.

use core::fmt::{self, Display};

/// A path with a slash added to it, before its query. What browsers would take for the start of
/// another host's name, as in `//host` and `/\host`, becomes one slash.
pub(super) struct Location<'a>(pub(super) &'a str);

impl Display for Location<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = self.0.split_once('?').unwrap_or((self.0, ""));
        let below = path.trim_start_matches(['/', '\\']);
        write!(out, "/{below}/")?;
        if !query.is_empty() {
            write!(out, "?{query}")?;
        }
        Ok(())
    }
}
