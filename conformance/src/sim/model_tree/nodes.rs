//! [`Nodes`]: the files, directories, links and scripts of a model tree, by path.

use std::collections::BTreeMap;
use std::rc::Rc;

use sanserve_core::{Entries, Entry, FileVersion, FsError, Meta, Path};

use crate::sim::Random;
use crate::sim::script::Script;

/// What a path names.
#[derive(Clone, Debug)]
pub(in crate::sim) enum Node {
    Directory,
    File(Version),
    /// A symbolic link to this path.
    Link(&'static [u8]),
    /// A symbolic link that leads to nothing.
    BrokenLink,
    Script(Script),
}

/// A version of a file.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its number in the tree, which no other version has.
    pub number: u64,
    /// Its content.
    pub bytes: Rc<[u8]>,
}

/// All nodes. The key of the root is empty.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Nodes(BTreeMap<Vec<u8>, Node>);

impl Version {
    /// Returns its metadata. Every version has another time of the last modification.
    pub(super) fn meta(&self, has_versions: bool) -> Meta {
        Meta::new(self.bytes.len() as u64)
            .with_modified(Some(FIRST_TIME + self.number as i64))
            .with_version(has_versions.then(|| FileVersion::new(self.number)))
    }

    /// Returns the number of the version with this metadata.
    pub(in crate::sim) fn number(meta: &Meta) -> Option<u64> {
        meta.modified?.checked_sub(FIRST_TIME)?.try_into().ok()
    }
}

impl Node {
    pub(super) fn version(&self) -> Option<&Version> {
        match self {
            Node::File(version) => Some(version),
            _ => None,
        }
    }
}

impl Nodes {
    pub(super) fn set(&mut self, path: &[u8], node: Option<Node>) -> Option<Node> {
        match node {
            Some(node) => self.0.insert(path.into(), node),
            None => self.0.remove(path),
        }
    }

    pub(in crate::sim) fn get(&self, path: &[u8]) -> Option<&Node> {
        self.0.get(path)
    }

    pub(super) fn exists(&self, path: &[u8]) -> bool {
        self.0.contains_key(path)
    }

    pub(super) fn is_file(&self, path: &[u8]) -> bool {
        matches!(self.0.get(path), Some(Node::File(_)))
    }

    pub(super) fn content(&self, path: &[u8]) -> Option<&[u8]> {
        Some(&self.0.get(path)?.version()?.bytes)
    }

    /// Returns what a path names, with all links followed.
    pub(super) fn find(&self, path: &[u8]) -> Result<&Node, FsError> {
        if is_too_long(path) {
            return Err(FsError::TooLong);
        }
        let path = self.resolve(path);
        let found = match self.0.get(&path) {
            Some(Node::Link(target)) => self.0.get(*target),
            found => found,
        };
        found.ok_or(FsError::NotFound)
    }

    /// Follows all links to directories in a path.
    pub(in crate::sim) fn resolve(&self, path: &[u8]) -> Vec<u8> {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = ends.map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            if let Some(Node::Link(target)) = self.0.get(&path[..end])
                && let Some(Node::Directory) = self.0.get(*target)
            {
                return [target, &path[end..]].concat();
            }
        }
        path.into()
    }

    /// Returns the entries of a directory.
    pub(super) fn list(&self, directory: &[u8], temporary: &[Vec<u8>]) -> Entries {
        let nodes = self.0.iter().filter_map(|(path, node)| {
            let name = name_in(path, directory)?;
            let (link, target) = match node {
                Node::Link(target) => (true, self.0.get(*target)),
                node => (matches!(node, Node::BrokenLink), Some(node)),
            };
            Some(Entry {
                name,
                directory: matches!(target, Some(Node::Directory)),
                link,
                unavailable: matches!(target, Some(Node::BrokenLink) | None),
                ..Entry::default()
            })
        });
        let temporary = temporary.iter().filter_map(|path| {
            let name = name_in(path, directory)?;
            Some(Entry {
                name,
                ..Entry::default()
            })
        });
        nodes.chain(temporary).collect()
    }

    /// Returns the paths below a directory, relative to it, with their nodes.
    pub(in crate::sim) fn below<'a>(
        &'a self,
        directory: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a Node)> {
        self.0.iter().filter_map(move |(path, node)| {
            let rest = match directory {
                b"" => path.as_slice(),
                above => path.strip_prefix(above)?.strip_prefix(b"/")?,
            };
            (!rest.is_empty()).then_some((rest, node))
        })
    }

    /// Returns whether the path `below` a directory is a link.
    pub(in crate::sim) fn is_link(&self, directory: &[u8], below: &[u8]) -> bool {
        let path = match directory {
            b"" => below.to_vec(),
            above => [above, b"/", below].concat(),
        };
        matches!(self.0.get(&path), Some(Node::Link(_)))
    }

    /// Returns the path of a file that is open: something other than the tree and its history has its content.
    pub(super) fn open_file(&self) -> Option<Vec<u8>> {
        let is_open = |node: &Node| {
            let version = node.version();
            version.is_some_and(|version| Rc::strong_count(&version.bytes) > TREE_REFERENCES)
        };
        let found = self.0.iter().find(|(_, node)| is_open(node));
        found.map(|(path, _)| path.clone())
    }
}

