//! The choice of the file if only one is served ([`FileSettings::single_file`](super::FileSettings::single_file)).

use super::Files;
use super::redirect::FromRoot;
use crate::engine::{Exchange, Next};
use crate::fs::Path;

impl Files {
    /// Begins the reply to a request for `path`: opens the file if it is that path, and redirects from the root to it.
    /// The redirect is temporary, since the next server at this address may serve something else.
    pub(super) fn begin_single_file(
        &mut self,
        ex: &mut Exchange<'_>,
        path: Option<Path>,
        file: Path,
    ) -> Next {
        match path {
            Some(path) if path == file => self.open(ex, path),
            Some(path) if path.as_bytes().is_empty() && path.ends_with_slash() => {
                ex.send_response(302);
                let target = ex.path();
                let file = &file;
                ex.send_header("Location", FromRoot { target, file });
                ex.send_header("Content-Length", 0);
                self.fields().send_cors(ex);
                ex.end_headers();
                Next::Done
            }
            // The path at which the root is mounted.
            Some(path) if path.as_bytes().is_empty() => self.redirect(ex),
            _ => self.not_found(ex),
        }
    }
}
