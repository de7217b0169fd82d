//! [`NoFiles`]: the file system for handlers that need no files.

use std::convert::Infallible;
use std::sync::Arc;

use sanserve_core::{Ask, Entries, FileSystem, FsError, Got, Opened, Path};

/// A file system without files, for servers whose handler generates all replies.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no content")]
pub struct NoFiles;

impl FileSystem for NoFiles {
    /// Never exists, because no file is ever open.
    type File = Infallible;

    fn open(&self, _: &Path) -> Result<Opened<Infallible>, FsError> {
        Err(FsError::NotFound)
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, file: &mut Infallible, _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        match *file {}
    }

    fn try_answer(&self, ask: &Ask) -> Got<Infallible> {
        self.answer(ask)
    }
}
