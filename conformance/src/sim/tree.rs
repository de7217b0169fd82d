//! [`Tree`]: the file system of a world. Its files shrink, grow, disappear and are replaced, also while they are open.
//! Some can be sent with `Want::Copy`, and some are CGI scripts.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use sanserve_core::{
    CgiScript, Create, Entries, Entry, FileSystem, FileVersion, FsError, Got, Meta, Opened, Path,
};

use super::Random;
use super::script::{Script, ScriptProcess};
use super::shown::checksum;

/// A small random tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Sorted by path.
    nodes: RefCell<Vec<(Vec<u8>, Node)>>,
}

#[derive(Clone, Debug)]
enum Node {
    Directory,
    File(Rc<RefCell<Vec<u8>>>, bool),
    Script(Script),
    Error(FsError),
}

/// An open file of a [`Tree`].
#[derive(Debug)]
pub enum File {
    /// A file. Changes of it in the tree are visible here, unless it was removed or replaced.
    Bytes(Rc<RefCell<Vec<u8>>>),
    /// A CGI process.
    Process(Box<ScriptProcess>),
    /// A file that is being created: its path, and the bytes so far. It is not in the tree before it is committed.
    Created(Vec<u8>, Vec<u8>),
}

/// Request targets, valid and invalid, some of which are in the tree.
pub const TARGETS: &[&str] = &[
    "/",
    "/a.txt",
    "/b.html",
    "/big.bin",
    "/big.bin",
    "/big.bin?again",
    "/sub/x.css",
    "/c%20d.txt?x=1",
    "/sub",
    "/sub/",
    "/sub/x.css?top",
    "/.hidden",
    "/nul.txt",
    "/%zz",
    "/sub/x.css#top",
    "/sub/deep/y",
    "/none",
    "/closed",
    "/../../a.txt",
    "/sub/%2e%2e/a.txt",
    "//sub//.//x.css",
    "/%00",
    "/a.txt/",
    "/%ff%c3",
    "*",
    "http://h/a.txt",
    "HTTP://h?x",
    "/cgi-bin/hello",
    "/cgi-bin/cat?a+b",
    "/cgi-bin/length/more/path?x=1",
    "/cgi-bin/status",
    "/cgi-bin/long",
    "/cgi-bin/bad",
    "/cgi-bin/silent",
    "/cgi-bin/deaf",
    "/cgi-bin/none",
    "/cgi-bin/a.txt",
    "/cgi-bin",
];

impl Tree {
    /// Creates a random tree. Most files are small, and few are large.
    #[must_use]
    pub fn random(random: &mut Random) -> Tree {
        let tree = Tree {
            nodes: RefCell::new(Vec::new()),
        };
        for name in ["", "cgi-bin", "sub", "sub/deep"] {
            tree.put(name.as_bytes(), Node::Directory);
        }
        for (name, script) in Script::ALL {
            tree.put(name.as_bytes(), Node::Script(*script));
        }
        tree.put(b"closed", Node::Error(FsError::Forbidden));
        for name in FILES {
            if !random.one_in(5) {
                let len = len(random) + if *name == "big.bin" { 600 } else { 0 };
                tree.put(name.as_bytes(), file(random, len));
            }
        }
        tree
    }

    /// Returns the content of a file.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let at = self.find(path.as_bytes()).ok()?;
        match &self.nodes.borrow()[at].1 {
            Node::File(bytes, _) => Some(bytes.borrow().clone()),
            _ => None,
        }
    }

    /// Changes a file, preferably one that is open.
    pub fn change(&self, random: &mut Random) {
        let name = self.open_name().filter(|_| !random.one_in(3));
        let name = name.unwrap_or_else(|| random.pick(FILES).into());
        let Ok(at) = self.find(&name) else {
            let len = len(random);
            return self.put(&name, file(random, len));
        };
        let mut nodes = self.nodes.borrow_mut();
        let Node::File(bytes, _) = &nodes[at].1 else {
            return;
        };
        let mut bytes = bytes.borrow_mut();
        let len = bytes.len();
        match random.below(5) {
            0 => bytes.truncate(random.below(len + 1)),
            1 => bytes.resize(len + 1 + random.below(500), b'+'),
            2 if len > 0 => bytes[random.below(len)] = b'!',
            3 => {
                drop(bytes);
                nodes[at].1 = file(random, len);
            }
            _ => {
                drop(bytes);
                nodes.remove(at);
            }
        }
    }

    /// Returns the path of an open file.
    fn open_name(&self) -> Option<Vec<u8>> {
        let nodes = self.nodes.borrow();
        let open =
            |node: &Node| matches!(node, Node::File(bytes, _) if Rc::strong_count(bytes) > 1);
        let found = nodes.iter().find(|(_, node)| open(node));
        found.map(|(name, _)| name.clone())
    }

    fn find(&self, path: &[u8]) -> Result<usize, usize> {
        let nodes = self.nodes.borrow();
        nodes.binary_search_by(|(name, _)| name.as_slice().cmp(path))
    }

    fn put(&self, name: &[u8], node: Node) {
        let at = self.find(name).unwrap_or_else(|at| at);
        self.nodes.borrow_mut().insert(at, (name.into(), node));
    }
}

