//! [`WritableTree`]: a tree in which files can be stored.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::time::Duration;
use sanserve_core::Arc;

use sanserve_core::ArchiveRequest;
use sanserve_core::{CgiScript, Change, Create, Entries, FileSystem, FsError, Got, Opened, Path};
use sanserve_core::{UnfinishedUpload, UploadRequest, UploadToken};

use super::pending_file::{OpenUpload, PendingFile};
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
pub struct WritableTree {
    tree: RefCell<Tree>,
    uploads: RefCell<BTreeMap<UploadToken, UnfinishedUpload<PendingFile>>>,
    /// The number of uploads that were begun.
    begun: RefCell<u64>,
    tokens: Option<fn(u64) -> Option<UploadToken>>,
}

impl WritableTree {
    /// Begins with the files of a tree.
    #[must_use]
    pub fn new(tree: Tree) -> WritableTree {
        WritableTree {
            tree: RefCell::new(tree),
            ..WritableTree::default()
        }
    }

    /// Lets clients resume uploads, at most [`UnfinishedUpload::COUNT_MAX`]; they never expire. `tokens` returns the
    /// token of the upload with this number, from 1 on: 128 random bits, or `None` if there is no randomness.
    #[must_use]
    pub fn with_upload_tokens(self, tokens: fn(u64) -> Option<UploadToken>) -> WritableTree {
        WritableTree {
            tokens: Some(tokens),
            ..self
        }
    }

    /// Begins a file.
    fn begin(&self, create: &Create) -> Result<PendingFile, FsError> {
        self.tree.borrow().path_for(create)?;
        if create.path.segments().any(|name| name.len() > NAME_MAX) {
            return Err(FsError::TooLong);
        }
        let (create, bytes) = (create.clone(), Vec::new());
        Ok(PendingFile { create, bytes })
    }

    fn begin_upload(&self, create: &Create) -> Result<Opened<File>, FsError> {
        let tokens = self.tokens.ok_or(FsError::Unsupported)?;
        let file = self.begin(create)?;
        let mut uploads = self.uploads.borrow_mut();
        uploads.retain(|_, upload| !upload.is_expired(NOW));
        if uploads.len() >= UnfinishedUpload::<PendingFile>::COUNT_MAX {
            let complete = uploads.iter().find(|(_, upload)| upload.is_complete());
            let token = complete.map(|(token, _)| *token).ok_or(FsError::TooMany)?;
            uploads.remove(&token);
        }
        *self.begun.borrow_mut() += 1;
        let token = tokens(*self.begun.borrow()).ok_or(FsError::NoResources)?;
        let upload = UnfinishedUpload::new(file, create, token, NOW);
        let opened = opened(&upload, token);
        uploads.insert(token, upload);
        Ok(opened)
    }
}

impl FileSystem for WritableTree {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        self.tree.borrow().open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.tree.borrow().list(path)
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.tree.borrow().read(file, at, into)
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<File>, FsError> {
        self.tree.borrow().run(script)
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<File>, FsError> {
        self.tree.borrow().archive(request)
    }

    fn create(&self, create: &Create) -> Result<Opened<File>, FsError> {
        let pending = self.begin(create)?;
        Ok(Opened::Writer(File::Pending(Box::new(pending))))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> Result<usize, FsError> {
        match file {
            File::Pending(pending) => {
                pending.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            File::Upload(open) => self.with_upload(open.token, |upload| {
                upload.append(&open.owner, NOW, |pending| {
                    pending.bytes.extend_from_slice(bytes);
                    Ok(bytes.len())
                })
            }),
            file => self.tree.borrow().write(file, bytes),
        }
    }

    fn commit(&self, file: &mut File) -> Result<(), FsError> {
        match file {
            File::Pending(pending) => self
                .tree
                .borrow_mut()
                .store(&pending.create, &pending.bytes),
            File::Upload(open) => self.with_upload(open.token, |upload| {
                upload.commit(&open.owner, |pending| {
                    let mut tree = self.tree.borrow_mut();
                    tree.store(&pending.create, &pending.bytes)
                })
            }),
            _ => Err(FsError::Unsupported),
        }
    }

    fn upload(&self, request: &UploadRequest) -> Result<Opened<File>, FsError> {
        match request {
            UploadRequest::Begin(create) => self.begin_upload(create),
            UploadRequest::Resume {
                path,
                token,
                offset,
                len,
            } => self.with_upload(*token, |upload| {
                if !upload.is_for(path) {
                    return Err(FsError::NotFound);
                }
                upload.resume(*offset, *len);
                Ok(opened(upload, *token))
            }),
            UploadRequest::Cancel { path, token } => {
                let cancelled = self.with_upload(*token, |upload| match upload.is_for(path) {
                    true => Ok(opened(upload, *token)),
                    false => Err(FsError::NotFound),
                })?;
                self.uploads.borrow_mut().remove(token);
                Ok(cancelled)
            }
            _ => Err(FsError::Unsupported),
        }
    }

    fn change(&self, change: &Change) -> Result<(), FsError> {
        if change.path().segments().any(|name| name.len() > NAME_MAX) {
            return Err(FsError::TooLong);
        }
        self.tree.borrow_mut().apply(change)
    }

    fn fill(&self, file: &mut File, at: u64, into: &mut [u8]) -> Got<File> {
        self.tree.borrow().fill(file, at, into)
    }
}

impl WritableTree {
    /// Calls `work` with the upload that has this token.
    fn with_upload<T>(
        &self,
        token: UploadToken,
        work: impl FnOnce(&mut UnfinishedUpload<PendingFile>) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let mut uploads = self.uploads.borrow_mut();
        let upload = uploads.get_mut(&token);
        let upload = upload.filter(|upload| !upload.is_expired(NOW));
        work(upload.ok_or(FsError::NotFound)?)
    }
}

/// Returns the upload as its owner has it open.
fn opened(upload: &UnfinishedUpload<PendingFile>, token: UploadToken) -> Opened<File> {
    let owner = upload.owner();
    Opened::Upload {
        file: File::Upload(OpenUpload { token, owner }),
        state: upload.state(NOW),
    }
}

/// There is no clock, so no time passes.
const NOW: Duration = Duration::ZERO;

/// The maximum length of a name in bytes, as on most disks.
const NAME_MAX: usize = 255;
