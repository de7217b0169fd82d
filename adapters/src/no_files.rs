//! [`NoFiles`]: for handlers that need no files.

use std::sync::Arc;

use sanserve_core::{Ask, Entries, FileSystem, FsError, Got, Opened, Path};

use crate::Open;

/// A file system without files, for a server whose handler makes its replies itself.
#[derive(Clone, Copy, Debug, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "it is a value, and has nothing in it"
)]
pub struct NoFiles;

impl FileSystem for NoFiles {
    type File = Open;

    fn open(&self, _: &Path) -> Result<Opened<Open>, FsError> {
        Err(FsError::NotFound)
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, _: &mut Open, _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Err(FsError::NotFound)
    }

    fn try_answer(&self, ask: &Ask) -> Got<Open> {
        self.answer(ask)
    }
}
