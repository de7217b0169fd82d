//! Opens files of a [`Disk`] without waiting for storage: only from its own cache and those of Linux.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use sanserve_core::{FsError, Opened, Path};

use super::regular_file::RegularFile;
use super::tree::Tree;
use super::{Disk, OpenFile, native};

impl Disk {
    /// Opens a path as [`open`](sanserve_core::FileSystem::open) does, if all directories on the way are in the
    /// cache.
    pub(super) fn try_open(&self, path: &Path) -> Option<Result<Opened<OpenFile>, FsError>> {
        if path.as_bytes().is_empty() {
            return Some(Ok(Opened::Directory));
        }
        let at = self.root.settings.locate(path).ok()?;
        let tree = self.root.try_tree()?;
        let opened = tree.try_open(&at)?;
        let is_answer = opened.is_ok() || self.root.is_current(&tree);
        is_answer.then(|| opened.map(|opened| opened.map(OpenFile::from)))
    }
}

impl Tree {
    fn try_open(&self, at: &path::Path) -> Option<Result<Opened<RegularFile>, FsError>> {
        if let Some(kept) = self.find_cached(at) {
            return Some(Ok(kept));
        }
        match self.open_cached(at) {
            Ok(file) => Some(self.describe(at, File::from(file))),
            Err(Errno::NOENT) => Some(Err(FsError::NotFound)),
            // Not in the cache, not supported by this system, or refused.
            Err(_) => None,
        }
    }

    /// Opens a path beneath the root with the flags that cap-std uses. Paths that these refuse are left to cap-std.
    fn open_cached(&self, at: &path::Path) -> Result<OwnedFd, Errno> {
        let flags =
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::from_bits_retain(native::OPEN_FLAGS as u32);
        let inside = match self.settings.follow {
            true => ResolveFlags::empty(),
            false => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        };
        let how = inside | ResolveFlags::CACHED;
        openat2(&self.dir, at, flags, Mode::empty(), how)
    }
}
