//! [`BrokenFolder`]: a disk with faults that can be planted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use sanserve_conformance::FsCheck;
use sanserve_core::{
    ArchiveRequest, Create, Entries, FileSystem, FsError, Got, Meta, Opened, Path,
};
use sanserve_server::{Disk, OpenFile};

/// A fault of a file system that serves a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderFault {
    /// The file system is correct.
    None,
    /// Whatever has a name is opened, and read to find out what it is.
    WaitsForFifo,
    /// A file that was read once is not read again.
    RemembersContent,
    /// Links are followed wherever they lead.
    FollowsLinks,
    /// A file that is dropped keeps a temporary name, which is not listed.
    HidesTemporaryFiles,
    /// A file is replaced by writing to it.
    WritesInPlace,
    /// A name that another program has taken meanwhile is replaced.
    ReplacesTakenName,
    /// A stored file has the permissions that the program gives to files.
    KeepsModeOfProgram,
}

pub(crate) struct BrokenFolder {
    fault: FolderFault,
    root: PathBuf,
    disk: Disk,
    read: RefCell<Remembered>,
}

/// What is known of files that were read, and their content, by path.
type Remembered = BTreeMap<Vec<u8>, (Meta, Vec<u8>)>;

/// An open file.
pub(crate) enum File {
    Disk(OpenFile),
    Bytes(Vec<u8>),
    Pending {
        create: Create,
        file: OpenFile,
        bytes: Vec<u8>,
        left: Option<PathBuf>,
    },
}

impl Drop for File {
    fn drop(&mut self) {
        if let File::Pending {
            left: Some(path),
            bytes,
            ..
        } = self
        {
            fs::write(path, bytes).expect("a file");
        }
    }
}

impl BrokenFolder {
    pub(crate) fn new(check: &FsCheck, root: &std::path::Path, fault: FolderFault) -> BrokenFolder {
        let disk = Disk::open(root)
            .expect("a folder")
            .with_portable_names(check.portable_names);
        let (root, read) = (root.to_owned(), RefCell::default());
        BrokenFolder {
            fault,
            root,
            disk,
            read,
        }
    }

    fn in_folder(&self, path: &Path) -> PathBuf {
        self.root.join(OsStr::from_bytes(path.as_bytes()))
    }
}

impl FileSystem for BrokenFolder {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        if let Some((meta, bytes)) = self.read.borrow().get(path.as_bytes()) {
            let (file, meta) = (File::Bytes(bytes.clone()), *meta);
            return Ok(Opened::File {
                file,
                meta,
                sendable: false,
            });
        }
        let opened = self.disk.open(path);
        match (self.fault, &opened) {
            (FolderFault::WaitsForFifo, Err(FsError::NotRegularFile)) => {
                drop(fs::File::open(self.in_folder(path)));
            }
            (FolderFault::FollowsLinks, Err(FsError::OutsideRoot)) => {
                let file = fs::read(self.in_folder(path)).map_err(|_| FsError::NotFound)?;
                let meta = Meta::new(file.len() as u64);
                return Ok(Opened::File {
                    file: File::Bytes(file),
                    meta,
                    sendable: false,
                });
            }
            (FolderFault::RemembersContent, Ok(Opened::File { meta, .. })) => {
                let bytes = fs::read(self.in_folder(path)).map_err(|_| FsError::NotFound)?;
                self.read
                    .borrow_mut()
                    .insert(path.as_bytes().to_vec(), (*meta, bytes));
            }
            _ => {}
        }
        opened.map(|opened| opened.map(File::Disk))
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let listed = self.disk.list(path)?;
        Ok(Arc::new(
            listed
                .iter()
                .filter(|entry| Path::is_name(entry.name))
                .collect(),
        ))
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        match file {
            File::Disk(file) => self.disk.read(file, at, into),
            File::Bytes(bytes) => {
                let rest = bytes.get(at as usize..).unwrap_or_default();
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            }
            File::Pending { .. } => Err(FsError::Unsupported),
        }
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<File>, FsError> {
        self.disk
            .archive(request)
            .map(|opened| opened.map(File::Disk))
    }

    fn fill(&self, file: &mut File, at: u64, into: &mut [u8]) -> Got<File> {
        match file {
            File::Disk(file) => self.disk.fill(file, at, into).map(File::Disk),
            file => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
        }
    }

    fn create(&self, create: &Create) -> Result<Opened<File>, FsError> {
        let Opened::Writer(file) = self.disk.create(create)? else {
            return Err(FsError::Io);
        };
        let left = self
            .in_folder(&create.path)
            .with_file_name(".sanserve-left");
        Ok(Opened::Writer(File::Pending {
            create: create.clone(),
            file,
            bytes: Vec::new(),
            left: (self.fault == FolderFault::HidesTemporaryFiles).then_some(left),
        }))
    }

    fn write(&self, file: &mut File, from: &[u8]) -> Result<usize, FsError> {
        let File::Pending { file, bytes, .. } = file else {
            return Err(FsError::Unsupported);
        };
        let n = self.disk.write(file, from)?;
        bytes.extend(&from[..n]);
        Ok(n)
    }

    fn commit(&self, file: &mut File) -> Result<(), FsError> {
        let File::Pending {
            create,
            file,
            bytes,
            left,
        } = file
        else {
            return Err(FsError::Unsupported);
        };
        let path = self.in_folder(&create.path);
        let in_place = self.fault == FolderFault::WritesInPlace && create.replaces.is_some();
        if in_place || self.fault == FolderFault::ReplacesTakenName {
            return fs::write(path, bytes).map_err(|_| FsError::Io);
        }
        self.disk.commit(file)?;
        *left = None;
        if self.fault == FolderFault::KeepsModeOfProgram {
            fs::set_permissions(path, Permissions::from_mode(0o644)).map_err(|_| FsError::Io)?;
        }
        Ok(())
    }
}
