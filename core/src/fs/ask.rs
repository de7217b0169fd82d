//! [`Ask`]: a question to the file system, and [`Got`]: its answer, among all that an adapter answers.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::fs::{Credentials, Entries, FsError, Meta, Opened, Path};

/// A question to the file system. More may come: an unknown one is answered with [`Got::Opened`] and
/// [`FsError::Unsupported`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// What is there, opened if it is a file? [`Got::Opened`] is the answer.
    Open(Path),
    /// What does this directory hold? [`Got::Listed`] is the answer.
    List(Path),
    /// Run this program. [`Got::Opened`] with [`Opened::Process`] is the answer.
    Run(Box<CgiScript>),
    /// Are these right? [`Got::Verified`] is the answer.
    Verify(Box<Credentials>),
    /// Make one file of a directory. [`Got::Opened`] with [`Opened::File`] is the answer.
    Archive(Box<ArchiveRequest>),
    /// Begin a file. [`Got::Opened`] with [`Opened::Writer`] is the answer.
    Create(Box<Create>),
}

/// What came of a [`Want`](crate::Want).
#[derive(Debug)]
#[non_exhaustive]
pub enum Got<F> {
    /// It did not happen (yet), or there is nothing to tell. Also the argument of the first step.
    Nothing,
    /// So many bytes were moved.
    Bytes(usize),
    /// An answer to [`Want::ReadFile`](crate::Want::ReadFile), which will be wanted again: the program has written these lines to its standard
    /// error, or this is how it ended. They are logged.
    Note(String),
    /// An answer to [`Want::ReadFile`](crate::Want::ReadFile), which will be wanted again: what is read from is still at work. The
    /// deadline is renewed, up to [`Timeouts::work`](crate::Timeouts::work), and what was collected for the peer is sent first.
    Working,
    /// The answer to [`Ask::Open`], [`Ask::Run`], [`Ask::Archive`] and [`Ask::Create`].
    Opened(Result<Opened<F>, FsError>),
    /// The answer to [`Ask::List`].
    Listed(Result<Arc<Entries>, FsError>),
    /// The answer to [`Ask::Verify`].
    Verified(Result<(), FsError>),
    /// The answer to [`Want::Commit`](crate::Want::Commit).
    Committed(Result<(), FsError>),
    /// The answer to [`Want::Wait`](crate::Want::Wait): the waker was woken, or may have been.
    Woken,
    /// The file or program cannot do what was wanted of it: an answer to [`Want::ReadFile`](crate::Want::ReadFile),
    /// [`Copy`](crate::Want::Copy) and [`WriteFile`](crate::Want::WriteFile).
    Refused(FsError),
    /// The transport is gone.
    Failed,
}

impl<F> Got<F> {
    /// Returns the same answer, but a file that was opened is not [`sendable`](Opened::File): for adapters whose transport cannot send it
    /// by reference, such as TLS.
    #[must_use]
    pub fn unsendable(self) -> Got<F> {
        match self {
            Got::Opened(Ok(opened)) => Got::Opened(Ok(opened.unsendable())),
            got => got,
        }
    }

    /// Returns the same answer with what is open as `hold` makes it: for adapters that keep more beside a file.
    pub fn map<T>(self, hold: impl FnOnce(F) -> T) -> Got<T> {
        match self {
            Got::Opened(result) => Got::Opened(result.map(|opened| opened.map(hold))),
            Got::Nothing => Got::Nothing,
            Got::Bytes(n) => Got::Bytes(n),
            Got::Note(text) => Got::Note(text),
            Got::Working => Got::Working,
            Got::Listed(result) => Got::Listed(result),
            Got::Verified(result) => Got::Verified(result),
            Got::Committed(result) => Got::Committed(result),
            Got::Woken => Got::Woken,
            Got::Refused(error) => Got::Refused(error),
            Got::Failed => Got::Failed,
        }
    }
}

/// A program to run, with what CGI tells it (RFC 3875).
///
/// It is set up when it is asked for, then given the request's content, and starts when its output
/// is first read: by then its standard input is complete, whatever its length turned out to be.
/// [`Want::ReadFile`](crate::Want::ReadFile) reads its standard output, at no offset. To drop it ends it,
/// and whatever it started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "handlers write it as a literal")]
pub struct CgiScript {
    /// Which file.
    pub path: Path,
    /// Its arguments, without its own name.
    pub args: Vec<Vec<u8>>,
    /// What it finds in its environment: names of CGI, each of which occurs once. `CONTENT_LENGTH` is not here: the
    /// adapter that runs it sets that to the length of what it was given, if it was given anything.
    pub env: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// What `PATH_TRANSLATED` names: the adapter knows what the system calls it.
    pub path_translated: Path,
}

/// A file to make.
///
/// It is begun when it is asked for, and then given its content. Until it is complete nobody sees it; to
/// drop it before leaves nothing of it. [`Want::Commit`](crate::Want::Commit) gives it its name, at once and whole, if what had that name is what it was. A file that must have a name before has one that
/// begins with [`Path::TEMPORARY_PREFIX`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "handlers write it as a literal")]
pub struct Create {
    /// Its name.
    pub path: Path,
    /// How many directories on the way to it may be missing: the last ones, which are made when the file is complete,
    /// readable and writable as the system has it for new ones. If more are, the error is [`FsError::NotFound`].
    pub directories_max: usize,
    /// The file whose place it takes. If there is none, nothing may have that name.
    pub replaces: Option<Meta>,
    /// How long it will be, if that is known.
    pub len: Option<u64>,
}

/// A directory to be sent as one file: what [`Ask::Archive`](crate::Ask::Archive) asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "handlers write it as a literal")]
pub struct ArchiveRequest {
    /// The directory.
    pub path: Path,
    /// The form of the archive.
    pub format: ArchiveFormat,
    /// Whether names that begin with a dot belong into it.
    pub hidden: bool,
}

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchiveFormat {
    /// POSIX pax, which is ustar where that is enough.
    Tar,
    /// Zip, everything in it as it is; zip64 where that is needed.
    Zip,
}
