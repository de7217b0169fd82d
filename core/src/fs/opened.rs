//! [`Opened`]: the result of opening a file or directory, or of preparing a CGI script or a new file.

#[cfg(doc)]
use super::Ask;
use super::{Meta, UploadState};

/// The result of opening a path, or of preparing a CGI script or a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opened<F> {
    /// A regular file, open for reading.
    File {
        /// The open file.
        file: F,
        /// Its metadata at the time of opening.
        meta: Meta,
        /// Whether the adapter can answer [`Want::Copy`](crate::Want::Copy) for it.
        sendable: bool,
    },
    /// A directory.
    Directory,
    /// A CGI process, in answer to [`Ask::Run`] only.
    Process(F),
    /// A file that is being created, in answer to [`Ask::Create`] only.
    Writer(F),
    /// A file that is being created by an upload that can be resumed, in answer to [`Ask::Upload`] only. Dropping it
    /// keeps the upload.
    Upload {
        /// The file.
        file: F,
        /// How far the upload is.
        state: UploadState,
    },
}

impl<F> Opened<F> {
    /// Returns the same, but not [`sendable`](Opened::File): for adapters that cannot answer
    /// [`Want::Copy`](crate::Want::Copy) for this file.
    #[must_use]
    pub fn unsendable(mut self) -> Opened<F> {
        if let Opened::File { sendable, .. } = &mut self {
            *sendable = false;
        }
        self
    }

    /// Returns the same, with the open file converted by `convert`.
    pub fn map<T>(self, convert: impl FnOnce(F) -> T) -> Opened<T> {
        match self {
            Opened::File {
                file,
                meta,
                sendable,
            } => Opened::File {
                file: convert(file),
                meta,
                sendable,
            },
            Opened::Directory => Opened::Directory,
            Opened::Process(file) => Opened::Process(convert(file)),
            Opened::Writer(file) => Opened::Writer(convert(file)),
            Opened::Upload { file, state } => Opened::Upload {
                file: convert(file),
                state,
            },
        }
    }
}
