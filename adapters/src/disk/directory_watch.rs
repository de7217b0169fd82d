//! [`DirectoryWatch`]: notices whether anything in a directory has changed, by means of inotify(7).

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};
use rustix::io::{ioctl_fionread, read};

/// An inotify descriptor for one directory. Closing one takes many milliseconds, so it is reused for other
/// directories.
#[derive(Debug)]
pub(super) struct DirectoryWatch {
    inotify: OwnedFd,
    watched: Vec<i32>,
    /// Whether some changes cannot be noticed.
    incomplete: bool,
}

impl DirectoryWatch {
    /// Creates a watch of nothing, if the system supports it.
    pub(super) fn new() -> Option<DirectoryWatch> {
        let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        Some(DirectoryWatch {
            inotify,
            watched: Vec::new(),
            incomplete: false,
        })
    }

    /// Watches a directory and its entries from now on.
    pub(super) fn directory(&mut self, directory: &File) {
        self.add(directory, c".", ENTRIES.union(SELF));
    }

    /// Watches for changes of a subdirectory's own times: entries created or removed there.
    pub(super) fn subdirectory(&mut self, directory: &File, name: &CStr) {
        self.add(directory, name, NAMES);
    }

    /// Marks the watch as incomplete.
    pub(super) fn mark_incomplete(&mut self) {
        self.incomplete = true;
    }

    /// Returns whether nothing has changed. Events are not read, so the answer stays false after a change.
    pub(super) fn is_unchanged(&self) -> bool {
        !self.incomplete && ioctl_fionread(&self.inotify).is_ok_and(|bytes| bytes == 0)
    }

    /// Removes all watches and events.
    pub(super) fn clear(&mut self) {
        for watched in self.watched.drain(..) {
            let _ = remove_watch(&self.inotify, watched);
        }
        self.incomplete = false;
        let mut events = [0; 4096];
        while read(&self.inotify, &mut events).is_ok_and(|bytes| bytes > 0) {}
    }

    /// Adds a watch. The directory is given by its descriptor, so no other directory can take its place. A
    /// single event is enough, so events cannot pile up.
    fn add(&mut self, directory: &File, name: &CStr, events: WatchFlags) {
        if self.incomplete || self.watched.len() > SUBDIRECTORIES_MAX {
            self.incomplete = true;
            return;
        }
        let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
        path.extend_from_slice(name.to_bytes());
        let how = WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW | WatchFlags::ONESHOT;
        match add_watch(&self.inotify, path, events | how) {
            Ok(watched) => self.watched.push(watched),
            Err(_) => self.incomplete = true,
        }
    }
}

const NAMES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE);
const ENTRIES: WatchFlags = NAMES
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CLOSE_WRITE);
const SELF: WatchFlags = WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF);

/// Watches take kernel memory, and their number is limited for each user.
const SUBDIRECTORIES_MAX: usize = 64;
