//! [`ModelTree`]: a file system that remembers everything that happened to it, so that the checks of the services know
//! what each file and directory contained at each time.
//!
//! It has links, hidden names, CGI scripts, passwords, archives and a limited space. As on a disk, a file that is being
//! created has a temporary name in its directory, and gets its name in one step; an open file keeps its content. It keeps
//! uploads that can be resumed.

mod history;
mod named_change;
mod nodes;
mod uploads;
mod writer;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use sanserve_core::archive::Archive;
use sanserve_core::{
    ArchiveRequest, CgiScript, Create, Credentials, Entries, FileSystem, FsError, Got, Meta,
    Opened, Path, UploadRequest, UploadToken, listing,
};

pub(super) use self::history::History;
pub use self::history::{Cause, Change};
pub use self::nodes::Version;
use self::nodes::directory_of;
pub(super) use self::nodes::{Node, Nodes, is_temporary};
use self::uploads::{OpenUpload, Uploads};
use self::writer::NewFile;
use super::Random;
use super::script::ScriptProcess;

/// A tree of files with a history.
#[derive(Clone, Debug)]
pub struct ModelTree {
    state: Rc<RefCell<State>>,
    uploads: Rc<RefCell<Uploads>>,
}

#[derive(Debug)]
struct State {
    nodes: Nodes,
    history: Vec<Change>,
    /// The number of changes that created the first tree.
    grown: usize,
    /// The paths of the files that are being created, with their temporary names.
    temporary: Vec<Vec<u8>>,
    /// The number of files that were begun.
    begun: u64,
    /// The bytes that can still be written.
    space: usize,
    /// Whether files have versions. Otherwise only their times differ.
    has_versions: bool,
}

/// An open file of a [`ModelTree`].
#[derive(Debug)]
pub enum ModelFile {
    /// A file, with the content that it had when it was opened.
    Bytes(Rc<[u8]>),
    /// A CGI process.
    Process(Box<ScriptProcess>),
    /// An archive, and whether it reports next that it is working.
    Archive(Box<Archive<ModelFile>>, Cell<bool>),
    /// A file that is being created.
    New(NewFile),
    /// An upload that can be resumed.
    Upload(OpenUpload),
}

impl AsRef<ModelTree> for ModelTree {
    fn as_ref(&self) -> &ModelTree {
        self
    }
}

impl ModelTree {
    /// Creates a random tree. Most files are small; the space is often too small for all that is uploaded.
    #[must_use]
    pub fn grow(random: &mut Random) -> ModelTree {
        let mut state = State {
            nodes: Nodes::default(),
            history: Vec::new(),
            grown: 0,
            temporary: Vec::new(),
            begun: 0,
            space: random.pick(&[1 << 30, 1 << 30, 100, 3000]),
            has_versions: !random.one_in(4),
        };
        for (path, node) in nodes::fixed() {
            state.set(path.as_bytes(), Some(node), Cause::World);
        }
        for path in nodes::FILES {
            if !random.one_in(6) {
                let content = nodes::content(random);
                state.store(path.as_bytes(), content, Cause::World);
            }
        }
        state.grown = state.history.len();
        ModelTree {
            state: Rc::new(RefCell::new(state)),
            uploads: Rc::default(),
        }
    }

    /// Replaces, creates or removes a file, preferably one that is open, or removes a directory; or lets a day pass.
    pub fn change_at_random(&self, random: &mut Random) {
        if random.one_in(10) {
            return self.uploads.borrow_mut().pass_day();
        }
        let state = &mut *self.state.borrow_mut();
        let open = state.nodes.open_file().filter(|_| !random.one_in(3));
        let path = open.unwrap_or_else(|| random.pick(nodes::FILES).into());
        // A request may have removed the directory.
        if !state.nodes.exists(directory_of(&path)) {
            return;
        }
        match random.below(6) {
            0 => {
                if state.nodes.is_file(&path) {
                    state.set(&path, None, Cause::World);
                }
            }
            // As long as before.
            1..4 if state.nodes.is_file(&path) => {
                let len = state.nodes.content(&path).map_or(0, <[u8]>::len);
                let content = nodes::bytes(random, len);
                state.store(&path, content, Cause::World);
            }
            4 if random.one_in(4) => {
                let void = !state.nodes.exists(nodes::VOID);
                state.set(nodes::VOID, void.then_some(Node::Directory), Cause::World);
            }
            _ => {
                let content = nodes::content(random);
                state.store(&path, content, Cause::World);
            }
        }
    }

