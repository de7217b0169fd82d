//! [`RegularFile`]: a regular file that is open.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::sync::Arc;

#[cfg(target_os = "linux")]
use sanserve_core::Opened;

#[cfg(target_os = "linux")]
use super::cache::Kept;

/// A regular file of a [`Tree`](super::tree::Tree), open for reading.
#[derive(Debug)]
pub(super) enum RegularFile {
    /// An open file of the system.
    File(File),
    /// One of the cache: in memory if it is small, else open.
    #[cfg(target_os = "linux")]
    Kept(Arc<Kept>),
}

impl RegularFile {
    /// Returns the open file of the system, unless the content is in memory.
    pub(super) fn file(&self) -> Option<&File> {
        match self {
            RegularFile::File(file) => Some(file),
            #[cfg(target_os = "linux")]
            RegularFile::Kept(kept) => kept.file(),
        }
    }

    /// Hands out a file of the cache.
    #[cfg(target_os = "linux")]
    pub(super) fn opened(kept: Arc<Kept>) -> Opened<RegularFile> {
        Opened::File {
            meta: kept.meta,
            sendable: kept.file().is_some(),
            file: RegularFile::Kept(kept),
        }
    }

    /// Returns the file of the cache, if it is one.
    #[cfg(target_os = "linux")]
    pub(super) fn kept(&self) -> Option<&Arc<Kept>> {
        match self {
            RegularFile::Kept(kept) => Some(kept),
            RegularFile::File(_) => None,
        }
    }
}
