//! Lists the directories of a [`Disk`](super::Disk). On Linux one system call returns many names, and another
//! one the metadata of each.

#[cfg(any(target_os = "linux", windows))]
use std::fs;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::Instant;
use std::{io, path};

#[cfg(not(target_os = "linux"))]
use cap_std::fs::Dir;
#[cfg(unix)]
use rustix::fs::{AtFlags, FileType, Stat, statat};
use sanserve_core::{Entries, Entry, FsError};

#[cfg(target_os = "linux")]
use super::directory_watch::DirectoryWatch;
#[cfg(target_os = "linux")]
use super::file_stat::FileStat;
use super::fs_error;
use super::large_listings::Reading;
use super::numbers::since_1970;
use super::tree::Tree;

/// Metadata of a directory entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EntryInfo {
    pub(super) directory: bool,
    /// Whether it is neither a file nor a directory, or does not exist (a dangling link).
    unavailable: bool,
    len: Option<u64>,
    modified: Option<i64>,
}

impl EntryInfo {
    fn entry(self, name: &[u8], link: bool) -> Entry<'_> {
        Entry {
            name,
            directory: self.directory,
            link,
            unavailable: self.unavailable,
            len: self.len,
            modified: self.modified,
        }
    }
}

#[cfg(unix)]
#[allow(
    clippy::unnecessary_cast,
    reason = "these are of other types on other systems"
)]
impl From<Stat> for EntryInfo {
    fn from(found: Stat) -> EntryInfo {
        let kind = FileType::from_raw_mode(found.st_mode);
        EntryInfo {
            directory: kind == FileType::Directory,
            unavailable: !is_available(kind),
            len: (kind == FileType::RegularFile).then_some(found.st_size as u64),
            modified: Some(found.st_mtime as i64),
        }
    }
}

#[cfg(windows)]
impl From<fs::Metadata> for EntryInfo {
    fn from(found: fs::Metadata) -> EntryInfo {
        EntryInfo {
            directory: found.is_dir(),
            unavailable: !(found.is_dir() || found.is_file()),
            len: found.is_file().then_some(found.len()),
            modified: found.modified().ok().map(|at| since_1970(at).0),
        }
    }
}

impl From<cap_std::fs::Metadata> for EntryInfo {
    fn from(found: cap_std::fs::Metadata) -> EntryInfo {
        EntryInfo {
            directory: found.is_dir(),
            unavailable: !(found.is_dir() || found.is_file()),
            len: found.is_file().then_some(found.len()),
            modified: found.modified().ok().map(|at| since_1970(at.into_std()).0),
        }
    }
}

impl Tree {
    /// Returns the metadata of a path, following links.
    pub(super) fn info(&self, at: &path::Path) -> io::Result<EntryInfo> {
        match self.settings.follow {
            #[cfg(unix)]
            true => Ok(statat(&self.dir, at, AtFlags::empty())?.into()),
            #[cfg(windows)]
            true => fs::metadata(self.path.join(at)).map(EntryInfo::from),
            false => self
                .inside(at, |at| self.dir.metadata(at))
                .map(EntryInfo::from),
        }
    }

    /// Returns the metadata of a link's target. If it cannot be read, the entry is listed without metadata.
    fn info_of_link(&self, at: &path::Path) -> EntryInfo {
        self.info(at).unwrap_or_else(|error| EntryInfo {
            unavailable: matches!(
                fs_error(&error),
                FsError::NotFound
                    | FsError::OutsideRoot
                    | FsError::NotRegularFile
                    | FsError::TooLong
            ),
            ..EntryInfo::default()
        })
    }

    /// Lists a directory, or returns `None` if that is too much work now. With `waits` it waits instead.
    pub(super) fn list(
        &self,
        at: &path::Path,
        waits: bool,
    ) -> Result<Option<Arc<Entries>>, FsError> {
        self.list_directory(at, waits)
            .map_err(|error| fs_error(&error))
    }

    #[cfg(target_os = "linux")]
    fn list_directory(&self, at: &path::Path, waits: bool) -> io::Result<Option<Arc<Entries>>> {
        let Some(mut reading) = self.large.begin(at, waits) else {
            return Ok(None);
        };
        if let Some(entries) = self.find_listing(at) {
            return Ok(Some(entries));
        }
        let began = Instant::now();
        let directory = self.open_file(at)?;
        let mut watch = match self.settings.follow {
            true => None,
            false => self.listings.watch(at, &directory),
        };
        let read = self.entries(at, &directory, watch.as_mut(), &mut reading);
        let read = read.and_then(|entries| {
            let shared = entries.map(|entries| reading.end(entries, watch.is_some()));
            shared.transpose()
        });
        match (&read, watch) {
            (Ok(Some(entries)), Some(watch)) => {
                self.listings.insert(at, &directory, entries, watch, began);
            }
            (_, Some(watch)) => self.listings.discard(watch),
            (_, None) => {}
        }
        read
    }

