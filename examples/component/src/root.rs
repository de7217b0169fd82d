//! [`Root`]: the files to serve, either in a directory of the host or built into the component.

use std::sync::Arc;

use sanserve_core::{Entries, FileSystem, FsError, Opened, Path};
use sanserve_server::Flash;
use sanserve_server::wasi_sockets::{Disk, OpenFile};

static SITE: Flash = include!(concat!(env!("OUT_DIR"), "/site.rs"));

pub(crate) enum Root {
    Host(Disk),
    BuiltIn,
}

pub(crate) enum File {
    Host(OpenFile),
    BuiltIn(&'static [u8]),
}

impl Root {
    /// Opens the directory that the host grants as `/`, or else the built-in files.
    pub(crate) fn find() -> Root {
        Disk::open("/").map_or(Root::BuiltIn, Root::Host)
    }
}

impl FileSystem for Root {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        match self {
            Root::Host(disk) => Ok(disk.open(path)?.map(File::Host)),
            Root::BuiltIn => Ok(SITE.open(path)?.map(File::BuiltIn)),
        }
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        match self {
            Root::Host(disk) => disk.list(path),
            Root::BuiltIn => SITE.list(path),
        }
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        match (self, file) {
            (Root::Host(disk), File::Host(file)) => disk.read(file, at, into),
            (_, File::BuiltIn(file)) => SITE.read(file, at, into),
            _ => Err(FsError::Io),
        }
    }
}
