//! [`WritableTree`]: a tree in which files can be stored.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use sanserve_core::ArchiveRequest;
use sanserve_core::{CgiScript, Create, Entries, FileSystem, FsError, Got, Opened, Path};

use super::pending_file::PendingFile;
use super::tree::{File, Tree};

/// A [`Tree`] in which files can be stored, by one thread: that of [`run`](super::run), or of a loop for one
/// connection. The files exist as long as the tree.
///
/// ```
/// use sanserve_server::memory::{PeerScript, WritableTree, Tree, run};
/// use sanserve_core::{Config, Connection, Protocol, Upload};
///
/// let config = Config::default().with_protocol(Protocol::Http11);
/// let mut conn = Connection::new(config, "192.0.2.1", Upload::new());
/// let input = b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
///     GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
/// let script = PeerScript { input, half_close: true };
/// let transcript = run(&mut conn, &WritableTree::new(Tree::new()), script, |n| n);
/// assert!(transcript.bytes.starts_with(b"HTTP/1.1 201 Created\r\n"));
/// assert!(transcript.bytes.ends_with(b"\r\n\r\nhello"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct WritableTree(RefCell<Tree>);

impl WritableTree {
    /// Begins with the files of a tree.
    #[must_use]
    pub fn new(tree: Tree) -> WritableTree {
        WritableTree(RefCell::new(tree))
    }
}

impl FileSystem for WritableTree {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        self.0.borrow().open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.0.borrow().list(path)
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.0.borrow().read(file, at, into)
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<File>, FsError> {
        self.0.borrow().run(script)
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<File>, FsError> {
        self.0.borrow().archive(request)
    }

    fn create(&self, create: &Create) -> Result<Opened<File>, FsError> {
        self.0.borrow().path_for(create)?;
        if create.path.segments().any(|name| name.len() > NAME_MAX) {
            return Err(FsError::TooLong);
        }
        let (create, bytes) = (create.clone(), Vec::new());
        let pending = PendingFile { create, bytes };
        Ok(Opened::Writer(File::Pending(Box::new(pending))))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> Result<usize, FsError> {
        match file {
            File::Pending(pending) => {
                pending.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            file => self.0.borrow().write(file, bytes),
        }
    }

    fn commit(&self, file: &mut File) -> Result<(), FsError> {
        match file {
            File::Pending(pending) => self.0.borrow_mut().store(&pending.create, &pending.bytes),
            _ => Err(FsError::Unsupported),
        }
    }

    fn fill(&self, file: &mut File, at: u64, into: &mut [u8]) -> Got<File> {
        self.0.borrow().fill(file, at, into)
    }
}

/// The maximum length of a name in bytes, as on most disks.
const NAME_MAX: usize = 255;
