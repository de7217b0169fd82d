//! [`RegularFile`]: a regular file that is open for reading, or the entry of the cache that has its content.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::sync::Arc;

#[cfg(target_os = "linux")]
use sanserve_core::Opened;

#[cfg(target_os = "linux")]
use super::cache::CachedFile;

/// A regular file of a [`Tree`](super::tree::Tree), open for reading.
#[derive(Debug)]
pub(super) enum RegularFile {
    /// An open file of the system.
    File(File),
    /// A cached file: in memory if it is small, otherwise open.
    #[cfg(target_os = "linux")]
    Cached(Arc<CachedFile>),
}

impl RegularFile {
    /// Returns the file of the system, unless the content is in memory.
    pub(super) fn file(&self) -> Option<&File> {
        match self {
            RegularFile::File(file) => Some(file),
            #[cfg(target_os = "linux")]
            RegularFile::Cached(cached) => cached.file(),
        }
    }

    /// Returns a cached file.
    #[cfg(target_os = "linux")]
    pub(super) fn opened(cached: Arc<CachedFile>) -> Opened<RegularFile> {
        Opened::File {
            meta: cached.meta,
            sendable: cached.file().is_some(),
            file: RegularFile::Cached(cached),
        }
    }

    /// Returns the cached file, if it is one.
    #[cfg(target_os = "linux")]
    pub(super) fn cached(&self) -> Option<&Arc<CachedFile>> {
        match self {
            RegularFile::Cached(cached) => Some(cached),
            RegularFile::File(_) => None,
        }
    }
}
