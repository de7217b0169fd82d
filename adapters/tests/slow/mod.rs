//! Files that can be had only when the test lets them.

use std::fs;
use std::sync::{Arc, Condvar, Mutex};

use sanserve_core::{Ask, Entries, FileSystem, FsError, Got, Opened, Path};
use sanserve_server::{Disk, Open};
use tempfile::TempDir;

/// A disk that answers for some names only when it is let.
#[derive(Clone)]
pub(crate) struct Slow {
    disk: Arc<Disk>,
    go: Arc<(Mutex<bool>, Condvar)>,
}

impl Slow {
    /// Over the site's files, with two more: `slow` to open, and `read` to read.
    pub(crate) fn new(site: &TempDir) -> Slow {
        fs::write(site.path().join("slow"), "hi").unwrap();
        fs::write(site.path().join("read"), "slow to read").unwrap();
        let disk = Arc::new(Disk::open(site.path()).unwrap());
        let go = Arc::default();
        Slow { disk, go }
    }

    fn wait(&self) {
        let (go, changed) = &*self.go;
        drop(changed.wait_while(go.lock().unwrap(), |go| !*go).unwrap());
    }

    /// Lets it.
    pub(crate) fn go(&self) {
        *self.go.0.lock().unwrap() = true;
        self.go.1.notify_all();
    }
}

impl FileSystem for Slow {
    type File = Open;

    fn open(&self, path: &Path) -> Result<Opened<Open>, FsError> {
        if path.as_bytes() == b"slow" {
            self.wait();
        }
        self.disk.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.disk.list(path)
    }

    fn read(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let n = self.disk.read(file, at, into)?;
        if into.starts_with(b"slow") {
            self.wait();
        }
        Ok(n)
    }

    fn try_answer(&self, ask: &Ask) -> Got<Open> {
        match ask {
            Ask::Open(path) if path.as_bytes() == b"a.txt" => self.disk.try_answer(ask),
            _ => Got::Nothing,
        }
    }
}
