//! [`Delete`]: removes the file or the empty directory that a DELETE request names (RFC 9110 §9.3.5), and replies.

use alloc::boxed::Box;

use super::Refusal;
use crate::engine::{Event, Exchange, Next, log};
use crate::fs::{Change, FsError, Meta, Path};
use crate::service::coding::{Coding, Codings};
use crate::service::condition::{may_change, may_store};

/// A DELETE request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delete {
    stage: Stage,
    /// The codings that are still to be tried, to find the representation that the preconditions are about.
    codings: Codings,
    /// Whether the preconditions hold.
    is_allowed: bool,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The path is being opened, to see what exists there.
    Lookup,
    /// The file is being removed.
    File,
    /// The directory is being removed.
    Directory,
}

impl Delete {
    /// Begins to delete what is at a path. `precompressed` is whether compressed variants are sent in place of files: a
    /// tag in the request may be that of the variant that a GET with the same fields selects (RFC 9110 §13.1).
    pub(super) fn begin(ex: &Exchange<'_>, path: Path, precompressed: bool) -> (Delete, Next) {
        let has_tags = ex.header("If-Match").is_some() || ex.header("If-None-Match").is_some();
        let mut delete = Delete {
            stage: Stage::Lookup,
            codings: match precompressed && has_tags && !path.ends_with_slash() {
                true => Codings::accepted(ex),
                false => Codings::NONE,
            },
            is_allowed: false,
        };
        let next = delete.codings.open_next(path);
        (delete, next)
    }

    /// Evaluates the preconditions for a variant of the file, if it exists.
    fn check_variant(
        &mut self,
        ex: &Exchange<'_>,
        event: Event<'_>,
        coding: Coding,
    ) -> Result<Next, Refusal> {
        let mut path = match event {
            Event::Opened(path, meta) => {
                self.is_allowed = may_change(ex, meta, coding.tag_suffix());
                if !self.is_allowed {
                    return Err(FAILED.into());
                }
                self.codings = Codings::NONE;
                path
            }
            Event::Directory(path) | Event::Failed(path, _) => path,
            _ => return Err(self.refusal_for(FsError::Io)),
        };
        path.remove_suffix(coding.suffix());
        Ok(self.codings.open_next(path))
    }

    pub(super) fn resume(
        &mut self,
        ex: &mut Exchange<'_>,
        event: Event<'_>,
    ) -> Result<Next, Refusal> {
        if let Some(coding) = self.codings.current {
            return self.check_variant(ex, event, coding);
        }
        let (removed, path, meta) = match (self.stage, event) {
            (_, Event::Failed(_, error)) => return Err(self.refusal_for(error)),
            // The target of a file has no slash at its end.
            (Stage::Lookup, Event::Opened(path, _)) if path.ends_with_slash() => {
                return Err(self.refusal_for(FsError::NotFound));
            }
            (Stage::Lookup, Event::Opened(path, meta)) => (Stage::File, path, meta),
            (Stage::Lookup, Event::Directory(path)) => (Stage::Directory, path, Meta::new(0)),
            (Stage::Lookup, _) => return Err(self.refusal_for(FsError::Io)),
            (Stage::File | Stage::Directory, _) => {
                ex.send_response(204);
                ex.end_headers();
                return Ok(Next::Done);
            }
        };
        // A client may have the tag of a listing, which is not known here, so no other tag is certain to differ from it.
        let is_unknown =
            matches!(removed, Stage::Directory) && ex.header("If-None-Match").is_some();
        if is_unknown || !self.is_allowed && !may_store(ex, Some(meta)) {
            return Err(FAILED.into());
        }
        self.stage = removed;
        Ok(Next::Change(Box::new(match removed {
            Stage::Directory => Change::RemoveDirectory { path },
            _ => Change::RemoveFile { path, meta },
        })))
    }

    fn refusal_for(self, error: FsError) -> Refusal {
        let (status, message) = match (error, self.stage) {
            (FsError::NotFound, _) => (404, "File not found"),
            // As for other requests, the reply does not disclose the reason.
            (FsError::OutsideRoot | FsError::InvalidName | FsError::TooLong, _) => {
                return Refusal {
                    rule: log::Refusal::of(error),
                    ..(404, "File not found").into()
                };
            }
            (FsError::Forbidden, _) => (403, "No permission to delete the file"),
            (FsError::NotRegularFile, _) => (409, "The name is not a regular file"),
            (FsError::Exists, Stage::Directory) => (409, "The directory is not empty"),
            (FsError::Exists, _) => (409, "The file has changed"),
            // A file system may need space to record a deletion.
            (FsError::NoSpace, _) => (507, "Insufficient Storage"),
            (FsError::Unsupported, _) => (501, "Files cannot be deleted here"),
            (FsError::NoResources, _) => (503, "Not enough resources to delete the file"),
            _ => (500, "The file cannot be deleted"),
        };
        (status, message).into()
    }
}

const FAILED: (u16, &str) = (412, "Precondition Failed");
