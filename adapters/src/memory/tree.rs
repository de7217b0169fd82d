//! [`Tree`]: a file system in memory, built from files, directories, links, CGI scripts, and entries that fail with a
//! given error.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use sanserve_core::Arc;

use sanserve_core::ArchiveRequest;
use sanserve_core::archive::Archive;
use sanserve_core::{
    CgiScript, Change, Create, Entries, Entry, FileSystem, FsError, Got, Meta, Opened, Path,
};

use super::{FakeProcess, OpenUpload, PendingFile, RunningProcess, START};
use crate::content;

/// An open file of a [`Tree`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum File {
    /// The content of a file when it was opened.
    Bytes(Arc<[u8]>),
    /// A directory as an archive.
    Archive(Box<Archive<File>>),
    /// A CGI process.
    Process(Box<RunningProcess>),
    /// A file that is being created, in a [`WritableTree`](super::WritableTree).
    Pending(Box<PendingFile>),
    /// A file that is being created by an upload that can be resumed, in a [`WritableTree`](super::WritableTree).
    Upload(OpenUpload),
}

/// Files, directories and symbolic links; names may contain any bytes. It is built by a chain of calls, each of
/// which takes a path relative to the root and creates missing directories.
///
/// ```
/// use sanserve_server::memory::Tree;
/// use sanserve_core::{FileSystem, Opened, Path};
///
/// let tree = Tree::new()
///     .file("notes/a.txt", 1_700_000_000, "hello")
///     .link("latest", "notes/a.txt");
/// let path = Path::parse("/latest").unwrap();
/// assert!(matches!(tree.open(&path), Ok(Opened::File { meta, .. }) if meta.len == 5));
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    sendable: bool,
    portable_names: bool,
    /// The number of files that were stored.
    stored: u32,
}

#[derive(Clone, Debug)]
enum Node {
    File(Arc<[u8]>, (i64, u32)),
    Script(FakeProcess),
    /// The time of the last change, if it is known.
    Directory(Option<i64>),
    Link(Vec<u8>),
    Fault(FsError),
}

impl Tree {
    /// Creates an empty tree.
    #[must_use]
    pub fn new() -> Tree {
        Tree {
            nodes: BTreeMap::from([(Vec::new(), Node::Directory(None))]),
            sendable: false,
            portable_names: false,
            stored: 0,
        }
    }

    /// Adds a file that was last changed at `modified`, in seconds since 1970.
    ///
    /// # Panics
    /// All methods that add something panic if the path has an empty segment, `.` or `..`, or if it exists.
    pub fn file(self, path: impl AsRef<[u8]>, modified: i64, bytes: impl AsRef<[u8]>) -> Tree {
        self.file_at(path, (modified, 0), bytes)
    }

    /// Adds a file with a more precise time of its last change: seconds, rounded down, and nanoseconds. As on a
    /// disk, its `ETag` is a strong one then.
    pub fn file_at(
        self,
        path: impl AsRef<[u8]>,
        modified: (i64, u32),
        bytes: impl AsRef<[u8]>,
    ) -> Tree {
        self.with(path.as_ref(), Node::File(bytes.as_ref().into(), modified))
    }

    /// Adds a CGI script, which is run by a function.
    pub fn script(self, path: impl AsRef<[u8]>, process: FakeProcess) -> Tree {
        self.with(path.as_ref(), Node::Script(process))
    }

    /// Adds a directory. This is necessary only for empty directories.
    pub fn directory(self, path: impl AsRef<[u8]>) -> Tree {
        self.with(path.as_ref(), Node::Directory(None))
    }

    /// Adds a directory that was last changed at `modified`, in seconds since 1970. Call it before its entries
    /// are added.
    pub fn directory_at(self, path: impl AsRef<[u8]>, modified: i64) -> Tree {
        self.with(path.as_ref(), Node::Directory(Some(modified)))
    }

    /// Adds a symbolic link. As on a disk, its target is relative to the directory of the link. A link that is
    /// absolute, leads out of the tree, is dangling or circular is not found, and only CPython's listing shows
    /// it.
    pub fn link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Tree {
        self.with(path.as_ref(), Node::Link(target.as_ref().to_vec()))
    }

    /// Adds an entry that is listed, but cannot be opened because of this error.
    pub fn fault(self, path: impl AsRef<[u8]>, error: FsError) -> Tree {
        self.with(path.as_ref(), Node::Fault(error))
    }

    /// Sets whether files can be sent by reference, see [`Opened::File`]. By default they cannot.
    #[must_use]
    pub fn sendable(self, sendable: bool) -> Tree {
        Tree { sendable, ..self }
    }

    /// Sets whether to refuse names that mean something else on Windows, as a disk does there: they are neither
    /// opened nor listed, see [`Path::is_portable`]. By default they are allowed.
    #[must_use]
    pub fn portable_names(self, only: bool) -> Tree {
        Tree {
            portable_names: only,
            ..self
        }
    }

