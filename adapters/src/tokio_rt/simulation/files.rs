//! [`SimulatedFiles`]: the file system of a world. The name of a file is its length, and which connection asks for it.
//! Some calls are answered at once and others by the pool; some fail.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use sanserve_core::{Ask, Create, Entries, FileSystem, FsError, Got, Meta, Opened, Path};

use super::network::Network;
use crate::simulation::{byte_at, parse};

pub(super) struct SimulatedFiles {
    pub(super) network: Network,
    /// How rarely a call can be answered without the pool.
    pub(super) cold: u32,
}

/// An open file, or one that is being created.
pub(super) struct SimulatedFile {
    network: Network,
    link: usize,
    pub(super) len: u64,
    is_new: bool,
}

/// Returns these bytes of any file, which has at most [`SIZE_MAX`].
pub(super) fn content(from: u64, to: u64) -> &'static [u8] {
    static CONTENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..SIZE_MAX as u64).map(byte_at).collect());
    &CONTENT[from as usize..(to as usize).max(from as usize)]
}

/// The size of the largest file.
pub(super) const SIZE_MAX: usize = 300_000;

impl SimulatedFile {
    fn new(network: &Network, link: usize, len: u64, is_new: bool) -> SimulatedFile {
        let network = network.clone();
        network.lock().files += 1;
        SimulatedFile {
            network,
            link,
            len,
            is_new,
        }
    }

    /// Returns whether a call fails.
    pub(super) fn fails(&self) -> bool {
        fails(&self.network, self.link)
    }
}

fn fails(network: &Network, link: usize) -> bool {
    let mut state = network.lock();
    let files = state.faults.files;
    let fails = state.random.one_in(files);
    if fails {
        state.note(|| format!("a file of connection {link} fails"));
        state.links[link].broken = true;
    }
    fails
}

impl FileSystem for SimulatedFiles {
    type File = SimulatedFile;

    fn open(&self, path: &Path) -> Result<Opened<SimulatedFile>, FsError> {
        let (link, len) = parse(path).ok_or(FsError::NotFound)?;
        if fails(&self.network, link) {
            return Err(FsError::Io);
        }
        Ok(Opened::File {
            file: SimulatedFile::new(&self.network, link, len, false),
            meta: Meta::new(len),
            sendable: !len.is_multiple_of(3),
        })
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, file: &mut SimulatedFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        if file.fails() {
            return Err(FsError::Io);
        }
        let mut n = into.len().min(file.len.saturating_sub(at) as usize);
        if n > 1 && self.network.lock().random.one_in(8) {
            n /= 2;
        }
        into[..n].copy_from_slice(content(at, at + n as u64));
        Ok(n)
    }

    fn create(&self, create: &Create) -> Result<Opened<SimulatedFile>, FsError> {
        let (link, _) = parse(&create.path).ok_or(FsError::NotFound)?;
        let file = SimulatedFile::new(&self.network, link, 0, true);
        Ok(Opened::Writer(file))
    }

    fn write(&self, file: &mut SimulatedFile, bytes: &[u8]) -> Result<usize, FsError> {
        assert!(file.is_new, "a file that is being created");
        let end = file.len + bytes.len() as u64;
        if bytes != content(file.len, end) {
            let mut state = self.network.lock();
            state.fail(|| "the wrong content is stored".into());
        }
        file.len = end;
        Ok(bytes.len())
    }

    fn commit(&self, file: &mut SimulatedFile) -> Result<(), FsError> {
        assert!(file.is_new, "a file that is being created");
        Ok(())
    }

    fn answer(&self, ask: &Ask) -> Got<SimulatedFile> {
        if self.network.lock().random.one_in(16) {
            return Got::Nothing;
        }
        match ask {
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::Create(create) => Got::Opened(self.create(create)),
            _ => Got::Opened(Err(FsError::Unsupported)),
        }
    }

    fn try_answer(&self, ask: &Ask) -> Got<SimulatedFile> {
        let is_warm = !self.network.lock().random.one_in(self.cold);
        match ask {
            Ask::Open(path) if is_warm => Got::Opened(self.open(path)),
            _ => Got::Nothing,
        }
    }

    fn try_fill(&self, file: &mut SimulatedFile, at: u64, into: &mut [u8]) -> Got<SimulatedFile> {
        let is_warm = !self.network.lock().random.one_in(self.cold);
        match is_warm {
            true => self.fill(file, at, into),
            false => Got::Nothing,
        }
    }

    fn system_file<'a>(&self, file: &'a mut SimulatedFile) -> Option<&'a mut dyn Any> {
        (!file.is_new).then_some(file)
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        self.network.lock().files -= 1;
    }
}
