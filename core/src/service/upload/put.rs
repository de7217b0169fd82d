//! [`Put`]: receives the content of a PUT request, stores it as a file, and replies.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::multipart::PIECE;
use super::naming::{Naming, StatusMessage};
use super::{Refusal, content_length, create, refusal_for};
use crate::engine::{Event, Exchange, Next};
use crate::fs::FsError;
use crate::service::files::SelfReference;

/// A PUT request that is being received.
#[derive(Debug, Clone, Default)]
pub(super) struct Put {
    stage: Stage,
    /// Whether the file is new.
    new: bool,
    /// The reply if the directory is missing and may not be created.
    no_directory: StatusMessage,
    /// The content that was received and not yet written.
    buffered: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Stage {
    /// The path is being opened, to see what exists there.
    #[default]
    Lookup,
    /// The file is being created.
    Create,
    /// Waiting for content.
    Content,
    /// Content is being written; whether it is the last.
    Writing(bool),
    /// The file is being committed.
    Commit,
}

impl Put {
    pub(super) fn resume(
        &mut self,
        ex: &mut Exchange<'_>,
        event: Event<'_>,
        naming: Naming<'_>,
    ) -> Result<Next, Refusal> {
        let (stage, next) = match (self.stage, event) {
            (Stage::Lookup, found) => {
                let len = content_length(ex);
                let mut file = create(ex, found, naming.overwrite, true, len)?;
                (file.directories_max, self.no_directory) = naming.new_directories(&file.path);
                self.new = file.replaces.is_none();
                (Stage::Create, Next::Create(Box::new(file)))
            }
            (Stage::Create, Event::Failed(_, FsError::NotFound)) => {
                return Err(self.no_directory.into());
            }
            (_, Event::Failed(_, error)) => return Err(refusal_for(error)),
            (Stage::Create | Stage::Writing(false), _) => (Stage::Content, Next::Body),
            (Stage::Content, Event::Data(bytes)) => {
                self.buffered.extend_from_slice(bytes);
                if self.buffered.len() < PIECE {
                    return Ok(Next::Body);
                }
                (
                    Stage::Writing(false),
                    Next::WriteFile(mem::take(&mut self.buffered)),
                )
            }
            (Stage::Content, _) if !self.buffered.is_empty() => (
                Stage::Writing(true),
                Next::WriteFile(mem::take(&mut self.buffered)),
            ),
            (Stage::Content | Stage::Writing(true), _) => (Stage::Commit, Next::Commit),
            (Stage::Commit, _) => return Ok(self.reply(ex)),
        };
        self.stage = stage;
        Ok(next)
    }

    /// RFC 9110 §9.3.4.
    fn reply(&self, ex: &mut Exchange<'_>) -> Next {
        if self.new {
            ex.send_response(201);
            ex.send_header("Location", SelfReference(ex.path()));
            ex.send_header("Content-Length", 0);
        } else {
            ex.send_response(204);
        }
        ex.end_headers();
        Next::Done
    }
}
