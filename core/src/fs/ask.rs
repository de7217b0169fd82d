//! [`Ask`]: a question to the file system, with the types of what it asks for, and [`Got`]: the adapter's answer to any
//! want.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::fs::{Credentials, Entries, FsError, Meta, Opened, Path, UploadToken};
use crate::sync::Arc;

/// A question to the file system. More may be added: answer an unknown one with [`Got::Opened`] and
/// [`FsError::Unsupported`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// Open the file or directory at this path. The answer is [`Got::Opened`].
    Open(Path),
    /// List this directory. The answer is [`Got::Listed`].
    List(Path),
    /// Prepare to run this CGI script. The answer is [`Got::Opened`] with [`Opened::Process`].
    Run(Box<CgiScript>),
    /// Verify these credentials. The answer is [`Got::Verified`].
    Verify(Box<Credentials>),
    /// Open a directory as one archive file. The answer is [`Got::Opened`] with [`Opened::File`].
    Archive(Box<ArchiveRequest>),
    /// Begin to create a file. The answer is [`Got::Opened`] with [`Opened::Writer`].
    Create(Box<Create>),
    /// Create a directory, or remove a file or an empty directory. The answer is [`Got::Committed`].
    Change(Box<Change>),
    /// Begin, resume or cancel an upload that can be resumed. The answer is [`Got::Opened`] with [`Opened::Upload`].
    Upload(Box<UploadRequest>),
}

/// The adapter's answer to a [`Want`](crate::Want).
#[derive(Debug)]
#[non_exhaustive]
pub enum Got<F> {
    /// The operation has not happened (yet), or has no result. Also the argument of the first step.
    Nothing,
    /// This many bytes were transferred.
    Bytes(usize),
    /// An answer to [`Want::ReadFile`](crate::Want::ReadFile), which is then wanted again: lines that the CGI process
    /// has written to its standard error, or a message about how it ended. They are logged.
    Note(String),
    /// An answer to [`Want::ReadFile`](crate::Want::ReadFile), which is then wanted again: the bytes are still being
    /// produced. The deadline is renewed, up to [`Timeouts::work`](crate::Timeouts::work), and buffered output is sent
    /// to the peer first.
    Working,
    /// The answer to [`Ask::Open`], [`Ask::Run`], [`Ask::Archive`], [`Ask::Create`] and [`Ask::Upload`].
    Opened(Result<Opened<F>, FsError>),
    /// The answer to [`Ask::List`].
    Listed(Result<Arc<Entries>, FsError>),
    /// The answer to [`Ask::Verify`].
    Verified(Result<(), FsError>),
    /// The answer to [`Want::Commit`](crate::Want::Commit) and [`Ask::Change`].
    Committed(Result<(), FsError>),
    /// The answer to [`Want::Wait`](crate::Want::Wait): the waker was woken, or may have been.
    Woken,
    /// The operation on the file or CGI process failed: an answer to [`Want::ReadFile`](crate::Want::ReadFile),
    /// [`Copy`](crate::Want::Copy) and [`WriteFile`](crate::Want::WriteFile).
    Refused(FsError),
    /// The transport is broken.
    Failed,
}

impl<F> Got<F> {
    /// Returns the same answer, but an opened file is not [`sendable`](Opened::File): for transports that cannot send a
    /// file by reference, such as TLS.
    #[must_use]
    pub fn unsendable(self) -> Got<F> {
        match self {
            Got::Opened(Ok(opened)) => Got::Opened(Ok(opened.unsendable())),
            got => got,
        }
    }

