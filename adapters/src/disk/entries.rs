//! What a directory of a [`Disk`] holds. On Linux one call tells of many names, and one more of what is known
//! of each, without its path.

use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::Instant;
use std::{fs, io, path};

#[cfg(not(target_os = "linux"))]
use cap_std::fs::Dir;
use sanserve_core::{Entries, Entry};

use super::Disk;
use super::large_listings::Reading;
use super::meta::since_1970;
#[cfg(target_os = "linux")]
use super::watch::Watch;

/// What is known of something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    pub(super) directory: bool,
    len: Option<u64>,
    modified: Option<i64>,
}

impl About {
    fn entry(self, name: &[u8], link: bool) -> Entry<'_> {
        Entry {
            name,
            directory: self.directory,
            link,
            len: self.len,
            modified: self.modified,
        }
    }
}

impl From<fs::Metadata> for About {
    fn from(found: fs::Metadata) -> About {
        About {
            directory: found.is_dir(),
            len: found.is_file().then_some(found.len()),
            modified: found.modified().ok().map(|at| since_1970(at).0),
        }
    }
}

impl From<cap_std::fs::Metadata> for About {
    fn from(found: cap_std::fs::Metadata) -> About {
        About {
            directory: found.is_dir(),
            len: found.is_file().then_some(found.len()),
            modified: found.modified().ok().map(|at| since_1970(at.into_std()).0),
        }
    }
}

impl Disk {
    /// What is there, wherever links lead, if it may be asked for.
    pub(super) fn about(&self, at: &path::Path) -> Option<About> {
        if self.follow {
            fs::metadata(self.root.join(at)).ok().map(About::from)
        } else {
            self.dir.metadata(at).ok().map(About::from)
        }
    }

    /// Lists a directory, or returns `None` if that is too much work just now. With `waits` it is never too much.
    #[cfg(target_os = "linux")]
    pub(super) fn list_directory(
        &self,
        at: &path::Path,
        waits: bool,
    ) -> io::Result<Option<Arc<Entries>>> {
        let Some(mut reading) = self.large.begin(at, waits) else {
            return Ok(None);
        };
        if let Some(entries) = self.find_listing(at) {
            return Ok(Some(entries));
        }
        let began = Instant::now();
        let directory = self.open_file(at)?;
        let mut watch = match self.follow {
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
        (!self.follow).then(|| self.listings.find(&self.dir, at))?
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

        use rustix::fs::{AtFlags, FileType, RawDir, StatxFlags, statx};

        let mut entries = Entries::new();
        let mut buffer = Vec::with_capacity(NAMES_AT_ONCE);
        let mut names = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(found) = names.next() {
            let found = found?;
            if !reading.may_go_on(entries.len()) {
                return Ok(None);
            }
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || !self.lists(name.to_bytes()) {
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
                if let Ok(found) = statx(directory, name, flags, mask) {
                    let listed = kind;
                    kind = FileType::from_raw_mode(found.stx_mode.into());
                    about.len = (kind == FileType::RegularFile).then_some(found.stx_size);
                    about.modified = Some(found.stx_mtime.tv_sec);
                    stays = is_seen(listed, kind, &found);
                }
            }
            if let Some(watch) = watch.as_mut().filter(|_| !stays) {
                watch.is_blind_to_something();
            }
            about.directory = kind == FileType::Directory;
            let link = kind == FileType::Symlink;
            if link {
                let target = at.join(OsStr::from_bytes(name.to_bytes()));
                about = self.about(&target).unwrap_or_default();
            }
            entries.push(about.entry(name.to_bytes(), link));
        }
        Ok(Some(entries))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn list_directory(
        &self,
        at: &path::Path,
        waits: bool,
    ) -> io::Result<Option<Arc<Entries>>> {
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
        let listed = if self.follow {
            let directory = self.root.join(at);
            Dir::open_ambient_dir(directory, cap_std::ambient_authority())?.entries()?
        } else {
            self.dir.read_dir(at)?
        };
        for entry in listed {
            let entry = entry?;
            if !reading.may_go_on(entries.len()) {
                return Ok(None);
            }
            let name = entry.file_name();
            if !self.lists(name.as_encoded_bytes()) {
                continue;
            }
            let link = entry.file_type()?.is_symlink();
            let about = if link {
                self.about(&at.join(&name))
            } else {
                entry.metadata().ok().map(About::from)
            };
            let about = about.unwrap_or_default();
            entries.push(about.entry(name.as_encoded_bytes(), link));
        }
        Ok(Some(entries))
    }
}

/// Whether who watches the directory is told of what happens to this: a file that has no other name, a
/// directory; nothing that is mounted there.
#[cfg(target_os = "linux")]
fn is_seen(
    listed: rustix::fs::FileType,
    kind: rustix::fs::FileType,
    found: &rustix::fs::Statx,
) -> bool {
    use rustix::fs::{FileType, StatxAttributes};

    let mounted = found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    let alone = match kind {
        FileType::RegularFile => found.stx_nlink == 1,
        FileType::Directory => listed == kind,
        _ => false,
    };
    alone && !mounted
}

/// Bytes. As much as glibc takes.
#[cfg(target_os = "linux")]
const NAMES_AT_ONCE: usize = 32 * 1024;
