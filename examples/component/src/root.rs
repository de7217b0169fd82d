//! [`Root`]: what is served, a directory of the host's or files that were built in.

use std::sync::Arc;

use sanserve_core::{Entries, FileSystem, FsError, Opened, Path};
use sanserve_server::Flash;
use sanserve_server::wasi_sockets::{Disk, Open};

static SITE: Flash = include!(concat!(env!("OUT_DIR"), "/site.rs"));

pub(crate) enum Root {
    Given(Disk),
    BuiltIn,
}

pub(crate) enum File {
    Given(Open),
    BuiltIn(&'static [u8]),
}

impl Root {
    /// The directory that the host hands over as `/`; where there is none, what was built in.
    pub(crate) fn find() -> Root {
        Disk::open("/").map_or(Root::BuiltIn, Root::Given)
    }
}

impl FileSystem for Root {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        match self {
            Root::Given(disk) => Ok(disk.open(path)?.map(File::Given)),
            Root::BuiltIn => Ok(SITE.open(path)?.map(File::BuiltIn)),
        }
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        match self {
            Root::Given(disk) => disk.list(path),
            Root::BuiltIn => SITE.list(path),
        }
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        match (self, file) {
            (Root::Given(disk), File::Given(file)) => disk.read(file, at, into),
            (_, File::BuiltIn(file)) => SITE.read(file, at, into),
            _ => Err(FsError::Io),
        }
    }
}