    /// Returns the same answer with the open file converted by `convert`: for adapters that store more than the file.
    pub fn map<T>(self, convert: impl FnOnce(F) -> T) -> Got<T> {
        match self {
            Got::Opened(result) => Got::Opened(result.map(|opened| opened.map(convert))),
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

/// A CGI script to run, with its arguments and environment (RFC 3875).
///
/// [`Ask::Run`] prepares it, [`Want::WriteFile`](crate::Want::WriteFile) writes the request's content to its standard
/// input, and the first [`Want::ReadFile`](crate::Want::ReadFile) starts the process and reads its standard output: so
/// its input is complete by then, and its length known. Dropping the process kills it, and all processes that it
/// started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "handlers write it as a literal")]
pub struct CgiScript {
    /// The path of the script.
    pub path: Path,
    /// The arguments, without the name of the script.
    pub args: Vec<Vec<u8>>,
    /// The environment variables, each of which occurs once. `CONTENT_LENGTH` is not among them: the file system sets
    /// it to the number of bytes that were written to standard input, if there were any.
    pub env: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The path for the variable `PATH_TRANSLATED`, which the file system converts to a path of the operating system.
    pub path_translated: Path,
}

/// A file to create.
///
/// [`Ask::Create`] begins it, and [`Want::WriteFile`](crate::Want::WriteFile) appends its content. It stays invisible
/// until [`Want::Commit`](crate::Want::Commit) gives it its name in an atomic step, which fails if the file that it
/// [`replaces`](Self::replaces) has changed meanwhile. Dropping it before that leaves nothing behind. A file that needs
/// a temporary name has one that begins with [`Path::TEMPORARY_PREFIX`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "handlers write it as a literal")]
pub struct Create {
    /// The path of the file.
    pub path: Path,
    /// The number of directories at the end of the path that may be missing. They are created when the file is
    /// committed, with the system's default permissions. If more are missing, the error is [`FsError::NotFound`].
    pub directories_max: usize,
    /// The file that it replaces. If `None`, the name must not exist.
    pub replaces: Option<Meta>,
    /// The length of the file in bytes, if it is known.
    pub len: Option<u64>,
}

impl Create {
    /// Returns a file of any length to create at this path, in a directory that exists. The name must not exist.
    #[must_use]
    pub fn new(path: Path) -> Create {
        Create {
            path,
            directories_max: 0,
            replaces: None,
            len: None,
        }
    }
}

/// A change to the tree that happens in one step, see [`Ask::Change`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Create a directory, with the system's default permissions. If the name exists, the error is
    /// [`FsError::Exists`].
    CreateDirectory {
        /// The path of the directory.
        path: Path,
        /// The number of directories above it that may be missing. They are created, too. If more are missing, the
        /// error is [`FsError::NotFound`].
        directories_max: usize,
    },
    /// Remove a file. A symbolic link is not a file; the error is then [`FsError::NotRegularFile`].
    RemoveFile {
        /// The path of the file.
        path: Path,
        /// The metadata of the file, as it was opened. If the file is another one by now, it is not removed; the
        /// error is [`FsError::Exists`].
        meta: Meta,
    },
    /// Remove a directory that is empty. If it has entries, even hidden ones, the error is [`FsError::Exists`]. A
    /// symbolic link is not a directory; the error is then [`FsError::NotRegularFile`].
    RemoveDirectory {
        /// The path of the directory.
        path: Path,
    },
}

impl Change {
    /// Returns the path of the file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        let (Change::CreateDirectory { path, .. }
        | Change::RemoveFile { path, .. }
        | Change::RemoveDirectory { path }) = self;
        path
    }
}

/// A question about an upload that can be resumed, see [`Ask::Upload`].
///
/// Unlike a file that is created with [`Ask::Create`], an upload stays when its connection ends, so
/// that another one can [resume](Self::Resume) it. Only the connection that began or resumed it last may write to it
/// and commit it; for all others, writing fails with [`FsError::NotFound`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UploadRequest {
    /// Begin an upload of this file. If there are too many unfinished uploads, the error is [`FsError::TooMany`].
    Begin(Create),
    /// Continue an upload, or find out how far it is. If there is none with this path and token, the error is
    /// [`FsError::NotFound`].
    Resume {
        /// The path of the file.
        path: Path,
        /// The token of the upload.
        token: UploadToken,
        /// The offset in bytes at which the client continues. `None` if it only asks.
        offset: Option<u64>,
        /// The length of the whole file in bytes, if the client says it. It is stored if none is known yet and the
        /// offset is right.
        len: Option<u64>,
    },
    /// Remove an upload with everything that was stored, even if another connection is writing to it. If there is none
    /// with this path and token, the error is [`FsError::NotFound`].
    Cancel {
        /// The path of the file.
        path: Path,
        /// The token of the upload.
        token: UploadToken,
    },
}

impl UploadRequest {
    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        let (UploadRequest::Begin(Create { path, .. })
        | UploadRequest::Resume { path, .. }
        | UploadRequest::Cancel { path, .. }) = self;
        path
    }
}

/// A directory to be opened as one archive file, see [`Ask::Archive`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "handlers write it as a literal")]
pub struct ArchiveRequest {
    /// The directory.
    pub path: Path,
    /// The format of the archive.
    pub format: ArchiveFormat,
    /// Whether the archive includes names that begin with a dot.
    pub hidden: bool,
}

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchiveFormat {
    /// Tar, in the POSIX pax format, which is plain ustar where that suffices.
    Tar,
    /// Zip without compression, with zip64 where needed.
    Zip,
}