    /// Returns the cached entries of a directory, if there are any.
    #[cfg(target_os = "linux")]
    pub(super) fn find_listing(&self, at: &path::Path) -> Option<Arc<Entries>> {
        (!self.settings.follow).then(|| self.listings.find(&self.dir, at))?
    }

    /// Reads an open directory, unless that turns out to be too much work now. If it is watched, the watch is
    /// marked as incomplete if an entry cannot be watched.
    #[cfg(target_os = "linux")]
    fn entries(
        &self,
        at: &path::Path,
        directory: &fs::File,
        mut watch: Option<&mut DirectoryWatch>,
        reading: &mut Reading<'_>,
    ) -> io::Result<Option<Entries>> {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        use rustix::fs::{RawDir, StatxFlags};

        let mut entries = Entries::new();
        let mut buffer = Vec::with_capacity(BUFFER_LEN);
        let mut names = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(found) = names.next() {
            let found = found?;
            if !reading.may_continue(entries.len()) {
                return Ok(None);
            }
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || !self.settings.lists(name.to_bytes()) {
                continue;
            }
            let (mut kind, mut info) = (found.file_type(), EntryInfo::default());
            let mut is_watched_entry = false;
            if let Some(watch) = &mut watch
                && kind == FileType::Directory
            {
                watch.subdirectory(directory, name);
            }
            if kind != FileType::Symlink {
                let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
                let mask =
                    StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::MTIME | StatxFlags::NLINK;
                // An entry whose metadata is not accessible is listed all the same.
                if let Ok(found) = FileStat::at(directory, name, flags, mask) {
                    is_watched_entry = is_watched(kind, &found);
                    kind = found.kind;
                    info.len = (kind == FileType::RegularFile).then_some(found.len);
                    info.modified = Some(found.modified.0);
                }
            }
            if let Some(watch) = watch.as_mut().filter(|_| !is_watched_entry) {
                watch.mark_incomplete();
            }
            info.directory = kind == FileType::Directory;
            info.unavailable = !is_available(kind);
            let link = kind == FileType::Symlink;
            if link {
                let target = at.join(OsStr::from_bytes(name.to_bytes()));
                info = self.info_of_link(&target);
            }
            entries.push(info.entry(name.to_bytes(), link));
        }
        Ok(Some(entries))
    }

    #[cfg(not(target_os = "linux"))]
    fn list_directory(&self, at: &path::Path, waits: bool) -> io::Result<Option<Arc<Entries>>> {
        let Some(mut reading) = self.large.begin(at, waits) else {
            return Ok(None);
        };
        let entries = self.entries(at, &mut reading)?;
        entries
            .map(|entries| reading.end(entries, false))
            .transpose()
    }

    #[cfg(not(target_os = "linux"))]
    fn entries(&self, at: &path::Path, reading: &mut Reading<'_>) -> io::Result<Option<Entries>> {
        let mut entries = Entries::new();
        let listed = match self.settings.follow {
            true => Dir::from_std_file(self.open_file(at)?).entries()?,
            false => self.inside(at, |at| self.dir.read_dir(at))?,
        };
        for entry in listed {
            let entry = entry?;
            if !reading.may_continue(entries.len()) {
                return Ok(None);
            }
            let name = entry.file_name();
            if !self.settings.lists(name.as_encoded_bytes()) {
                continue;
            }
            let link = entry.file_type()?.is_symlink();
            let info = match link {
                true => self.info_of_link(&at.join(&name)),
                false => entry.metadata().map(EntryInfo::from).unwrap_or_default(),
            };
            entries.push(info.entry(name.as_encoded_bytes(), link));
        }
        Ok(Some(entries))
    }
}

/// Returns whether an entry of this type can be requested. The type may be unknown.
#[cfg(unix)]
fn is_available(kind: FileType) -> bool {
    matches!(
        kind,
        FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown
    )
}

/// Returns whether a watch of the directory notices changes of this entry: that is true for a file with a
/// single name and for a directory, but not for a mount point.
#[cfg(target_os = "linux")]
fn is_watched(listed: FileType, found: &FileStat) -> bool {
    let alone = match found.kind {
        FileType::RegularFile => found.links == 1,
        FileType::Directory => listed == found.kind,
        _ => false,
    };
    alone && !found.mounted
}

/// Buffer size in bytes, as in glibc.
#[cfg(target_os = "linux")]
const BUFFER_LEN: usize = 32 * 1024;
