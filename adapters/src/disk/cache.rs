//! [`Cache`]: small files that were asked for before, in memory.
//!
//! Nothing in it is believed. Each time the system is asked what the path names, which takes one call in
//! place of four; only if that is the same file, of the same length, with the same times, the bytes
//! are those that were read before. A file that was changed just now is not kept: it could change
//! again without its times telling. So whoever can see a change by `stat` gets it with the next
//! request. A path that leads elsewhere by now, even out of the root, names another file.
//!
//! A program that writes through a shared mapping may change a file without changing its times for a
//! while; nobody else sees such a change by `stat` either.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, StatxFlags, fstatfs, makedev, statx};
use sanserve_core::{Got, Meta};

use super::now::read_now;
use crate::content;

/// A file that is kept.
#[derive(Debug)]
pub struct Kept {
    state: State,
    pub(super) meta: Meta,
    bytes: Box<[u8]>,
}

impl Kept {
    /// Copies what is at that offset; 0 bytes at the end.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> usize {
        content::read(&self.bytes, at, into)
    }
}

/// Files that are kept, by their paths.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Generations>);

/// Those that were asked for lately, and those that were not: when there are too many of the first,
/// the second are forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<[u8]>, Arc<Kept>>,
    old: HashMap<Box<[u8]>, Arc<Kept>>,
}

/// What tells a file, as it is, from every other, and from itself at another time.
#[derive(Debug, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Cache {
    /// The file at a path, if it is kept and what it was.
    pub(super) fn find(&self, dir: &Dir, at: &path::Path) -> Option<Arc<Kept>> {
        let key = at.as_os_str().as_encoded_bytes();
        let kept = self.generations().find(key)?;
        if State::at(dir, at).is_some_and(|state| state == kept.state) {
            return Some(kept);
        }
        self.generations().forget(key);
        None
    }

    /// Keeps a file that was opened at that path, if it is one of those that can be kept. Waits for
    /// no disk.
    pub(super) fn keep(&self, at: &path::Path, file: &File, found: &Metadata, meta: Meta) {
        if found.len() > LEN_MAX || !is_settled(found) || !is_local(file) {
            return;
        }
        let mut bytes = vec![0; found.len() as usize].into_boxed_slice();
        let read = match &mut bytes[..] {
            [] => 0,
            bytes => match read_now(file, 0, bytes) {
                Got::Bytes(n) => n,
                _ => return,
            },
        };
        if read == bytes.len() {
            let key = at.as_os_str().as_encoded_bytes();
            let state = State::of(found);
            let kept = Kept { state, meta, bytes };
            self.generations().insert(key.into(), Arc::new(kept));
        }
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn find(&mut self, key: &[u8]) -> Option<Arc<Kept>> {
        if let Some(kept) = self.young.get(key) {
            return Some(Arc::clone(kept));
        }
        let (key, kept) = self.old.remove_entry(key)?;
        self.insert(key, Arc::clone(&kept));
        Some(kept)
    }

    fn insert(&mut self, key: Box<[u8]>, kept: Arc<Kept>) {
        if self.young.len() >= YOUNG_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, kept);
    }

    fn forget(&mut self, key: &[u8]) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl State {
    /// Of what the path names now, wherever it leads.
    fn at(dir: &Dir, at: &path::Path) -> Option<State> {
        let flags = AtFlags::NO_AUTOMOUNT;
        let found = statx(dir, at, flags, StatxFlags::BASIC_STATS).ok()?;
        let (modified, changed) = (found.stx_mtime, found.stx_ctime);
        Some(State {
            device: makedev(found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            len: found.stx_size,
            modified: (modified.tv_sec, modified.tv_nsec.into()),
            changed: (changed.tv_sec, changed.tv_nsec.into()),
        })
    }

    /// Of what is open.
    fn of(found: &Metadata) -> State {
        State {
            device: found.dev(),
            inode: found.ino(),
            len: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// Whether a further change will show, however coarse the clock of the file system is.
fn is_settled(found: &Metadata) -> bool {
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return false;
    };
    found.mtime().max(found.ctime()).saturating_add(GRAIN) < now.as_secs() as i64
}

/// Whether the file system is one of those that this machine alone changes, and keeps the times of.
fn is_local(file: &File) -> bool {
    fstatfs(file).is_ok_and(|system| LOCAL.contains(&(system.f_type as u32)))
}

/// Seconds: a clock of FAT has no finer ones.
const GRAIN: i64 = 2;
/// Bytes: what goes into one write with its head.
const LEN_MAX: u64 = 16 * 1024;
/// There are at most twice as many.
const YOUNG_MAX: usize = 128;
/// statfs(2): ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs, SquashFS, EROFS, ISO 9660.
const LOCAL: [u32; 11] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0x794c_7630,
    0xf2f5_2010,
    0x2fc1_2fc1,
    0xca45_1a4e,
    0x7371_7368,
    0xe0f5_e1e2,
    0x9660,
];
