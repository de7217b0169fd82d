//! What a directory of a [`Disk`](super::Disk) holds. On Linux one call tells of many names, and one more of what is known
//! of each, without its path.

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

use super::large_listings::Reading;
use super::numbers::since_1970;
use super::reason;
#[cfg(target_os = "linux")]
use super::stat::Found;
use super::tree::Tree;
#[cfg(target_os = "linux")]
use super::watch::Watch;

/// What is known of something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    pub(super) directory: bool,
    /// Neither a file nor a directory, or nothing at all.
    unavailable: bool,
    len: Option<u64>,
    modified: Option<i64>,
}

impl About {
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
impl From<Stat> for About {
    fn from(found: Stat) -> About {
        let kind = FileType::from_raw_mode(found.st_mode);
        About {
            directory: kind == FileType::Directory,
            unavailable: !is_available(kind),
            len: (kind == FileType::RegularFile).then_some(found.st_size as u64),
            modified: Some(found.st_mtime as i64),
        }
    }
}

#[cfg(windows)]
impl From<fs::Metadata> for About {
    fn from(found: fs::Metadata) -> About {
        About {
            directory: found.is_dir(),
            unavailable: !(found.is_dir() || found.is_file()),
            len: found.is_file().then_some(found.len()),
            modified: found.modified().ok().map(|at| since_1970(at).0),
        }
    }
}

impl From<cap_std::fs::Metadata> for About {
    fn from(found: cap_std::fs::Metadata) -> About {
        About {
            directory: found.is_dir(),
            unavailable: !(found.is_dir() || found.is_file()),
            len: found.is_file().then_some(found.len()),
            modified: found.modified().ok().map(|at| since_1970(at.into_std()).0),
        }
    }
}

impl Tree {
    /// What is there, wherever links lead.
    pub(super) fn about(&self, at: &path::Path) -> io::Result<About> {
        match self.settings.follow {
            #[cfg(unix)]
            true => Ok(statat(&self.dir, at, AtFlags::empty())?.into()),
            #[cfg(windows)]
            true => fs::metadata(self.path.join(at)).map(About::from),
            false => self.inside(at, |at| self.dir.metadata(at)).map(About::from),
        }
    }

    /// What a link leads to. If that cannot be told, nothing is known of it; it is there nevertheless.
    fn about_link(&self, at: &path::Path) -> About {
        self.about(at).unwrap_or_else(|error| About {
            unavailable: matches!(
                reason(&error),
                FsError::NotFound
                    | FsError::OutsideRoot
                    | FsError::NotRegularFile
                    | FsError::TooLong
            ),
            ..About::default()
        })
    }

    /// Lists a directory, or returns `None` if that is too much work just now. With `waits` it is never too much.
    pub(super) fn list(
        &self,
        at: &path::Path,
        waits: bool,
    ) -> Result<Option<Arc<Entries>>, FsError> {
        self.list_directory(at, waits)
            .map_err(|error| reason(&error))
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
                self.listings.keep(at, &directory, entries, watch, began);
            }
            (_, Some(watch)) => self.listings.give_up(watch),
            (_, None) => {}
        }
        read
    }

    /// What is in a directory, if that is kept.
    #[cfg(target_os = "linux")]
    pub(super) fn find_listing(&self, at: &path::Path) -> Option<Arc<Entries>> {
        (!self.settings.follow).then(|| self.listings.find(&self.dir, at))?
    }

    /// Reads a directory that is open, unless that turns out to be too much work just now. If it is watched, it is
    /// said where that is not enough.
    #[cfg(target_os = "linux")]
    fn entries(
        &self,
        at: &path::Path,
        directory: &fs::File,
        mut watch: Option<&mut Watch>,
        reading: &mut Reading<'_>,
    ) -> io::Result<Option<Entries>> {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        use rustix::fs::{RawDir, StatxFlags};

        let mut entries = Entries::new();
        let mut buffer = Vec::with_capacity(NAMES_AT_ONCE);
        let mut names = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(found) = names.next() {
            let found = found?;
            if !reading.may_go_on(entries.len()) {
                return Ok(None);
            }
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || !self.settings.lists(name.to_bytes()) {
                continue;
            }
            let (mut kind, mut about) = (found.file_type(), About::default());
            let mut stays = false;
            if let Some(watch) = &mut watch
                && kind == FileType::Directory
            {
                watch.subdirectory(directory, name);
            }
            if kind != FileType::Symlink {
                let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
                let mask =
                    StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::MTIME | StatxFlags::NLINK;
                // What may not be asked for is in the list all the same.
                if let Ok(found) = Found::at(directory, name, flags, mask) {
                    stays = is_seen(kind, &found);
                    kind = found.kind;
                    about.len = (kind == FileType::RegularFile).then_some(found.len);
                    about.modified = Some(found.modified.0);
                }
            }
            if let Some(watch) = watch.as_mut().filter(|_| !stays) {
                watch.is_blind_to_something();
            }
            about.directory = kind == FileType::Directory;
            about.unavailable = !is_available(kind);
            let link = kind == FileType::Symlink;
            if link {
                let target = at.join(OsStr::from_bytes(name.to_bytes()));
                about = self.about_link(&target);
            }
            entries.push(about.entry(name.to_bytes(), link));
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
            if !reading.may_go_on(entries.len()) {
                return Ok(None);
            }
            let name = entry.file_name();
            if !self.settings.lists(name.as_encoded_bytes()) {
                continue;
            }
            let link = entry.file_type()?.is_symlink();
            let about = match link {
                true => self.about_link(&at.join(&name)),
                false => entry.metadata().map(About::from).unwrap_or_default(),
            };
            entries.push(about.entry(name.as_encoded_bytes(), link));
        }
        Ok(Some(entries))
    }
}

/// Whether something of that type can be had. It may not be known.
#[cfg(unix)]
fn is_available(kind: FileType) -> bool {
    matches!(
        kind,
        FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown
    )
}

/// Whether who watches the directory is told of what happens to this: a file that has no other name, a
/// directory; nothing that is mounted there.
#[cfg(target_os = "linux")]
fn is_seen(listed: FileType, found: &Found) -> bool {
    let alone = match found.kind {
        FileType::RegularFile => found.links == 1,
        FileType::Directory => listed == found.kind,
        _ => false,
    };
    alone && !found.mounted
}

/// Bytes. As much as glibc takes.
#[cfg(target_os = "linux")]
const NAMES_AT_ONCE: usize = 32 * 1024;
