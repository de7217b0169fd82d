//! [`FsFailure`]: an error that the file system has returned, and the operation that failed.

use sanserve_core::{Ask, FsError};

/// A failed operation of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FsFailure {
    /// The operation.
    pub operation: FsOperation,
    /// Its error.
    pub error: FsError,
}

/// The operations of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsOperation {
    /// `Ask::Open`.
    Open,
    /// `Ask::List`.
    List,
    /// `Ask::Run`.
    Run,
    /// `Ask::Verify`.
    Verify,
    /// `Ask::Archive`.
    Archive,
    /// `Ask::Create`.
    Create,
    /// `Ask::Change`.
    Change,
    /// `Ask::Upload`.
    Upload,
    /// `Want::ReadFile`.
    Read,
    /// `Want::Copy`.
    Copy,
    /// `Want::WriteFile`.
    Write,
    /// `Want::Commit`.
    Commit,
}

impl FsOperation {
    /// All operations. In a world each may fail with each of [`FS_ERRORS`].
    pub const ALL: [FsOperation; 12] = [
        FsOperation::Open,
        FsOperation::List,
        FsOperation::Run,
        FsOperation::Verify,
        FsOperation::Archive,
        FsOperation::Create,
        FsOperation::Change,
        FsOperation::Upload,
        FsOperation::Read,
        FsOperation::Copy,
        FsOperation::Write,
        FsOperation::Commit,
    ];

    /// Returns the operation of a question.
    pub(super) fn of(ask: &Ask) -> FsOperation {
        match ask {
            Ask::Open(_) => FsOperation::Open,
            Ask::List(_) => FsOperation::List,
            Ask::Run(_) => FsOperation::Run,
            Ask::Verify(_) => FsOperation::Verify,
            Ask::Archive(_) => FsOperation::Archive,
            Ask::Create(_) => FsOperation::Create,
            Ask::Change(_) => FsOperation::Change,
            Ask::Upload(_) => FsOperation::Upload,
            other => unreachable!("no operation for {other:?}"),
        }
    }
}

/// All errors of a file system.
pub const FS_ERRORS: [FsError; 12] = [
    FsError::NotFound,
    FsError::OutsideRoot,
    FsError::Forbidden,
    FsError::NotRegularFile,
    FsError::Unsupported,
    FsError::NoResources,
    FsError::Exists,
    FsError::NoSpace,
    FsError::TooLong,
    FsError::InvalidName,
    FsError::TooMany,
    FsError::Io,
];

/// Returns the error with this name, as `Debug` writes it.
pub(crate) fn read_fs_error(name: &str) -> Option<FsError> {
    let mut all = FS_ERRORS.into_iter();
    all.find(|error| format!("{error:?}") == name)
}
