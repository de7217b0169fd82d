//! [`SimulatedFiles`]: the file system of a world. The name of a file is its length, and which connection asks for it.
//! Some calls are answered at once and others by the pool; some fail.

use std::any::Any;
use std::sync::Arc;

use sanserve_core::{Ask, Create, Entries, FileSystem, FsError, Got, Meta, Opened, Path};

use super::kernel::SharedKernel;
use crate::simulation::{byte_at, parse};

/// Files of the lengths that their names say.
pub(super) struct SimulatedFiles {
    pub(super) kernel: SharedKernel,
    /// How rarely a call can be answered without the pool.
    pub(super) cold: usize,
}

/// An open file.
pub(super) struct SimulatedFile {
    kernel: SharedKernel,
    conn: usize,
    pub(super) len: u64,
    is_new: bool,
    /// How much of its connection had been read when it was opened.
    opened_at: usize,
}

impl SimulatedFiles {
    fn new_file(&self, conn: usize, len: u64, is_new: bool) -> SimulatedFile {
        let mut kernel = self.kernel.lock();
        kernel.files += 1;
        let opened_at = kernel.tcp[conn].read;
        drop(kernel);
        SimulatedFile {
            kernel: self.kernel.clone(),
            conn,
            len,
            is_new,
            opened_at,
        }
    }

    /// Returns whether a call can be made without the pool.
    fn is_warm(&self) -> bool {
        !self.kernel.lock().random.one_in(self.cold)
    }

    fn fails(&self, conn: usize) -> bool {
        let mut kernel = self.kernel.lock();
        if kernel.begins_job && kernel.tcp[conn].closed {
            kernel.fail(|| format!("a file is read for connection {conn}, which is closed"));
        }
        let faults = kernel.faults.files;
        let fails = kernel.random.one_in(faults);
        kernel.tcp[conn].broken |= fails;
        fails
    }
}

impl FileSystem for SimulatedFiles {
    type File = SimulatedFile;

    fn open(&self, path: &Path) -> Result<Opened<SimulatedFile>, FsError> {
        let (conn, len) = parse(path).ok_or(FsError::NotFound)?;
        if self.fails(conn) {
            return Err(FsError::Io);
        }
        Ok(Opened::File {
            file: self.new_file(conn, len, false),
            meta: Meta::new(len),
            sendable: !len.is_multiple_of(3),
        })
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, file: &mut SimulatedFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        if self.fails(file.conn) {
            return Err(FsError::Io);
        }
        let n = into.len().min(file.len.saturating_sub(at) as usize);
        for (place, byte) in into[..n].iter_mut().enumerate() {
            *byte = byte_at(at + place as u64);
        }
        Ok(n)
    }

    fn create(&self, create: &Create) -> Result<Opened<SimulatedFile>, FsError> {
        let (conn, _) = parse(&create.path).ok_or(FsError::NotFound)?;
        Ok(Opened::Writer(self.new_file(conn, 0, true)))
    }

    fn write(&self, file: &mut SimulatedFile, bytes: &[u8]) -> Result<usize, FsError> {
        assert!(file.is_new, "a file that is being created");
        file.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn commit(&self, file: &mut SimulatedFile) -> Result<(), FsError> {
        assert!(file.is_new, "a file that is being created");
        Ok(())
    }

    fn answer(&self, ask: &Ask) -> Got<SimulatedFile> {
        if self.kernel.lock().random.one_in(16) {
            return Got::Nothing;
        }
        match ask {
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::Create(create) => Got::Opened(self.create(create)),
            _ => Got::Opened(Err(FsError::Unsupported)),
        }
    }

    fn try_answer(&self, ask: &Ask) -> Got<SimulatedFile> {
        match ask {
            Ask::Open(path) if self.is_warm() => Got::Opened(self.open(path)),
            _ => Got::Nothing,
        }
    }

    fn try_fill(&self, file: &mut SimulatedFile, at: u64, into: &mut [u8]) -> Got<SimulatedFile> {
        match self.is_warm() {
            true => self.fill(file, at, into),
            false => Got::Nothing,
        }
    }

    fn system_file<'a>(&self, file: &'a mut SimulatedFile) -> Option<&'a mut dyn Any> {
        (!file.is_new).then_some(file)
    }

    fn reopen(&self, file: &SimulatedFile) -> Option<Opened<SimulatedFile>> {
        let (conn, mut kernel) = (file.conn, self.kernel.lock());
        if kernel.tcp[conn].read != file.opened_at {
            let text = "is answered with a file that was opened before it was read";
            kernel.fail(|| format!("a request of connection {conn} {text}"));
        }
        drop(kernel);
        Some(Opened::File {
            file: self.new_file(file.conn, file.len, false),
            meta: Meta::new(file.len),
            sendable: !file.len.is_multiple_of(3),
        })
    }

    fn evict_idle(&self) -> bool {
        self.kernel.lock().random.one_in(2)
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        self.kernel.lock().files -= 1;
    }
}
