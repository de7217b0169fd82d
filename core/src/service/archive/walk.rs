//! What belongs into an archive: the walk through the tree.

use alloc::vec::Vec;

use super::download::stem;
use super::layout::Layout;
use crate::fs::{ArchiveRequest, Entry, FileSystem, FsError, Meta, Opened, Path};

/// Something that was listed and not looked at yet, and the entry of the directory that holds it.
struct Ahead {
    above: usize,
    name: Vec<u8>,
    directory: bool,
    /// When that was last changed, if the list said so.
    modified: Option<i64>,
}

/// Lays out the archive of a directory: what is in it by its name, each directory followed by what
/// it holds.
pub(super) fn walk(fs: &impl FileSystem, request: &ArchiveRequest) -> Result<Layout, FsError> {
    let stem = [stem(&request.path), b"/"].concat();
    let mut ahead = listed(fs, request, &request.path, 0).map_err(|error| match error {
        // Nothing can have the name that was asked for; what lies too deep below it is there.
        FsError::TooLong => FsError::NotFound,
        error => error,
    })?;
    let mut layout = Layout::new(request.format, request.path.clone(), &stem);
    let mut parents = Vec::from([0]);
    while let Some(found) = ahead.pop() {
        let above = found.above;
        let mut name = [layout.name(above), &found.name].concat();
        let path = layout.path(&name);
        if found.directory {
            name.push(b'/');
            layout.add_directory(&name, found.modified);
            // One that cannot be read is there nevertheless.
            ahead.extend(passed(listed(fs, request, &path, parents.len()))?.unwrap_or_default());
        } else if let Some(meta) = passed(file(fs, &path))? {
            layout.add_file(&name, &meta);
        } else {
            continue;
        }
        parents.push(above);
        let (entries, names) = layout.size();
        if entries + ahead.len() > ENTRIES_MAX || names > NAMES_MAX || name.len() > NAME_MAX {
            return Err(FsError::TooMany);
        }
    }
    date(&mut layout, &parents);
    layout.settle().ok_or(FsError::TooMany)?;
    Ok(layout)
}

/// A directory of which nobody says when it was changed is as new as the newest in it.
fn date(layout: &mut Layout, parents: &[usize]) {
    let entries = &mut layout.entries;
    let told: Vec<bool> = entries
        .iter()
        .map(|entry| entry.modified.is_some())
        .collect();
    for index in (1..parents.len()).rev() {
        let modified = entries[index].modified;
        let above = parents[index];
        if !told[above] && entries[above].modified < modified {
            entries[above].modified = modified;
        }
    }
}

/// What a directory holds of what can be asked for, the last first.
fn listed(
    fs: &impl FileSystem,
    request: &ArchiveRequest,
    path: &Path,
    above: usize,
) -> Result<Vec<Ahead>, FsError> {
    let entries = fs.list(path)?;
    let shown = entries.iter().filter(|entry| {
        // A link to a directory may lead up again, and round and round.
        let is_listed = Path::is_listed(entry.name, request.hidden) && !entry.unavailable;
        is_listed && !(entry.link && entry.directory)
    });
    let ahead = |entry: Entry<'_>| Ahead {
        above,
        name: entry.name.to_vec(),
        directory: entry.directory,
        modified: entry.modified,
    };
    let mut ahead: Vec<_> = shown.map(ahead).collect();
    ahead.sort_unstable_by(|one, other| other.name.cmp(&one.name));
    Ok(ahead)
}

/// What is known of a file.
fn file(fs: &impl FileSystem, path: &Path) -> Result<Meta, FsError> {
    match fs.open(path)? {
        Opened::File { meta, .. } => Ok(meta),
        _ => Err(FsError::NotRegularFile),
    }
}

/// A client that asks for something that cannot be opened is told that it is not there; so it is left out.
/// But while resources lack nothing is known of it. And what lies too deep to be asked for is there: an archive without it
/// would look complete.
fn passed<T>(found: Result<T, FsError>) -> Result<Option<T>, FsError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error @ (FsError::NoResources | FsError::TooLong)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Files and directories.
const ENTRIES_MAX: usize = 100_000;
/// Bytes of all names, each with the directories before it.
const NAMES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a name. A zip has two for its length.
const NAME_MAX: usize = 65_000;
