//! [`Form`]: stores the files of a form that is sent by POST, one after another, and replies at its end.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::multipart::{Multipart, Piece};
use super::naming::Naming;
use super::{Refusal, TOO_LONG, create, refusal_for};
use crate::engine::{Event, Exchange, Next, log};
use crate::fs::{FsError, Path};
use crate::text::escape::Repr;

/// A form that is being received.
#[derive(Debug, Clone)]
pub(super) struct Form {
    parts: Multipart,
    directory: Path,
    stage: Stage,
    /// The path of the current file.
    name: Vec<u8>,
    /// The number of files that were stored.
    stored: u32,
    /// The error to reply with at the end: browsers do not read a reply before they have sent everything.
    refusal: Option<Refusal>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The directory is being opened.
    Directory,
    /// Waiting for more of the form.
    Content,
    /// The path of a file is being opened, to see what exists there.
    Lookup,
    /// The file is being created.
    Create,
    /// Content is being written.
    Writing,
    /// The file is being committed.
    Commit,
}

impl Form {
    pub(super) fn new(parts: Multipart, directory: Path) -> Form {
        Form {
            parts,
            directory,
            stage: Stage::Directory,
            name: Vec::new(),
            stored: 0,
            refusal: None,
        }
    }

    pub(super) fn resume(
        &mut self,
        ex: &mut Exchange<'_>,
        event: Event<'_>,
        naming: Naming<'_>,
    ) -> Result<Next, Refusal> {
        match (self.stage, event) {
            (Stage::Directory, Event::Directory(_)) => {
                self.stage = Stage::Content;
                Ok(Next::Body)
            }
            (Stage::Directory, event) => Err(directory_refusal(&event)),
            (Stage::Content, Event::Data(_)) if self.refusal.is_some() => Ok(Next::Body),
            (Stage::Content, Event::Data(bytes)) => {
                self.parts.push(bytes);
                Ok(self.continue_reply(naming))
            }
            (Stage::Content, _) => self.reply(ex),
            (Stage::Lookup, found) => match create(ex, found, naming.overwrite, false, None) {
                Ok(file) => {
                    self.stage = Stage::Create;
                    Ok(Next::Create(Box::new(file)))
                }
                Err(refusal) if refusal.status == 405 => Ok(self.refuse(Refusal {
                    status: 409,
                    ..refusal
                })),
                Err(refusal) => Ok(self.refuse(refusal)),
            },
            (_, Event::Failed(_, FsError::TooLong)) => {
                // The error concerns the directory, whose path is not too long.
                Ok(self.refuse((403, TOO_LONG).into()))
            }
            (_, Event::Failed(_, error)) => Ok(self.refuse(refusal_for(error))),
            (stage, _) => {
                self.stored += u32::from(matches!(stage, Stage::Commit));
                Ok(self.continue_reply(naming))
            }
        }
    }

    /// Continues with the content that was received.
    fn continue_reply(&mut self, naming: Naming<'_>) -> Next {
        let (stage, next) = match self.parts.next() {
            Ok(Piece::File(name)) => {
                let path = Path::is_name(&name)
                    .then(|| [self.directory.as_bytes(), b"/", &name].concat())
                    .and_then(Path::from_bytes);
                self.name = name;
                match naming.check(path) {
                    Ok(path) if self.stored < FILES_MAX => (Stage::Lookup, Next::Open(path)),
                    Ok(_) => return self.refuse((400, "Too many files in the form").into()),
                    Err(refusal) => return self.refuse(refusal),
                }
            }
            Ok(Piece::Content(bytes)) => (Stage::Writing, Next::WriteFile(bytes)),
            Ok(Piece::FileEnd) => (Stage::Commit, Next::Commit),
            Ok(Piece::More | Piece::End) => (Stage::Content, Next::Body),
            Err(message) => return self.refuse((400, message).into()),
        };
        self.stage = stage;
        next
    }

    /// Stores no more files, and discards the rest of the form.
    fn refuse(&mut self, refusal: Refusal) -> Next {
        let message = refusal.message;
        let name = String::from_utf8_lossy(&self.name);
        let message = match (&name, self.stored) {
            (name, _) if name.is_empty() => message,
            (name, 0) => Cow::Owned(format!("{message} ({})", Repr(name))),
            (name, stored) => Cow::Owned(format!(
                "{message} ({}); already stored: {stored}",
                Repr(name)
            )),
        };
        self.refusal = Some(Refusal { message, ..refusal });
        self.stage = Stage::Content;
        Next::Body
    }

    /// Ends the form: redirects the browser to the directory.
    fn reply(&mut self, ex: &mut Exchange<'_>) -> Result<Next, Refusal> {
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        if self.parts.next() != Ok(Piece::End) {
            return Err((400, "The form is incomplete").into());
        }
        // A reference to the directory itself, whatever its name.
        ex.send_response(303);
        ex.send_header("Location", "./");
        ex.send_header("Content-Length", 0);
        ex.end_headers();
        Ok(Next::Done)
    }
}

/// Returns the reply if the directory of the form cannot be opened. It is that of the file service, which does not
/// disclose why a directory is not served.
fn directory_refusal(event: &Event<'_>) -> Refusal {
    let rule = match event {
        Event::Failed(_, error @ FsError::NoResources) => return refusal_for(*error),
        Event::Failed(_, error) => log::Refusal::of(*error),
        _ => None,
    };
    Refusal {
        rule,
        ..(404, "File not found").into()
    }
}

/// The largest number of files in a form.
const FILES_MAX: u32 = 10_000;
