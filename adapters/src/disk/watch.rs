//! [`Watch`]: whether anything has happened in a directory since a certain moment, as inotify(7) tells.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};
use rustix::io::{ioctl_fionread, read};

/// An inotify descriptor for one directory. Whoever closes one waits for many milliseconds, so it is used
/// again for another directory.
#[derive(Debug)]
pub(super) struct Watch {
    told: OwnedFd,
    watched: Vec<i32>,
    /// Whether there is something that cannot be watched.
    blind: bool,
}

impl Watch {
    /// One that watches nothing yet, if the system has one.
    pub(super) fn new() -> Option<Watch> {
        let told = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        Some(Watch {
            told,
            watched: Vec::new(),
            blind: false,
        })
    }

    /// Watches a directory from now on: what is in it, and itself.
    pub(super) fn directory(&mut self, directory: &File) {
        self.add(directory, c".", WITHIN.union(ITSELF));
    }

    /// Watches what else changes the times of a directory in it: what comes and goes there.
    pub(super) fn subdirectory(&mut self, directory: &File, name: &CStr) {
        self.add(directory, name, MADE_OR_GONE);
    }

    /// Says that there is something that may change unseen.
    pub(super) fn is_blind_to_something(&mut self) {
        self.blind = true;
    }

    /// Whether nothing has happened. What has stays so for all who ask: nothing is read here.
    pub(super) fn is_quiet(&self) -> bool {
        !self.blind && ioctl_fionread(&self.told).is_ok_and(|bytes| bytes == 0)
    }

    /// Watches nothing any more, and forgets what happened.
    pub(super) fn clear(&mut self) {
        for watched in self.watched.drain(..) {
            let _ = remove_watch(&self.told, watched);
        }
        self.blind = false;
        let mut events = [0; 4096];
        while read(&self.told, &mut events).is_ok_and(|bytes| bytes > 0) {}
    }

    /// The directory is named by its descriptor, so no other one can take its place. One event of each will
    /// do: there are never many.
    fn add(&mut self, directory: &File, name: &CStr, events: WatchFlags) {
        if self.blind || self.watched.len() > SUBDIRECTORIES_MAX {
            self.blind = true;
            return;
        }
        let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
        path.extend_from_slice(name.to_bytes());
        let how = WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW | WatchFlags::ONESHOT;
        match add_watch(&self.told, path, events | how) {
            Ok(watched) => self.watched.push(watched),
            Err(_) => self.blind = true,
        }
    }
}

const MADE_OR_GONE: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE);
const WITHIN: WatchFlags = MADE_OR_GONE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CLOSE_WRITE);
const ITSELF: WatchFlags = WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF);

/// What is watched costs memory of the system's, and there is not much for each user.
const SUBDIRECTORIES_MAX: usize = 64;
