//! [`AncestorWatch`]: notices whether a directory on the way to a cached file was moved, by means of inotify(7).
//!
//! A cached file is checked by its path, and the system follows links in it. But as long as no directory on the
//! way was moved, replaced or removed since it was seen to be a directory, there is no link. That check is one
//! cheap call however deep the file is; resolving the path beneath the root takes three.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use cap_std::fs::Dir;
use portable_atomic::AtomicU64;
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};
use rustix::io::{ioctl_fionread, read};

/// An inotify descriptor for all of these directories.
#[derive(Debug, Default)]
pub(super) struct AncestorWatch {
    /// Created when it is first needed, because closing one takes milliseconds.
    inotify: OnceLock<Option<OwnedFd>>,
    /// How often the watches were cleared.
    epoch: AtomicU64,
}

/// The watches of an [`AncestorWatch`], which change only under a lock of the cache.
#[derive(Debug, Default)]
pub(super) struct WatchList(Vec<i32>);

impl WatchList {
    /// Returns whether there are so many that they should be cleared, together with the cache.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() > WATCHED_MAX
    }
}

impl AncestorWatch {
    /// Returns a number for the current set of watches. Read it before taking something from the cache.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Returns whether no directory was moved, and the watches have not been cleared since `epoch` was read.
    pub(super) fn is_unchanged_since(&self, epoch: u64) -> bool {
        let inotify = self.inotify.get().and_then(Option::as_ref);
        inotify.is_some_and(|inotify| ioctl_fionread(inotify).is_ok_and(|bytes| bytes == 0))
            && self.epoch() == epoch
    }

    /// Watches all directories on the way to a file. Returns whether that was possible.
    pub(super) fn watch(&self, dir: &Dir, at: &path::Path, watched: &mut WatchList) -> bool {
        let made = || init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        let Some(inotify) = self.inotify.get_or_init(made) else {
            return false;
        };
        let root = path::PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
        let above: Vec<_> = at.ancestors().skip(1).collect();
        // The root itself, which comes last, is open and served wherever it is moved to. Watches are added from
        // the top, so that each directory is reached through watched ones.
        above.iter().rev().skip(1).all(|directory| {
            let how = WatchFlags::MOVE_SELF
                | WatchFlags::DELETE_SELF
                | WatchFlags::ONLYDIR
                | WatchFlags::DONT_FOLLOW;
            match add_watch(inotify, root.join(directory), how) {
                Ok(number) => {
                    if !watched.0.contains(&number) {
                        watched.0.push(number);
                    }
                    !watched.is_full()
                }
                Err(_) => false,
            }
        })
    }

    /// Removes all watches and events. The cache must be empty.
    pub(super) fn clear(&self, watched: &mut WatchList) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let Some(Some(inotify)) = self.inotify.get() else {
            return;
        };
        for number in watched.0.drain(..) {
            let _ = remove_watch(inotify, number);
        }
        let mut events = [0; 4096];
        while read(inotify, &mut events).is_ok_and(|bytes| bytes > 0) {}
    }
}

/// Each directory takes about a kilobyte of kernel memory.
const WATCHED_MAX: usize = 256;
