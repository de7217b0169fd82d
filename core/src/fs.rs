//! What a file system has to be able to do, whether it is a disk, flash memory or a map.
//!
//! [`FileSystem`] is the synchronous interpreter of [`Ask`] and [`Want::Fill`]. An adapter whose
//! files are reached by `.await` answers those wants itself and needs no `FileSystem`.
//!
//! [`Want::Fill`]: crate::Want::Fill

use alloc::vec::Vec;

use crate::{Ask, Got, Path};

/// A tree of files to serve. `&self` throughout: one file system serves all connections.
pub trait FileSystem {
    /// An open file. The connection owns it while it sends it, and drops it afterwards.
    type File;

    /// Opens what `path` names and says what it is, in one step: the metadata must be that of the
    /// opened file. A directory is an answer, not an error. Must not block on a FIFO, must not
    /// touch a device, and must not leave the tree.
    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError>;

    /// What the directory holds, without `.` and `..`, in any order.
    fn list(&self, path: &Path) -> Result<Vec<Entry>, FsError>;

    /// Reads at offset `at`. Fewer bytes than there is room for are fine; 0 says that the file has
    /// ended.
    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError>;

    /// Answers [`Want::Ask`](crate::Want::Ask).
    fn answer(&self, ask: &Ask) -> Got<Self::File> {
        match ask {
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::List(path) => Got::Listed(self.list(path)),
        }
    }

    /// Answers [`Want::Fill`](crate::Want::Fill).
    fn fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File> {
        self.read(file, at, into).map_or(Got::Failed, Got::Bytes)
    }
}

/// What was found under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Length in bytes.
    pub len: u64,
    /// Time of the last change in whole seconds since 1970 (rounded down), if it is known.
    pub modified: Option<i64>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name: any bytes but `/` and NUL, not necessarily UTF-8.
    pub name: Vec<u8>,
    /// Whether it is a directory, or a link to one.
    pub directory: bool,
    /// Whether it is a symbolic link.
    pub link: bool,
}

/// Why a file system has no better answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsError {
    /// There is no such thing, or it lies outside of the tree.
    NotFound,
    /// It is there but may not be read.
    Forbidden,
    /// It is neither a file nor a directory, or not the one that was asked for.
    NotPlain,
    /// Anything else that goes wrong with a disk.
    Broken,
}
