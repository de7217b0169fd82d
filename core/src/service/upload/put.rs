//! [`Put`]: an upload of a file by PUT.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::multipart::PIECE;
use super::naming::{Naming, StatusMessage};
use super::{Refusal, content_length, create, refusal_for};
use crate::engine::{Event, Exchange, Next};
use crate::fs::FsError;
use crate::service::files::Itself;

/// A PUT request that is being received.
#[derive(Debug, Clone, Default)]
pub(super) struct Put {
    stage: Stage,
    /// Whether the file is new.
    new: bool,
    /// The reply if the directory is missing and may not be made.
    no_directory: StatusMessage,
    /// The content that was received and not yet written.
    ahead: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Stage {
    /// The path is being opened, to see what exists there.
    #[default]
    Look,
    /// The file is being created.
    Create,
    /// Waiting for content.
    Content,
    /// Content is being written; whether it is the last.
    Given(bool),
    /// The file is being committed.
    Keep,
}

impl Put {
    pub(super) fn resume(
        &mut self,
        ex: &mut Exchange<'_>,
        event: Event<'_>,
        naming: Naming<'_>,
    ) -> Result<Next, Refusal> {
        let (stage, next) = match (self.stage, event) {
            (Stage::Look, found) => {
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
            (Stage::Create | Stage::Given(false), _) => (Stage::Content, Next::Body),
            (Stage::Content, Event::Data(bytes)) => {
                self.ahead.extend_from_slice(bytes);
                if self.ahead.len() < PIECE {
                    return Ok(Next::Body);
                }
                (
                    Stage::Given(false),
                    Next::WriteFile(mem::take(&mut self.ahead)),
                )
            }
            (Stage::Content, _) if !self.ahead.is_empty() => (
                Stage::Given(true),
                Next::WriteFile(mem::take(&mut self.ahead)),
            ),
            (Stage::Content | Stage::Given(true), _) => (Stage::Keep, Next::Commit),
            (Stage::Keep, _) => return Ok(self.reply(ex)),
        };
        self.stage = stage;
        Ok(next)
    }

    /// RFC 9110 §9.3.4.
    fn reply(&self, ex: &mut Exchange<'_>) -> Next {
        if self.new {
            ex.send_response(201);
            ex.send_header("Location", Itself(ex.path()));
            ex.send_header("Content-Length", 0);
        } else {
            ex.send_response(204);
        }
        ex.end_headers();
        Next::Done
    }
}
