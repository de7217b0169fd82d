//! [`Tree`]: what an exchange needs to have of files.

use sanserve_core::{Ask, FsError, Got};
use web_sys::Blob;

/// Files that are waited for: the wants of a connection, answered with an `await`.
pub(crate) trait Tree {
    type File;

    async fn answer(&self, ask: &Ask) -> Got<Self::File>;

    async fn fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File>;

    /// That part of a file, by reference; only of a file that was opened as one that can be sent.
    fn part(&self, file: &Self::File, at: u64, len: u64) -> Option<Blob>;

    fn answer_write(&self, _file: &mut Self::File, _from: &[u8]) -> Got<Self::File> {
        Got::Refused(FsError::Unsupported)
    }
}