    /// Stores a file as an upload does, but regardless of what exists: for file systems with a fault.
    pub fn store(&self, path: &[u8], content: Vec<u8>) {
        self.state.borrow_mut().store(path, content, Cause::Upload);
    }

    /// Removes a file or a directory, regardless of what is in it: for file systems with a fault.
    pub fn remove(&self, path: &[u8]) {
        self.state.borrow_mut().set(path, None, Cause::Removal);
    }

    /// Returns the content of the file at a path.
    #[must_use]
    pub fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        let state = self.state.borrow();
        state.nodes.content(path).map(<[u8]>::to_vec)
    }

    /// Returns the temporary names of files that are being created, with their directories.
    #[must_use]
    pub fn temporary_paths(&self) -> Vec<Vec<u8>> {
        self.state.borrow().temporary.clone()
    }

    /// Removes all unfinished uploads, as if a day had passed.
    pub fn expire_uploads(&self) {
        self.uploads.borrow_mut().expire();
    }

    /// Returns whether a day has passed while requests were answered.
    pub(super) fn has_passed_day(&self) -> bool {
        self.uploads.borrow().has_passed_day()
    }

    /// Returns whether the upload of a path with this number was cancelled.
    pub(super) fn is_cancelled(&self, upload: &(Vec<u8>, UploadToken)) -> bool {
        self.uploads.borrow().is_cancelled(upload)
    }

    /// Returns what was answered about uploads and must not have been.
    pub(super) fn upload_mistakes(&self) -> Vec<String> {
        self.uploads.borrow().mistakes()
    }

    /// Returns the path that a request changes or reads, with all links to directories followed.
    #[must_use]
    pub fn resolve(&self, path: &[u8]) -> Vec<u8> {
        self.state.borrow().nodes.resolve(path)
    }

    /// Returns whether files have versions.
    pub(super) fn has_versions(&self) -> bool {
        self.state.borrow().has_versions
    }

    pub(super) fn history(&self) -> History {
        let state = self.state.borrow();
        History::new(state.history.clone(), state.grown)
    }

    /// Returns the tree as it was after this number of changes.
    pub(super) fn at(&self, changes: usize) -> ModelTree {
        let state = self.state.borrow();
        let history = state.history[..changes].to_vec();
        let state = State {
            nodes: history::nodes_after(&history),
            history,
            grown: changes,
            temporary: Vec::new(),
            begun: 0,
            space: 0,
            has_versions: state.has_versions,
        };
        ModelTree {
            state: Rc::new(RefCell::new(state)),
            uploads: Rc::default(),
        }
    }
}

impl State {
    /// Sets or removes a node.
    fn set(&mut self, path: &[u8], node: Option<Node>, cause: Cause) {
        let replaced = self.nodes.set(path, node.clone());
        self.history.push(Change {
            path: path.into(),
            version: node.as_ref().and_then(Node::version).cloned(),
            replaced: replaced.as_ref().and_then(Node::version).cloned(),
            node,
            cause,
        });
    }

    fn store(&mut self, path: &[u8], content: Vec<u8>, cause: Cause) {
        let version = Version {
            number: self.history.len() as u64,
            bytes: content.into(),
        };
        self.set(path, Some(Node::File(version)), cause);
    }

    fn meta(&self, node: &Node) -> Meta {
        match node {
            Node::File(version) => version.meta(self.has_versions),
            _ => Meta::new(0).with_executable(true),
        }
    }
}

impl ModelFile {
    /// Returns an open archive.
    #[must_use]
    pub fn archive(archive: Archive<ModelFile>) -> ModelFile {
        let is_working = archive.meta().len.is_multiple_of(3);
        ModelFile::Archive(Box::new(archive), Cell::new(is_working))
    }
}

