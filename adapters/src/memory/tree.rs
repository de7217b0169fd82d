//! [`Tree`]: a file system in a map.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use sanserve_core::ArchiveRequest;
use sanserve_core::archive::Archive;
use sanserve_core::{
    CgiScript, Create, Entries, Entry, FileSystem, FsError, Got, Meta, Opened, Path,
};

use super::{FakeProcess, PendingFile, RunningProcess, START};
use crate::content;

/// What is open of a [`Tree`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum File {
    /// What a file held when it was opened.
    Bytes(Arc<[u8]>),
    /// A directory as one file.
    Archive(Box<Archive<File>>),
    /// A program.
    Process(Box<RunningProcess>),
    /// A file that is being made, in a [`WritableTree`](super::WritableTree).
    Pending(Box<PendingFile>),
}

/// Files, directories and links under names that are any bytes. Made by a chain of calls, each of
/// which takes a path relative to the root and makes the directories on the way to it.
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
    /// How many files were stored.
    stored: u32,
}

#[derive(Clone, Debug)]
enum Node {
    File(Arc<[u8]>, (i64, u32)),
    Script(FakeProcess),
    /// When it was last changed, if that is known.
    Directory(Option<i64>),
    Link(Vec<u8>),
    Fault(FsError),
}

impl Tree {
    /// An empty tree.
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
    /// These seven methods panic if the path has an empty segment, `.` or `..`, or if it is there.
    pub fn file(self, path: impl AsRef<[u8]>, modified: i64, bytes: impl AsRef<[u8]>) -> Tree {
        self.file_at(path, (modified, 0), bytes)
    }

    /// Adds a file of which that time is known more exactly: whole seconds, rounded down, and
    /// nanoseconds. As on a disk, these make its `ETag` a strong one.
    pub fn file_at(
        self,
        path: impl AsRef<[u8]>,
        modified: (i64, u32),
        bytes: impl AsRef<[u8]>,
    ) -> Tree {
        self.with(path.as_ref(), Node::File(bytes.as_ref().into(), modified))
    }

    /// Adds a program, which is played by a function.
    pub fn script(self, path: impl AsRef<[u8]>, play: FakeProcess) -> Tree {
        self.with(path.as_ref(), Node::Script(play))
    }

    /// Adds a directory. Only those that stay empty need it.
    pub fn directory(self, path: impl AsRef<[u8]>) -> Tree {
        self.with(path.as_ref(), Node::Directory(None))
    }

    /// Adds a directory that was last changed at `modified`, in seconds since 1970. It has to stand before
    /// what is in it.
    pub fn directory_at(self, path: impl AsRef<[u8]>, modified: i64) -> Tree {
        self.with(path.as_ref(), Node::Directory(Some(modified)))
    }

    /// Adds a symbolic link. As on a disk, its target counts from the directory that holds it. If
    /// it is absolute, climbs out of the tree, leads nowhere or in circles, nothing is found under its name, and only
    /// CPython's listing shows it.
    pub fn link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Tree {
        self.with(path.as_ref(), Node::Link(target.as_ref().to_vec()))
    }

    /// Adds something that can be seen in a list, and that fails in this way if it is opened.
    pub fn fault(self, path: impl AsRef<[u8]>, error: FsError) -> Tree {
        self.with(path.as_ref(), Node::Fault(error))
    }

    /// Whether files can be sent without being read, see [`Opened::File`]. They cannot by default.
    #[must_use]
    pub fn sendable(self, sendable: bool) -> Tree {
        Tree { sendable, ..self }
    }

