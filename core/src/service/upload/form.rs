//! [`Form`]: files that come in a form, one after another.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::multipart::{Multipart, Piece};
use super::naming::Naming;
use super::{Refusal, TOO_LONG, complaint, create};
use crate::engine::{Event, Exchange, Next};
use crate::fs::{FsError, Path};
use crate::text::escape::Repr;

/// A form on its way.
#[derive(Debug, Clone)]
pub(super) struct Form {
    parts: Multipart,
    directory: Path,
    stage: Stage,
    /// What the file that is being looked at is called.
    name: Vec<u8>,
    /// How many are stored.
    stored: u32,
    /// What will be said when all of it has come: browsers do not listen before.
    refusal: Option<Refusal>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The directory was asked for.
    Directory,
    /// More of the form is waited for.
    Content,
    /// Whatever has the name of a file was asked for.
    Look,
    /// The file is to be made.
    Create,
    /// Some of it was passed on.
    Given,
    /// All of it was passed on, and it is to get its name.
    Keep,
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
            (Stage::Directory, _) => Err((404, "File not found").into()),
            (Stage::Content, Event::Data(_)) if self.refusal.is_some() => Ok(Next::Body),
            (Stage::Content, Event::Data(bytes)) => {
                self.parts.push(bytes);
                Ok(self.go_on(naming))
            }
            (Stage::Content, _) => self.reply(ex),
            (Stage::Look, found) => match create(ex, found, naming.overwrite, false, None) {
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
                // What was asked for is the directory, and that is short enough.
                Ok(self.refuse((403, TOO_LONG).into()))
            }
            (_, Event::Failed(_, error)) => Ok(self.refuse(complaint(error))),
            (stage, _) => {
                self.stored += u32::from(matches!(stage, Stage::Keep));
                Ok(self.go_on(naming))
            }
        }
    }

    /// Goes on with what has come.
    fn go_on(&mut self, naming: Naming<'_>) -> Next {
        let (stage, next) = match self.parts.next() {
            Ok(Piece::File(name)) => {
                let path = Path::is_name(&name)
                    .then(|| [self.directory.as_bytes(), b"/", &name].concat())
                    .and_then(Path::from_bytes);
                self.name = name;
                match naming.check(path) {
                    Ok(path) if self.stored < FILES_MAX => (Stage::Look, Next::Open(path)),
                    Ok(_) => return self.refuse((400, "Too many files in the form").into()),
                    Err(refusal) => return self.refuse(refusal),
                }
            }
            Ok(Piece::Content(bytes)) => (Stage::Given, Next::WriteFile(bytes)),
            Ok(Piece::Whole) => (Stage::Keep, Next::Commit),
            Ok(Piece::More | Piece::End) => (Stage::Content, Next::Body),
            Err(what) => return self.refuse((400, what).into()),
        };
        self.stage = stage;
        next
    }

    /// Stores no more. All that still comes is thrown away.
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

    /// The form is over: sends the browser back to the directory.
    fn reply(&mut self, ex: &mut Exchange<'_>) -> Result<Next, Refusal> {
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        if self.parts.next() != Ok(Piece::End) {
            return Err((400, "The form is incomplete").into());
        }
        // Whatever the directory is called, it is this.
        ex.send_response(303);
        ex.send_header("Location", "./");
        ex.send_header("Content-Length", 0);
        ex.end_headers();
        Ok(Next::Done)
    }
}

/// Files in a form.
const FILES_MAX: u32 = 10_000;
