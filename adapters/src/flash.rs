//! [`Flash`]: a file system whose files are built into the program. It needs no disk, and allocates only for
//! listings.
//!
//! `source` generates the Rust text of one from a folder, for build scripts.

#[cfg(feature = "std")]
mod source;

use sanserve_core::Arc;

use sanserve_core::{Entries, Entry, FileSystem, FileVersion, FsError, Meta, Opened, Path};

use crate::content;

/// A tree of files built into the program: in flash memory, in a component, in a test.
///
/// ```
/// use sanserve_server::{Flash, Node};
///
/// static SITE: Flash = Flash::new(&[
///     Node::file("index.html", b"<!DOCTYPE html><title>Lamp</title>"),
///     Node::directory("data", &[
///         Node::file("on.txt", b"yes").modified(1_767_225_600), // include_bytes! will do as well
///     ]),
/// ]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Flash(&'static [Node]);

/// A file or a directory of a [`Flash`].
#[derive(Clone, Copy, Debug)]
pub struct Node {
    name: &'static str,
    content: Content,
    modified: Option<i64>,
    version: Option<FileVersion>,
}

#[derive(Clone, Copy, Debug)]
enum Content {
    File(&'static [u8]),
    Directory(&'static [Node]),
}

impl Flash {
    /// Creates a file system from the nodes of its root. If two have the same name, the first one is served.
    #[must_use]
    pub const fn new(root: &'static [Node]) -> Flash {
        Flash(root)
    }

    fn find(&self, path: &Path) -> Result<Node, FsError> {
        let mut found = Node::directory("/", self.0);
        for name in path.segments() {
            let Content::Directory(nodes) = found.content else {
                return Err(FsError::NotFound);
            };
            let node = nodes.iter().find(|node| node.name.as_bytes() == name);
            found = *node.ok_or(FsError::NotFound)?;
        }
        Ok(found)
    }
}

impl Node {
    /// Creates a file. Its name is one segment of a path.
    #[must_use]
    pub const fn file(name: &'static str, bytes: &'static [u8]) -> Node {
        Node {
            name,
            content: Content::File(bytes),
            modified: None,
            version: None,
        }
    }

    /// Creates a directory with its nodes.
    #[must_use]
    pub const fn directory(name: &'static str, nodes: &'static [Node]) -> Node {
        Node {
            name,
            content: Content::Directory(nodes),
            modified: None,
            version: None,
        }
    }

    /// Sets the time of the last change, in seconds since 1970. A file without one is sent without `Last-Modified`.
    #[must_use]
    pub const fn modified(self, unix: i64) -> Node {
        Node {
            modified: Some(unix),
            ..self
        }
    }

    /// Sets a number that differs for each content the file ever had, such as a checksum. It becomes the file's
    /// `ETag`, see [`Meta::version`].
    #[must_use]
    pub const fn version(self, version: u64) -> Node {
        Node {
            version: Some(FileVersion::new(version)),
            ..self
        }
    }
}

impl FileSystem for Flash {
    type File = &'static [u8];

    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        let node = self.find(path)?;
        Ok(match node.content {
            Content::Directory(_) => Opened::Directory,
            Content::File(bytes) => Opened::File {
                file: bytes,
                meta: Meta::new(bytes.len() as u64)
                    .with_modified(node.modified)
                    .with_version(node.version),
                sendable: false,
            },
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let Content::Directory(nodes) = self.find(path)?.content else {
            return Err(FsError::NotFound);
        };
        let entries = nodes.iter().map(|node| Entry {
            name: node.name.as_bytes(),
            directory: matches!(node.content, Content::Directory(_)),
            link: false,
            unavailable: false,
            len: match node.content {
                Content::File(bytes) => Some(bytes.len() as u64),
                Content::Directory(_) => None,
            },
            modified: node.modified,
        });
        Ok(Arc::new(entries.collect()))
    }

    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        Ok(content::read(file, at, into))
    }
}
