//! [`Packed`]: a directory of a [`Disk`](super::Disk) as one file.

use std::fs::File;
use std::sync::Arc;

use sanserve_core::ArchiveRequest;
use sanserve_core::archive::Archive;
use sanserve_core::{Entries, FileSystem, FsError, Got, Opened, Path};

use super::reason;
use super::tree::Tree;

/// An archive that is open, see [`Archive`].
#[derive(Debug)]
pub(super) struct Packed {
    archive: Archive<File>,
    files: Fresh,
    /// Its place among those that there may be at a time.
    _place: Arc<()>,
}

impl Packed {
    /// The archive of a directory. `places` is shared by those of one disk.
    pub(super) fn open(
        tree: Arc<Tree>,
        pack: &ArchiveRequest,
        places: &Arc<()>,
    ) -> Result<Opened<Packed>, FsError> {
        let place = Arc::clone(places);
        // The disk has one itself.
        if Arc::strong_count(places) > PLACES + 1 {
            return Err(FsError::NoResources);
        }
        let files = Fresh(tree);
        let opened = Archive::open(&files, pack)?;
        Ok(opened.map(|archive| Packed {
            archive,
            files,
            _place: place,
        }))
    }

    pub(super) fn fill<F>(&mut self, at: u64, into: &mut [u8]) -> Got<F> {
        self.archive.fill(&self.files, at, into)
    }
}

/// The same files, each asked of the system anew: whoever reads all of them would drive out what others
/// ask for.
#[derive(Debug)]
struct Fresh(Arc<Tree>);

impl FileSystem for Fresh {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        let at = self.0.settings.locate(path)?;
        let file = self.0.open_file(&at).map_err(|error| reason(&error))?;
        let found = file.metadata().map_err(|error| reason(&error))?;
        if found.is_dir() {
            return Ok(Opened::Directory);
        }
        let meta = self.0.settings.versions.plain(&found)?;
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

/// As many archives as may be open at a time. Each takes memory for all names in it, and a thread while
/// it is laid out or its sums are made: half of those that wait for disks are left to others.
const PLACES: usize = 16;