    /// Whether names that Windows reads otherwise are neither opened nor listed, as on a disk there: see
    /// [`Path::is_portable`]. They are by default.
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
        assert!(before.is_none(), "there already: {:?}", path.escape_ascii());
        self
    }

    /// Where a file that is made will be, if what has its name is what should have it. A link is no file,
    /// wherever it leads.
    pub(super) fn place(&self, create: &Create) -> Result<Vec<u8>, FsError> {
        let mut above = create.path.clone();
        above.pop();
        self.admit(&create.path)?;
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

    /// Where a directory is, of which so many of the last names may be missing.
    fn directory_for(&self, path: &Path, missing: usize) -> Result<Vec<u8>, FsError> {
        match self.find(path.as_bytes()) {
            Ok((at, Node::Directory(_))) => Ok(at),
            Err(FsError::NotFound) if missing > 0 => {
                let mut above = path.clone();
                above.pop();
                let mut at = self.directory_for(&above, missing - 1)?;
                push(&mut at, path.file_name());
                // It may be a link to nothing.
                match self.nodes.contains_key(&at) {
                    true => Err(FsError::NotFound),
                    false => Ok(at),
                }
            }
            found => Err(found.err().unwrap_or(FsError::NotFound)),
        }
    }

    /// Stores a file, and makes the directories that are missing. None has the same time as another.
    pub(super) fn store(&mut self, create: &Create, bytes: &[u8]) -> Result<(), FsError> {
        let at = self.place(create)?;
        for end in (0..at.len()).filter(|end| at[*end] == b'/') {
            let directory = Node::Directory(None);
            self.nodes.entry(at[..end].to_vec()).or_insert(directory);
        }
        self.stored += 1;
        self.nodes
            .insert(at, Node::File(bytes.into(), (START, self.stored)));
        Ok(())
    }

    /// Refuses a path that names nothing here.
    fn admit(&self, path: &Path) -> Result<(), FsError> {
        let refused = self.portable_names && !path.is_portable();
        if refused {
            Err(FsError::InvalidName)
        } else {
            Ok(())
        }
    }

    /// What is at a path that was asked for.
    fn ask(&self, path: &Path) -> Result<(Vec<u8>, &Node), FsError> {
        self.admit(path)?;
        self.find(path.as_bytes())
    }

    /// Where a path leads in the end, and what is there.
    fn find(&self, path: &[u8]) -> Result<(Vec<u8>, &Node), FsError> {
        let mut at = Vec::new();
        let mut node = &Node::Directory(None);
        let mut ahead: Vec<&[u8]> = path.rsplit(is_slash).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
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
                ahead.extend(target.rsplit(is_slash));
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
        match self.ask(path)?.1 {
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
        let (at, node) = self.ask(path)?;
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
            let leads_to = self.find(path).map(|(_, node)| node);
            entries.push(Entry {
                name,
                directory: matches!(leads_to, Ok(Node::Directory(_))),
                link: matches!(node, Node::Link(_)),
                unavailable: matches!(
                    leads_to,
                    Err(FsError::NotFound | FsError::OutsideRoot)
                        | Ok(Node::Fault(FsError::NotRegularFile))
                ),
                len: match leads_to {
                    Ok(Node::File(bytes, _)) => Some(bytes.len() as u64),
                    _ => None,
                },
                modified: match leads_to {
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

    fn run(&self, program: &CgiScript) -> Result<Opened<File>, FsError> {
        match self.ask(&program.path)?.1 {
            Node::Script(play) => Ok(Opened::Process(File::Process(Box::new(
                RunningProcess::new(*play, program),
            )))),
            _ => Err(FsError::Forbidden),
        }
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<File>, FsError> {
        Ok(Archive::open(self, request)?.map(|archive| File::Archive(Box::new(archive))))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> Result<usize, FsError> {
        match file {
            File::Process(program) => Ok(program.write(bytes)),
            _ => Err(FsError::Unsupported),
        }
    }

    fn fill(&self, file: &mut File, at: u64, into: &mut [u8]) -> Got<File> {
        match file {
            File::Process(program) => program.fill(into),
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

/// What there is from `at` on.
fn rest(file: &File, at: u64) -> &[u8] {
    match file {
        File::Bytes(bytes) => content::rest(bytes, at),
        _ => &[],
    }
}

/// The name of `path` in `directory`, if that is where it is.
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

/// As many as Linux follows.
const LINKS_MAX: u32 = 40;
