//! What a [`Disk`] can tell at once, for those who must not wait: what Linux has in its caches.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use sanserve_core::{FsError, Opened, Path};

use super::regular_file::RegularFile;
use super::tree::Tree;
use super::{Disk, Open, native};

impl Disk {
    /// [`open`](sanserve_core::FileSystem::open), if every directory on the way is in the cache.
    pub(super) fn open_now(&self, path: &Path) -> Option<Result<Opened<Open>, FsError>> {
        if path.as_bytes().is_empty() {
            return Some(Ok(Opened::Directory));
        }
        let at = self.root.settings.locate(path).ok()?;
        let tree = self.root.tree_now()?;
        let opened = tree.open_now(&at)?;
        let is_answer = opened.is_ok() || self.root.is_current(&tree);
        is_answer.then(|| opened.map(|opened| opened.map(Open::from)))
    }
}

impl Tree {
    fn open_now(&self, at: &path::Path) -> Option<Result<Opened<RegularFile>, FsError>> {
        if let Some(kept) = self.find_kept(at) {
            return Some(Ok(kept));
        }
        match self.open_cached(at) {
            Ok(file) => Some(self.describe(at, File::from(file))),
            Err(Errno::NOENT) => Some(Err(FsError::NotFound)),
            // Not in the cache, not to be had on this system, or not as easy as that.
            Err(_) => None,
        }
    }

    /// Keeps inside of the root by the same flags as cap-std, and leaves it to that what they do
    /// not allow.
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
