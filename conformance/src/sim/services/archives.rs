//! Checks archives: a whole one unpacks to the tree as it was at one time, and a part is a part of such an archive.

use std::collections::BTreeMap;

use sanserve_core::archive::Archive;
use sanserve_core::{ArchiveFormat, ArchiveRequest, Ask, Got};

use super::exchange::Exchange;
use super::served::Served;
use super::unpack::{self, Unpacked};
use crate::sim::conversation::Answer;
use crate::sim::model_tree::{History, ModelTree, Node, Nodes};

/// Compares the archives that were sent in a world with the tree.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    served.each(|exchange| check_one(served, exchange))
}

fn check_one(served: &Served<'_>, exchange: &Exchange<'_>) -> Result<(), String> {
    let archive = exchange
        .calls
        .iter()
        .find_map(|call| match (&call.ask, &call.answer) {
            (Ask::Archive(request), Answer::File { .. }) => Some(request),
            _ => None,
        });
    let (Some(request), Some(reply)) = (archive, &exchange.reply) else {
        return Ok(());
    };
    if request.hidden != exchange.settings.hidden {
        return Err("it has hidden files, or lacks them".into());
    }
    if let Some(content) = exchange.whole_content() {
        return check_whole(&served.history, request, content);
    }
    let range = reply.field("Content-Range");
    let range = range.and_then(|value| str::from_utf8(value).ok());
    match range.filter(|_| reply.status == 206) {
        Some(range) => check_part(served, request, range, &reply.body),
        None => Ok(()),
    }
}

fn check_whole(history: &History, request: &ArchiveRequest, content: &[u8]) -> Result<(), String> {
    let unpacked = match request.format {
        ArchiveFormat::Tar => unpack::tar(content)?,
        ArchiveFormat::Zip => unpack::zip(content)?,
        other => return Err(format!("no check for {other:?}")),
    };
    let mut trees = history.trees();
    match trees.any(|(_, nodes)| expected(&nodes, request) == unpacked) {
        true => Ok(()),
        false => Err(format!(
            "its {} entries were never in the tree at one time",
            unpacked.len()
        )),
    }
}

/// Returns the entries that an archive must have.
fn expected(nodes: &Nodes, request: &ArchiveRequest) -> Unpacked {
    let stem: &[u8] = match request.path.file_name() {
        b"" => b"files",
        name => name,
    };
    let mut entries = BTreeMap::from([([stem, b"/"].concat(), None)]);
    let directory = nodes.resolve(request.path.as_bytes());
    for (path, node) in nodes.below(&directory) {
        let is_hidden = path
            .split(|&byte| byte == b'/')
            .any(|name| name.starts_with(b"."));
        if is_hidden && !request.hidden {
            continue;
        }
        let name = [stem, b"/", path].concat();
        let node = match node {
            Node::Link(target) => nodes.get(target),
            node => Some(node),
        };
        match node {
            Some(Node::File(version)) => _ = entries.insert(name, Some(version.bytes.to_vec())),
            Some(Node::Script(_)) => _ = entries.insert(name, Some(Vec::new())),
            // A link to a directory is omitted.
            Some(Node::Directory) if !nodes.is_link(&directory, path) => {
                entries.insert([&name[..], b"/"].concat(), None);
            }
            _ => {}
        }
    }
    entries
}

/// Checks a part of an archive by the archives of all trees that there were.
fn check_part(
    served: &Served<'_>,
    request: &ArchiveRequest,
    range: &str,
    content: &[u8],
) -> Result<(), String> {
    let first = range
        .strip_prefix("bytes ")
        .and_then(|range| range.split_once('-'));
    let first: usize = first
        .and_then(|(first, _)| first.parse().ok())
        .ok_or("a bad range")?;
    let is_of = |changes: usize| {
        let tree = served.tree.at(changes);
        let archive = Archive::new(&tree, request);
        archive.is_ok_and(|archive| {
            let bytes = read_whole(&tree, archive);
            bytes
                .get(first..)
                .is_some_and(|rest| rest.starts_with(content))
        })
    };
    let mut trees = served.history.trees().map(|(changes, _)| changes);
    match trees.any(is_of) {
        true => Ok(()),
        false => Err(format!("the part {range} is of no archive of the tree")),
    }
}

fn read_whole(tree: &ModelTree, mut archive: Archive<super::ModelFile>) -> Vec<u8> {
    let len = usize::try_from(archive.meta().len).unwrap_or_default();
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        let got: Got<()> = archive.fill(tree, done as u64, &mut bytes[done..]);
        match got {
            Got::Bytes(n) if n > 0 => done += n,
            Got::Working => {}
            _ => break,
        }
    }
    bytes.truncate(done);
    bytes
}
