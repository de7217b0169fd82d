//! Walks through a directory tree, and collects the entries of an archive.

use alloc::vec::Vec;

use super::download::stem;
use super::layout::Layout;
use crate::fs::{ArchiveRequest, Entry, FileSystem, FsError, Meta, Opened, Path};

/// A listed entry that has not been visited yet, and the index of its directory's entry.
struct Unvisited {
    above: usize,
    name: Vec<u8>,
    directory: bool,
    /// Its time of the last modification, if the listing had it.
    modified: Option<i64>,
}

/// Returns the layout of a directory's archive: its entries by name, each directory followed by its own entries.
pub(super) fn walk(fs: &impl FileSystem, request: &ArchiveRequest) -> Result<Layout, FsError> {
    let stem = [stem(&request.path), b"/"].concat();
    let mut ahead = list_entries(fs, request, &request.path, 0).map_err(|error| match error {
        // A path that is too long for the directory itself names nothing; one below it belongs to a file that exists.
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
            // A directory that cannot be read is included nevertheless.
            ahead.extend(
                skip_missing(list_entries(fs, request, &path, parents.len()))?.unwrap_or_default(),
            );
        } else if let Some(meta) = skip_missing(file_meta(fs, &path))? {
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
    set_directory_dates(&mut layout, &parents);
    layout.compute_offsets().ok_or(FsError::TooMany)?;
    Ok(layout)
}

/// A directory without a time of the last modification gets that of its newest entry.
fn set_directory_dates(layout: &mut Layout, parents: &[usize]) {
    let entries = &mut layout.entries;
    let has_time: Vec<bool> = entries
        .iter()
        .map(|entry| entry.modified.is_some())
        .collect();
    for index in (1..parents.len()).rev() {
        let modified = entries[index].modified;
        let above = parents[index];
        if !has_time[above] && entries[above].modified < modified {
            entries[above].modified = modified;
        }
    }
}

/// Returns the entries of a directory that can be requested, in reverse order.
fn list_entries(
    fs: &impl FileSystem,
    request: &ArchiveRequest,
    path: &Path,
    above: usize,
) -> Result<Vec<Unvisited>, FsError> {
    let entries = fs.list(path)?;
    let shown = entries.iter().filter(|entry| {
        // A link to a directory may lead back up and form a cycle.
        let is_listed = Path::is_listed(entry.name, request.hidden) && !entry.unavailable;
        is_listed && !(entry.link && entry.directory)
    });
    let ahead = |entry: Entry<'_>| Unvisited {
        above,
        name: entry.name.to_vec(),
        directory: entry.directory,
        modified: entry.modified,
    };
    let mut ahead: Vec<_> = shown.map(ahead).collect();
    ahead.sort_unstable_by(|one, other| other.name.cmp(&one.name));
    Ok(ahead)
}

/// Returns the metadata of a file.
fn file_meta(fs: &impl FileSystem, path: &Path) -> Result<Meta, FsError> {
    match fs.open(path)? {
        Opened::File { meta, .. } => Ok(meta),
        _ => Err(FsError::NotRegularFile),
    }
}

/// A file that cannot be opened is omitted, as a client that requests it gets the reply for a missing file. But a lack
/// of resources says nothing about the file, so it aborts the walk. So does a path that is too long, since the archive
/// would seem complete without the file.
fn skip_missing<T>(found: Result<T, FsError>) -> Result<Option<T>, FsError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error @ (FsError::NoResources | FsError::TooLong)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The largest number of files and directories.
const ENTRIES_MAX: usize = 100_000;
/// The largest number of bytes of all names, including their directories.
const NAMES_MAX: usize = 64 * 1024 * 1024;
/// The longest name in bytes. A zip stores the length in two bytes.
const NAME_MAX: usize = 65_000;
