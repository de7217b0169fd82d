//! [`Ways`]: the directories on the way to files that are kept, and whether one of them was moved since.
//!
//! A file is looked at by its path, which the system follows wherever it leads. As long as no directory
//! on the way was moved, replaced or removed since it was seen to be a directory, no link is there. This
//! takes one cheap call however deep a file lies; to resolve the path inside of the root takes three.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::Dir;
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};
use rustix::io::{ioctl_fionread, read};

/// An inotify descriptor for all of these directories.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Made when it is first needed, for to close one takes milliseconds.
    told: OnceLock<Option<OwnedFd>>,
    /// How often all of them were forgotten.
    forgotten: AtomicU64,
}

/// The watches of [`Ways`], which change under a lock of the cache's only.
#[derive(Debug, Default)]
pub(super) struct Watched(Vec<i32>);

impl Watched {
    /// Whether they should be forgotten, with what is kept.
    pub(super) fn are_too_many(&self) -> bool {
        self.0.len() > WATCHED_MAX
    }
}

impl Ways {
    /// A number for what is watched now. To be asked for before something is taken from the cache.
    pub(super) fn number(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Whether no directory was moved up to now, since what was watched had this number.
    pub(super) fn are_quiet(&self, number: u64) -> bool {
        let told = self.told.get().and_then(Option::as_ref);
        told.is_some_and(|told| ioctl_fionread(told).is_ok_and(|bytes| bytes == 0))
            && self.number() == number
    }

    /// Watches all directories on the way to a file. Whether that can be done.
    pub(super) fn watch(&self, dir: &Dir, at: &path::Path, watched: &mut Watched) -> bool {
        let made = || init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        let Some(told) = self.told.get_or_init(made) else {
            return false;
        };
        let root = path::PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
        let above: Vec<_> = at.ancestors().skip(1).collect();
        // The root comes last, and is open: wherever it is moved to, it is served. From above, so
        // that each is reached through those that are watched already.
        above.iter().rev().skip(1).all(|directory| {
            let how = WatchFlags::MOVE_SELF
                | WatchFlags::DELETE_SELF
                | WatchFlags::ONLYDIR
                | WatchFlags::DONT_FOLLOW;
            match add_watch(told, root.join(directory), how) {
                Ok(number) => {
                    if !watched.0.contains(&number) {
                        watched.0.push(number);
                    }
                    !watched.are_too_many()
                }
                Err(_) => false,
            }
        })
    }

    /// Watches nothing any more, and forgets what happened. Nothing may be kept by then.
    pub(super) fn forget(&self, watched: &mut Watched) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        let Some(Some(told)) = self.told.get() else {
            return;
        };
        for number in watched.0.drain(..) {
            let _ = remove_watch(told, number);
        }
        let mut events = [0; 4096];
        while read(told, &mut events).is_ok_and(|bytes| bytes > 0) {}
    }
}

/// Directories. Each takes about a kilobyte of the system's memory.
const WATCHED_MAX: usize = 256;