    fn with(mut self, path: &[u8], node: Node) -> Tree {
        let plain = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
        assert!(
            path.split(is_slash).all(plain),
            "not a plain path: {:?}",
            path.escape_ascii()
        );
        for (end, _) in path.iter().enumerate().filter(|(_, byte)| is_slash(byte)) {
            let above = self
                .nodes
                .entry(path[..end].to_vec())
                .or_insert(Node::Directory(None));
            assert!(
                matches!(above, Node::Directory(_)),
                "not below a directory: {:?}",
                path.escape_ascii()
            );
        }
        let before = self.nodes.insert(path.to_vec(), node);
        assert!(
            before.is_none(),
            "exists already: {:?}",
            path.escape_ascii()
        );
        self
    }

    /// Returns the path for a new file, if the file that has its name is the one to be replaced. A symbolic
    /// link is not a file, whatever its target is.
    pub(super) fn path_for(&self, create: &Create) -> Result<Vec<u8>, FsError> {
        let mut above = create.path.clone();
        above.pop();
        self.check_names(&create.path)?;
        let mut at = self.directory_for(&above, create.directories_max)?;
        push(&mut at, create.path.file_name());
        match self.nodes.get(&at) {
            None if create.replaces.is_none() => Ok(at),
            Some(Node::File(bytes, modified))
                if create.replaces == Some(meta(bytes, *modified)) =>
            {
                Ok(at)
            }
            None | Some(Node::File(..)) => Err(FsError::Exists),
            Some(_) => Err(FsError::NotRegularFile),
        }
    }

    /// Returns the path of a directory, of which up to `missing` components may be missing at the end.
    fn directory_for(&self, path: &Path, missing: usize) -> Result<Vec<u8>, FsError> {
        match self.find(path.as_bytes()) {
            Ok((at, Node::Directory(_))) => Ok(at),
            Err(FsError::NotFound) if missing > 0 => {
                let mut above = path.clone();
                above.pop();
                let mut at = self.directory_for(&above, missing - 1)?;
                push(&mut at, path.file_name());
                // It may be a dangling link.
                match self.nodes.contains_key(&at) {
                    true => Err(FsError::NotFound),
                    false => Ok(at),
                }
            }
            found => Err(found.err().unwrap_or(FsError::NotFound)),
        }
    }

    /// Stores a file, and creates missing directories. Each file gets a different time.
    pub(super) fn store(&mut self, create: &Create, bytes: &[u8]) -> Result<(), FsError> {
        let at = self.path_for(create)?;
        self.create_directories_above(&at);
        self.stored += 1;
        self.nodes
            .insert(at, Node::File(bytes.into(), (START, self.stored)));
        Ok(())
    }

    fn create_directories_above(&mut self, at: &[u8]) {
        for end in (0..at.len()).filter(|end| at[*end] == b'/') {
            let directory = Node::Directory(None);
            self.nodes.entry(at[..end].to_vec()).or_insert(directory);
        }
    }

    /// Creates a directory, or removes a file or an empty directory.
    pub(super) fn apply(&mut self, change: &Change) -> Result<(), FsError> {
        let path = change.path();
        self.check_names(path)?;
        let missing = match change {
            Change::CreateDirectory {
                directories_max, ..
            } => *directories_max,
            _ => 0,
        };
        let mut above = path.clone();
        above.pop();
        let mut at = self.directory_for(&above, missing)?;
        push(&mut at, path.file_name());
        match (change, self.nodes.get(&at)) {
            (Change::CreateDirectory { .. }, None) => {
                self.create_directories_above(&at);
                self.nodes.insert(at, Node::Directory(None));
                return Ok(());
            }
            (Change::CreateDirectory { .. }, Some(Node::Directory(_))) => {
                return Err(FsError::Exists);
            }
            (_, None) => return Err(FsError::NotFound),
            (Change::RemoveFile { meta: removed, .. }, Some(Node::File(bytes, modified))) => {
                if meta(bytes, *modified) != *removed {
                    return Err(FsError::Exists);
                }
            }
            (Change::RemoveDirectory { .. }, Some(Node::Directory(_))) => {
                if self.nodes.keys().any(|path| name_in(path, &at).is_some()) {
                    return Err(FsError::Exists);
                }
            }
            (_, Some(_)) => return Err(FsError::NotRegularFile),
        }
        self.nodes.remove(&at);
        Ok(())
    }

    /// Refuses a path with names that are not allowed.
    fn check_names(&self, path: &Path) -> Result<(), FsError> {
        let refused = self.portable_names && !path.is_portable();
        if refused {
            Err(FsError::InvalidName)
        } else {
            Ok(())
        }
    }

    /// Finds the node for the path of a request.
    fn lookup(&self, path: &Path) -> Result<(Vec<u8>, &Node), FsError> {
        self.check_names(path)?;
        self.find(path.as_bytes())
    }

