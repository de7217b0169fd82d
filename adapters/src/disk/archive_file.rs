//! [`ArchiveFile`]: an archive of a directory of a [`Disk`](super::Disk), which is read like a file.

use std::fs::File;
use std::sync::Arc;

use sanserve_core::ArchiveRequest;
use sanserve_core::archive::Archive;
use sanserve_core::{Entries, FileSystem, FsError, Got, Opened, Path};

use super::fs_error;
use super::tree::Tree;

/// An open archive, see [`Archive`].
#[derive(Debug)]
pub(super) struct ArchiveFile {
    archive: Archive<File>,
    files: Uncached,
    /// Counts the open archives.
    _count: Arc<()>,
}

impl ArchiveFile {
    /// Opens the archive of a directory. `open_archives` is shared by all archives of a disk.
    pub(super) fn open(
        tree: Arc<Tree>,
        request: &ArchiveRequest,
        open_archives: &Arc<()>,
    ) -> Result<Opened<ArchiveFile>, FsError> {
        let count = Arc::clone(open_archives);
        // The disk holds one of the references.
        if Arc::strong_count(open_archives) > ARCHIVES_MAX + 1 {
            return Err(FsError::NoResources);
        }
        let files = Uncached(tree);
        let opened = Archive::open(&files, request)?;
        Ok(opened.map(|archive| ArchiveFile {
            archive,
            files,
            _count: count,
        }))
    }

    pub(super) fn fill<F>(&mut self, at: u64, into: &mut [u8]) -> Got<F> {
        self.archive.fill(&self.files, at, into)
    }
}

/// The same files without the cache: reading all of them would evict the files that others request.
#[derive(Debug)]
struct Uncached(Arc<Tree>);

impl FileSystem for Uncached {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        let at = self.0.settings.locate(path)?;
        let file = self.0.open_file(&at).map_err(|error| fs_error(&error))?;
        let found = file.metadata().map_err(|error| fs_error(&error))?;
        if found.is_dir() {
            return Ok(Opened::Directory);
        }
        let meta = self.0.settings.versions.regular_file(&found)?;
        Ok(Opened::File {
            file,
            meta,
            sendable: false,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let at = self.0.settings.locate(path)?;
        self.0.list(&at, true)?.ok_or(FsError::NoResources)
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        super::read(file, at, into)
    }
}

/// The maximum number of open archives. Each needs memory for all its names, and a thread while it is planned
/// or its checksums are computed. Half of the threads of the pool remain for others.
const ARCHIVES_MAX: usize = 16;
