//! [`FsError`]: why a file system has no better answer.

/// Why a file system has no better answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsError {
    /// There is no such thing.
    NotFound,
    /// A symbolic link on the way to it leads out of the tree, and is not followed. Clients are told that there is no such
    /// thing, and the log says why.
    LeadsOut,
    /// It is there but may not be read.
    Forbidden,
    /// It is neither a file nor a directory, or not the one that was asked for.
    NotRegularFile,
    /// This file system has no such thing.
    Unsupported,
    /// The system has too little left to tell, of memory or of descriptors: it may be there.
    NoResources,
    /// There is something, where there must be nothing or something else.
    Exists,
    /// There is no room for it.
    NoSpace,
    /// Its name, or its path, is longer than one can be here. A client that only asks for it is told that it is not there;
    /// no archive is made of a directory that has it somewhere below.
    TooLong,
    /// Nothing here can have that name. A client that only asks for it is told that it is not there.
    InvalidName,
    /// There is more than can be dealt with at once.
    TooMany,
    /// Anything else that goes wrong with a disk.
    Io,
}
