//! [`NewDirectory`]: creates the directory that a PUT request names, whose target ends with a slash, and replies.

use alloc::boxed::Box;

use super::naming::{Naming, StatusMessage};
use super::{Refusal, content_length, refusal_for};
use crate::engine::{Event, Exchange, Next};
use crate::fs::{Change, FsError, Meta, Path};
use crate::service::condition::may_store;
use crate::service::files::SelfReference;

/// A PUT request for a directory.
#[derive(Debug, Clone)]
pub(super) enum NewDirectory {
    /// The path is being opened, to see what exists there.
    Lookup,
    /// The directory is being created. The reply if a directory above it is missing and may not be created.
    Create(StatusMessage),
}

impl NewDirectory {
    pub(super) fn resume(
        &mut self,
        ex: &mut Exchange<'_>,
        event: Event<'_>,
        naming: Naming<'_>,
    ) -> Result<Next, Refusal> {
        match (&*self, event) {
            (
                NewDirectory::Lookup,
                Event::Failed(path, FsError::NotFound | FsError::OutsideRoot | FsError::TooLong),
            ) => self.create(ex, path, naming),
            (NewDirectory::Lookup, Event::Opened(..) | Event::Directory(_)) if is_unwanted(ex) => {
                Err(FAILED.into())
            }
            (NewDirectory::Lookup, Event::Opened(..)) => Err(refusal_for(FsError::Exists)),
            // RFC 4918 §9.3.1.
            (NewDirectory::Lookup, Event::Directory(_))
            | (NewDirectory::Create(_), Event::Failed(_, FsError::Exists)) => {
                Err((405, "The directory exists").into())
            }
            (NewDirectory::Create(no_directory), Event::Failed(_, FsError::NotFound)) => {
                Err((*no_directory).into())
            }
            (_, Event::Failed(_, error)) => Err(refusal_for(error)),
            _ => {
                ex.send_response(201);
                ex.send_header("Location", SelfReference(ex.path()));
                ex.send_header("Content-Length", 0);
                ex.end_headers();
                Ok(Next::Done)
            }
        }
    }

    fn create(
        &mut self,
        ex: &Exchange<'_>,
        path: Path,
        naming: Naming<'_>,
    ) -> Result<Next, Refusal> {
        if !may_store(ex, None) {
            return Err(FAILED.into());
        }
        if content_length(ex) != Some(0) {
            return Err((415, "A PUT for a directory needs Content-Length: 0").into());
        }
        let (directories_max, no_directory) = naming.new_directories(&path);
        *self = NewDirectory::Create(no_directory);
        Ok(Next::Change(Box::new(Change::CreateDirectory {
            path,
            directories_max,
        })))
    }
}

/// Returns whether the request asks for a directory that does not exist yet (`If-None-Match: *`), or for another one.
fn is_unwanted(ex: &Exchange<'_>) -> bool {
    !may_store(ex, Some(Meta::new(0)))
}

const FAILED: StatusMessage = (412, "Precondition Failed");