impl FileSystem for ModelTree {
    type File = ModelFile;

    fn open(&self, path: &Path) -> Result<Opened<ModelFile>, FsError> {
        let state = self.state.borrow();
        let node = state.nodes.find(path.as_bytes())?;
        let bytes = match node {
            Node::Directory => return Ok(Opened::Directory),
            Node::File(version) => Rc::clone(&version.bytes),
            Node::Script(_) => Rc::default(),
            Node::Link(_) | Node::BrokenLink => return Err(FsError::NotFound),
        };
        Ok(Opened::File {
            meta: state.meta(node),
            sendable: !bytes.len().is_multiple_of(3),
            file: ModelFile::Bytes(bytes),
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let state = self.state.borrow();
        let directory = state.nodes.resolve(path.as_bytes());
        match state.nodes.find(&directory)? {
            Node::Directory => {}
            _ => return Err(FsError::NotRegularFile),
        }
        let mut entries = state.nodes.list(&directory, &state.temporary);
        // Some file systems prepare their listings.
        if entries.len().is_multiple_of(2) {
            listing::prepare(&mut entries);
        }
        Ok(Arc::new(entries))
    }

    fn read(&self, file: &mut ModelFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        match file {
            ModelFile::Process(process) => Ok(process.read(into)),
            ModelFile::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let rest = bytes.get(at..).unwrap_or_default();
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            }
            _ => Err(FsError::Unsupported),
        }
    }

    fn fill(&self, file: &mut ModelFile, at: u64, into: &mut [u8]) -> Got<ModelFile> {
        match file {
            ModelFile::Archive(_, is_working) if is_working.take() => return Got::Working,
            ModelFile::Archive(archive, _) => return archive.fill(self, at, into),
            ModelFile::Process(process) => {
                if let Some(note) = process.note() {
                    return Got::Note(note);
                }
            }
            _ => {}
        }
        self.read(file, at, into)
            .map_or_else(Got::Refused, Got::Bytes)
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<ModelFile>, FsError> {
        match self.state.borrow().nodes.find(script.path.as_bytes())? {
            Node::Script(script) => {
                let process = Box::new(ScriptProcess::new(*script));
                Ok(Opened::Process(ModelFile::Process(process)))
            }
            _ => Err(FsError::Forbidden),
        }
    }

    fn verify(&self, credentials: &Credentials) -> Result<(), FsError> {
        match credentials.as_str() == PASSWORD {
            true => Ok(()),
            false => Err(FsError::Forbidden),
        }
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<ModelFile>, FsError> {
        Archive::open(self, request).map(|opened| opened.map(ModelFile::archive))
    }

    fn create(&self, create: &Create) -> Result<Opened<ModelFile>, FsError> {
        NewFile::begin(self, create).map(|file| Opened::Writer(ModelFile::New(file)))
    }

    fn write(&self, file: &mut ModelFile, bytes: &[u8]) -> Result<usize, FsError> {
        match file {
            ModelFile::Process(process) => Ok(process.write(bytes)),
            ModelFile::New(file) => file.write(bytes),
            ModelFile::Upload(open) => self.uploads.borrow_mut().write(open, bytes),
            _ => Err(FsError::Unsupported),
        }
    }

    fn commit(&self, file: &mut ModelFile) -> Result<(), FsError> {
        match file {
            ModelFile::New(file) => file.commit(),
            ModelFile::Upload(open) => self.uploads.borrow_mut().commit(open),
            _ => Err(FsError::Unsupported),
        }
    }

    fn upload(&self, request: &UploadRequest) -> Result<Opened<ModelFile>, FsError> {
        self.uploads.borrow_mut().answer(self, request)
    }

    fn change(&self, change: &sanserve_core::Change) -> Result<(), FsError> {
        self.state.borrow_mut().change(change)
    }
}

/// The only valid user and password.
pub(super) const PASSWORD: &str = "mary:a:secret";