    /// Resolves a path, and returns the resulting path and its node.
    fn find(&self, path: &[u8]) -> Result<(Vec<u8>, &Node), FsError> {
        let mut at = Vec::new();
        let mut node = &Node::Directory(None);
        let mut remaining: Vec<&[u8]> = path.rsplit(is_slash).collect();
        let mut links = 0;
        while let Some(name) = remaining.pop() {
            match node {
                Node::Fault(error) => return Err(*error),
                Node::Directory(_) => {}
                _ => return Err(FsError::NotFound),
            }
            match name {
                b"" | b"." => {}
                b".." if at.is_empty() => return Err(FsError::OutsideRoot),
                b".." => pop(&mut at),
                _ => {
                    push(&mut at, name);
                    node = self.nodes.get(&at).ok_or(FsError::NotFound)?;
                }
            }
            if let Node::Link(target) = node {
                links += 1;
                if links > LINKS_MAX {
                    return Err(FsError::NotFound);
                }
                if target.starts_with(b"/") {
                    return Err(FsError::OutsideRoot);
                }
                pop(&mut at);
                node = &Node::Directory(None);
                remaining.extend(target.rsplit(is_slash));
            }
        }
        Ok((at, node))
    }
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

impl FileSystem for Tree {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        match self.lookup(path)?.1 {
            Node::File(bytes, modified) => Ok(Opened::File {
                file: File::Bytes(Arc::clone(bytes)),
                meta: meta(bytes, *modified),
                sendable: self.sendable,
            }),
            Node::Script(_) => Ok(Opened::File {
                file: File::Bytes(Arc::default()),
                meta: Meta::new(0).with_executable(true),
                sendable: false,
            }),
            Node::Directory(_) => Ok(Opened::Directory),
            Node::Fault(error) => Err(*error),
            Node::Link(_) => unreachable!("links are followed to their end"),
        }
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let (at, node) = self.lookup(path)?;
        match node {
            Node::Directory(_) => {}
            Node::Fault(error) => return Err(*error),
            _ => return Err(FsError::NotFound),
        }
        let mut entries = Entries::new();
        for (path, node) in &self.nodes {
            let Some(name) = name_in(path, &at) else {
                continue;
            };
            if self.portable_names && !Path::is_portable_name(name) {
                continue;
            }
            let target = self.find(path).map(|(_, node)| node);
            entries.push(Entry {
                name,
                directory: matches!(target, Ok(Node::Directory(_))),
                link: matches!(node, Node::Link(_)),
                unavailable: matches!(
                    target,
                    Err(FsError::NotFound | FsError::OutsideRoot)
                        | Ok(Node::Fault(FsError::NotRegularFile))
                ),
                len: match target {
                    Ok(Node::File(bytes, _)) => Some(bytes.len() as u64),
                    _ => None,
                },
                modified: match target {
                    Ok(Node::File(_, modified)) => Some(modified.0),
                    Ok(Node::Directory(modified)) => *modified,
                    _ => None,
                },
            });
        }
        Ok(Arc::new(entries))
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        Ok(content::read(rest(file, at), 0, into))
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<File>, FsError> {
        match self.lookup(&script.path)?.1 {
            Node::Script(process) => Ok(Opened::Process(File::Process(Box::new(
                RunningProcess::new(*process, script),
            )))),
            _ => Err(FsError::Forbidden),
        }
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<File>, FsError> {
        Ok(Archive::open(self, request)?.map(|archive| File::Archive(Box::new(archive))))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> Result<usize, FsError> {
        match file {
            File::Process(process) => Ok(process.write(bytes)),
            _ => Err(FsError::Unsupported),
        }
    }

    fn fill(&self, file: &mut File, at: u64, into: &mut [u8]) -> Got<File> {
        match file {
            File::Process(process) => process.fill(into),
            File::Archive(archive) => archive.fill(self, at, into),
            _ => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
        }
    }
}

fn meta(bytes: &[u8], modified: (i64, u32)) -> Meta {
    Meta::new(bytes.len() as u64)
        .with_modified(Some(modified.0))
        .with_version(Meta::version_at(modified))
}

/// Returns the content from `at` on.
fn rest(file: &File, at: u64) -> &[u8] {
    match file {
        File::Bytes(bytes) => content::rest(bytes, at),
        _ => &[],
    }
}

/// Returns the name of `path` if it is an entry of `directory`.
fn name_in<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let name = match path.strip_prefix(directory)? {
        below if directory.is_empty() => below,
        below => below.strip_prefix(b"/")?,
    };
    (!name.is_empty() && !name.iter().any(is_slash)).then_some(name)
}

fn push(at: &mut Vec<u8>, name: &[u8]) {
    if !at.is_empty() {
        at.push(b'/');
    }
    at.extend_from_slice(name);
}

fn pop(at: &mut Vec<u8>) {
    let end = at.iter().rposition(is_slash).unwrap_or(0);
    at.truncate(end);
}

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

/// The maximum number of links in a path, as on Linux.
const LINKS_MAX: u32 = 40;