/// Returns the name of a path that is directly in a directory.
fn name_in<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let name = match directory {
        b"" => path,
        above => path.strip_prefix(above)?.strip_prefix(b"/")?,
    };
    (!name.is_empty() && !name.contains(&b'/')).then_some(name)
}

/// Returns the path of the directory that contains a path.
pub(super) fn directory_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte == b'/');
    &path[..end.unwrap_or(0)]
}

/// Returns whether a name in a path is too long.
pub(super) fn is_too_long(path: &[u8]) -> bool {
    let mut names = path.split(|&byte| byte == b'/');
    names.any(|name| name.len() > NAME_MAX)
}

/// Returns whether a name is one of a file that is being created.
pub(in crate::sim) fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(Path::TEMPORARY_PREFIX.as_bytes())
}

/// Returns the directories, links and scripts that every tree has at first.
pub(super) fn fixed() -> impl Iterator<Item = (&'static str, Node)> {
    let directories = ["", "docs", "docs/deep", "in", "site", "void", "cgi-bin"];
    let directories = directories.map(|path| (path, Node::Directory));
    let links = [
        ("alias", Node::Link(b"a.txt")),
        ("up", Node::Link(b"docs")),
        ("gone", Node::BrokenLink),
    ];
    let scripts = Script::ALL.iter();
    let scripts = scripts.map(|(path, script)| (*path, Node::Script(*script)));
    directories.into_iter().chain(links).chain(scripts)
}

/// Returns the content of a new file.
pub(super) fn content(random: &mut Random) -> Vec<u8> {
    let len = match random.below(64) {
        0 => 70_000 + random.below(10_000),
        1..10 => 1000 + random.below(4000),
        10..14 => 0,
        14..40 => 400 + random.below(1600),
        _ => 1 + random.below(100),
    };
    bytes(random, len)
}

/// Returns bytes, none of which is the same in the content of other versions for long.
pub(super) fn bytes(random: &mut Random, len: usize) -> Vec<u8> {
    let key = random.number().to_le_bytes();
    let byte = |at: usize| key[at % 8].wrapping_add((at / 8) as u8);
    (0..len).map(byte).collect()
}

/// The files that most trees have.
pub(super) const FILES: &[&str] = &[
    "a.txt",
    "a.txt.gz",
    "b c.txt",
    "ü&<1>.txt",
    ".secret",
    "docs/one.txt",
    "docs/two.bin",
    "docs/.draft",
    "docs/deep/three",
    "in/u0",
    "site/index.html",
];

/// The references to the content of a file that is not open: by its node, and twice by its change.
const TREE_REFERENCES: usize = 3;

/// A directory that is removed and created.
pub(super) const VOID: &[u8] = b"void";

/// The longest name.
const NAME_MAX: usize = 255;

/// The time of the first version: 2020-09-13 12:26:40 UTC.
const FIRST_TIME: i64 = 1_600_000_000;
