//! [`Opened`]: what was found under a path.

#[cfg(doc)]
use super::Ask;
use super::Meta;

/// What was found under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opened<F> {
    /// A regular file, open for reading.
    File {
        /// The open file.
        file: F,
        /// What is known of it, as of the moment of opening.
        meta: Meta,
        /// Whether the adapter can answer [`Want::Copy`](crate::Want::Copy) for it.
        sendable: bool,
    },
    /// A directory.
    Directory,
    /// A program, in answer to [`Ask::Run`] only.
    Process(F),
    /// A file that is being created, in answer to [`Ask::Create`] only.
    Writer(F),
}

impl<F> Opened<F> {
    /// Returns the same, not [`sendable`](Opened::File): for adapters that cannot answer [`Want::Copy`](crate::Want::Copy) for this file.
    #[must_use]
    pub fn unsendable(mut self) -> Opened<F> {
        if let Opened::File { sendable, .. } = &mut self {
            *sendable = false;
        }
        self
    }

    /// The same, with what is open as `hold` makes it.
    pub fn map<T>(self, hold: impl FnOnce(F) -> T) -> Opened<T> {
        match self {
            Opened::File {
                file,
                meta,
                sendable,
            } => Opened::File {
                file: hold(file),
                meta,
                sendable,
            },
            Opened::Directory => Opened::Directory,
            Opened::Process(file) => Opened::Process(hold(file)),
            Opened::Writer(file) => Opened::Writer(hold(file)),
        }
    }
}
