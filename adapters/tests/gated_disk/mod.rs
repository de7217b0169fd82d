//! [`GatedDisk`]: a disk that holds back some of its answers until the test releases them.

use std::fs;
use std::sync::{Arc, Condvar, Mutex};

use sanserve_core::{Ask, Entries, FileSystem, FsError, Got, Opened, Path};
use sanserve_server::{Disk, OpenFile};
use tempfile::TempDir;

/// A disk that blocks when `slow-open` is opened or `slow-read` is read, until it is released.
#[derive(Clone)]
pub(crate) struct GatedDisk {
    disk: Arc<Disk>,
    released: Arc<(Mutex<bool>, Condvar)>,
}

impl GatedDisk {
    /// Opens a directory, and adds the two slow files to it.
    pub(crate) fn new(site: &TempDir) -> GatedDisk {
        fs::write(site.path().join("slow-open"), "hi").unwrap();
        fs::write(site.path().join("slow-read"), "slow to read").unwrap();
        let disk = Arc::new(Disk::open(site.path()).unwrap());
        let released = Arc::default();
        GatedDisk { disk, released }
    }

    fn wait(&self) {
        let (released, changed) = &*self.released;
        let guard = released.lock().unwrap();
        drop(changed.wait_while(guard, |released| !*released).unwrap());
    }

    /// Lets the blocked calls and all later ones return.
    pub(crate) fn release(&self) {
        *self.released.0.lock().unwrap() = true;
        self.released.1.notify_all();
    }
}

impl FileSystem for GatedDisk {
    type File = OpenFile;

    fn open(&self, path: &Path) -> Result<Opened<OpenFile>, FsError> {
        if path.as_bytes() == b"slow-open" {
            self.wait();
        }
        self.disk.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.disk.list(path)
    }

    fn read(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let n = self.disk.read(file, at, into)?;
        if into.starts_with(b"slow") {
            self.wait();
        }
        Ok(n)
    }

    fn try_answer(&self, ask: &Ask) -> Got<OpenFile> {
        match ask {
            Ask::Open(path) if path.as_bytes() == b"a.txt" => self.disk.try_answer(ask),
            _ => Got::Nothing,
        }
    }
}
