//! [`AsyncFileSystem`]: the trait of a file system whose operations are awaited. The files of a page and the site of
//! the conformance cases implement it.

use sanserve_core::{Ask, FsError, Got};
use web_sys::Blob;

/// A file system whose answers are awaited.
pub(crate) trait AsyncFileSystem {
    type File;

    async fn answer(&self, ask: &Ask) -> Got<Self::File>;

    async fn fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File>;

    /// Returns a part of a file, by reference. Only for a file that was opened as sendable.
    fn slice(&self, file: &Self::File, at: u64, len: u64) -> Option<Blob>;

    fn answer_write(&self, _file: &mut Self::File, _from: &[u8]) -> Got<Self::File> {
        Got::Refused(FsError::Unsupported)
    }
}
