//! [`Packed`]: a directory of a [`Disk`] as one file.

use std::fs::File;
use std::sync::Arc;

use sanserve_core::archive::{Archive, Pack};
use sanserve_core::{Entries, FileSystem, FsError, Got, Opened, Path};

use super::{Disk, Open, native, plain, reason};

/// An archive that is open, see [`Archive`].
#[derive(Debug)]
pub struct Packed {
    archive: Archive<File>,
    /// Its place among those that there may be at a time.
    _place: Arc<()>,
}

impl Packed {
    /// The archive of a directory. `places` is shared by those of one disk.
    pub(super) fn open(
        disk: &Disk,
        pack: &Pack,
        places: &Arc<()>,
    ) -> Result<Opened<Open>, FsError> {
        let place = Arc::clone(places);
        // The disk has one itself.
        if Arc::strong_count(places) > PLACES + 1 {
            return Err(FsError::Exhausted);
        }
        let hold = |archive| {
            Open::Packed(Box::new(Packed {
                archive,
                _place: place,
            }))
        };
        Ok(Archive::open(&Fresh(disk), pack)?.map(hold))
    }

    pub(super) fn fill(&mut self, disk: &Disk, at: u64, into: &mut [u8]) -> Got<Open> {
        self.archive.fill(&Fresh(disk), at, into)
    }
}

/// The same files, each asked of the system anew: whoever reads all of them would drive out what others
/// ask for. And each with the best that is known of its state, since nobody else sees that.
struct Fresh<'a>(&'a Disk);

impl FileSystem for Fresh<'_> {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        let at = self.0.locate(path)?;
        let file = self.0.open_file(&at).map_err(|error| reason(&error))?;
        let found = file.metadata().map_err(|error| reason(&error))?;
        if found.is_dir() {
            return Ok(Opened::Directory);
        }
        let mut meta = plain(&found)?;
        meta.version = native::state(&found).or(meta.version);
        Ok(Opened::File {
            file,
            meta,
            sendable: false,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.0.list(path)
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        super::read(file, at, into)
    }
}

/// As many archives as may be open at a time. Each takes memory for all names in it, and a thread while
/// it is laid out or its sums are made: half of those that wait for disks are left to others.
const PLACES: usize = 16;