/// Creates a file of this length. Every byte depends on its offset.
fn file(random: &mut Random, len: usize) -> Node {
    let key = random.number() as usize;
    let row: [u8; 256] = std::array::from_fn(|at| (at as u8).wrapping_mul(31));
    let mut bytes = vec![0; len];
    for (block, bytes) in bytes.chunks_mut(row.len()).enumerate() {
        let first = block.wrapping_add(key) as u8;
        let all = bytes.iter_mut().zip(&row);
        all.for_each(|(byte, at)| *byte = at.wrapping_add(first));
    }
    Node::File(Rc::new(RefCell::new(bytes)), !key.is_multiple_of(3))
}

fn len(random: &mut Random) -> usize {
    match random.below(256) {
        0 => 70_000 + random.below(70_000),
        1..40 => 1000 + random.below(4000),
        40..120 => 300 + random.below(700),
        120..140 => 0,
        _ => random.below(100),
    }
}

impl FileSystem for Tree {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        let nodes = self.nodes.borrow();
        let at = self.find(path.as_bytes()).map_err(|_| FsError::NotFound)?;
        let (bytes, sendable, executable) = match &nodes[at].1 {
            Node::Directory => return Ok(Opened::Directory),
            Node::Error(error) => return Err(*error),
            Node::File(bytes, sendable) => (Rc::clone(bytes), *sendable, false),
            Node::Script(_) => (Rc::default(), false, true),
        };
        let meta = Meta::new(bytes.borrow().len() as u64)
            .with_modified(Some(1_600_000_000))
            .with_version((!executable).then(|| FileVersion::new(checksum(&bytes.borrow()))))
            .with_executable(executable);
        Ok(Opened::File {
            file: File::Bytes(bytes),
            meta,
            sendable,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let nodes = self.nodes.borrow();
        let at = self.find(path.as_bytes()).map_err(|_| FsError::NotFound)?;
        let Node::Directory = nodes[at].1 else {
            return Err(FsError::NotRegularFile);
        };
        let below = nodes.iter().filter_map(|(name, node)| {
            let name = match path.as_bytes() {
                b"" => name.as_slice(),
                above => name.strip_prefix(above)?.strip_prefix(b"/")?,
            };
            (!name.is_empty() && !name.contains(&b'/')).then_some(Entry {
                name,
                directory: matches!(node, Node::Directory),
                ..Entry::default()
            })
        });
        Ok(Arc::new(below.collect()))
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        match file {
            File::Process(process) => Ok(process.read(into)),
            File::Created(..) => Err(FsError::Unsupported),
            File::Bytes(bytes) => {
                let bytes = bytes.borrow();
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let rest = bytes.get(at..).unwrap_or_default();
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            }
        }
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<File>, FsError> {
        let nodes = self.nodes.borrow();
        let at = self
            .find(script.path.as_bytes())
            .map_err(|_| FsError::NotFound)?;
        match nodes[at].1 {
            Node::Script(script) => Ok(Opened::Process(File::Process(Box::new(
                ScriptProcess::new(script),
            )))),
            _ => Err(FsError::Forbidden),
        }
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> Result<usize, FsError> {
        match file {
            File::Process(process) => Ok(process.write(bytes)),
            File::Created(_, content) => {
                content.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            File::Bytes(_) => Err(FsError::Unsupported),
        }
    }

    fn create(&self, create: &Create) -> Result<Opened<File>, FsError> {
        let name = create.path.as_bytes();
        match self.find(name) {
            Ok(_) => Err(FsError::Exists),
            Err(_) => Ok(Opened::Writer(File::Created(name.into(), Vec::new()))),
        }
    }

    fn commit(&self, file: &mut File) -> Result<(), FsError> {
        let File::Created(name, content) = file else {
            return Err(FsError::Unsupported);
        };
        if self.find(name).is_ok() {
            return Err(FsError::Exists);
        }
        let content = Rc::new(RefCell::new(std::mem::take(content)));
        self.put(name, Node::File(content, false));
        Ok(())
    }

    fn fill(&self, file: &mut File, at: u64, into: &mut [u8]) -> Got<File> {
        if let File::Process(process) = file
            && let Some(note) = process.note()
        {
            return Got::Note(note);
        }
        self.read(file, at, into)
            .map_or_else(Got::Refused, Got::Bytes)
    }
}

const FILES: &[&str] = &[
    "a.txt",
    "b.html",
    "big.bin",
    "c d.txt",
    "a.txt.gz",
    "big.bin.br",
    ".hidden",
    "cgi-bin/a.txt",
    "sub/index.html",
    "sub/x.css",
    "sub/deep/y",
];
