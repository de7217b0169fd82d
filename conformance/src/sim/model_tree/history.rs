//! [`History`]: the changes of a model tree, in order.

use std::collections::BTreeSet;

use super::nodes::{Node, Nodes, Version};

/// A change of a [`ModelTree`](super::ModelTree).
#[derive(Clone, Debug)]
pub struct Change {
    /// The path.
    pub path: Vec<u8>,
    /// The new version of the file; `None` if the change is about something other than a file, or removes it.
    pub version: Option<Version>,
    /// The version of the file that was replaced or removed.
    pub replaced: Option<Version>,
    /// What the path names now.
    pub(super) node: Option<Node>,
    /// The cause of the change.
    pub cause: Cause,
}

/// The cause of a change of a model tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The world, which grows the tree and changes it while it is served; or an upload that needed a directory.
    World,
    /// An upload that has stored a file.
    Upload,
    /// A request that has created a directory.
    NewDirectory,
    /// A request that has removed a file or a directory.
    Removal,
}

/// All changes of a tree.
#[derive(Clone, Debug)]
pub(in crate::sim) struct History {
    changes: Vec<Change>,
    /// The number of changes that created the first tree.
    grown: usize,
}

/// The names in a directory during a world.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Names {
    /// The names that it had at any time.
    pub(in crate::sim) ever: BTreeSet<Vec<u8>>,
    /// The names that it had at all times, without those of links, whose targets may be missing.
    pub(in crate::sim) always: BTreeSet<Vec<u8>>,
}

impl History {
    pub(super) fn new(changes: Vec<Change>, grown: usize) -> History {
        History { changes, grown }
    }

    /// Returns the changes with this cause.
    pub(in crate::sim) fn caused_by(&self, cause: Cause) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| change.cause == cause)
    }

    /// Returns the paths that requests have removed, with what they named and how much was below.
    pub(in crate::sim) fn removals(&self) -> Vec<(&[u8], Option<Node>, usize)> {
        let (mut nodes, mut removals) = (Nodes::default(), Vec::new());
        for change in &self.changes {
            if change.cause == Cause::Removal {
                let below = nodes.below(&change.path).count();
                removals.push((&*change.path, nodes.get(&change.path).cloned(), below));
            }
            nodes.set(&change.path, change.node.clone());
        }
        removals
    }

    /// Returns the path and content of a version.
    pub(in crate::sim) fn version(&self, number: u64) -> Option<(&[u8], &[u8])> {
        let change = self.changes.get(usize::try_from(number).ok()?)?;
        Some((&change.path, &change.version.as_ref()?.bytes))
    }

    /// Returns the names that a directory had.
    pub(in crate::sim) fn names(&self, directory: &[u8]) -> Names {
        let mut names = Names::default();
        let mut removed = BTreeSet::new();
        for change in &self.changes {
            let name = match directory {
                b"" => Some(change.path.as_slice()),
                above => change
                    .path
                    .strip_prefix(above)
                    .and_then(|rest| rest.strip_prefix(b"/")),
            };
            let Some(name) = name.filter(|name| !name.is_empty() && !name.contains(&b'/')) else {
                continue;
            };
            match change.node {
                Some(_) => _ = names.ever.insert(name.into()),
                None => _ = removed.insert(name.to_vec()),
            }
        }
        // The names of the first tree, unless they were removed.
        let first = nodes_after(&self.changes[..self.grown]);
        let is_link = |node: &Node| matches!(node, Node::Link(_) | Node::BrokenLink);
        let at_first = first.below(directory).filter(|(_, node)| !is_link(node));
        let at_first = at_first.map(|(name, _)| name);
        let at_first = at_first.filter(|name| !name.contains(&b'/') && !removed.contains(*name));
        names.always = at_first.map(<[u8]>::to_vec).collect();
        names
    }

    /// Returns the trees after each change, beginning with the first tree, and the number of changes.
    pub(in crate::sim) fn trees(&self) -> impl Iterator<Item = (usize, Nodes)> {
        (self.grown..=self.changes.len()).map(|len| (len, nodes_after(&self.changes[..len])))
    }
}

pub(super) fn nodes_after(changes: &[Change]) -> Nodes {
    let mut nodes = Nodes::default();
    for change in changes {
        nodes.set(&change.path, change.node.clone());
    }
    nodes
}
