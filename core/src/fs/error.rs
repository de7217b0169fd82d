//! [`FsError`]: the errors of a file system.

use core::error::Error;
use core::fmt::{self, Display};

/// An error of a file system.
///
/// Its `Display` is a clause that can follow a colon, such as `no space left`. Clients never see it: services have
/// replies of their own for each.
///
/// The enum is not exhaustive: another reason may come, which a handler should answer as it answers
/// [`Io`](FsError::Io).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsError {
    /// Nothing has this name.
    NotFound,
    /// A symbolic link in the path leads out of the root and is not followed. Clients get the same reply as for a
    /// missing file; the log has the reason.
    OutsideRoot,
    /// The file exists but may not be read.
    Forbidden,
    /// The path names neither a regular file nor a directory, or not the one that was asked for.
    NotRegularFile,
    /// This file system does not support the operation.
    Unsupported,
    /// The system has not enough memory or file descriptors left to tell whether the file exists.
    NoResources,
    /// The name exists but must not, or names something other than expected.
    Exists,
    /// The disk or the quota is full.
    NoSpace,
    /// The name or the path is longer than the file system allows. A client that only asks for it gets the reply for a
    /// missing file; no archive is made of a directory that contains such a path.
    TooLong,
    /// No file can have this name here. A client that only asks for it gets the reply for a missing file.
    InvalidName,
    /// There are too many entries or bytes, as in an archive with a limit.
    TooMany,
    /// Any other error of the device or the system.
    Io,
}

impl Display for FsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            FsError::NotFound => "no such file or directory",
            FsError::OutsideRoot => "a symbolic link leads out of the directory",
            FsError::Forbidden => "permission denied",
            FsError::NotRegularFile => "not a regular file",
            FsError::Unsupported => "not supported by this file system",
            FsError::NoResources => "not enough memory or file descriptors",
            FsError::Exists => "a file with this name exists",
            FsError::NoSpace => "no space left",
            FsError::TooLong => "the name is too long",
            FsError::InvalidName => "no file can have this name",
            FsError::TooMany => "too many at the same time",
            FsError::Io => "input/output error",
        })
    }
}

impl Error for FsError {}
