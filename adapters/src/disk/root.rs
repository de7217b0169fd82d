//! [`Root`]: the path of the served directory, and the open directory there, a [`Tree`]. Looks the path up again
//! regularly, and switches if another directory is there now.
//!
//! A directory is often replaced as a whole: removed and built again, moved away for the next release, or named
//! by a symbolic link that is switched. So its path is looked up again: once a second while there are requests,
//! and immediately for a request that would otherwise get 404. Each call of the file system uses a single tree.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{self, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_atomic::AtomicU64;
use sanserve_core::FsError;

use super::settings::Settings;
use super::tree::Tree;
use super::{fs_error, native};

/// The path that is served, and the tree that has it.
#[derive(Debug)]
pub(super) struct Root {
    /// Absolute. `None` if it is not looked up again.
    name: Option<PathBuf>,
    pub(super) settings: Settings,
    /// `None` while the path names no directory.
    tree: Mutex<Option<Arc<Tree>>>,
    opened: Instant,
    /// When the path was last looked up, in milliseconds after `opened`.
    looked_up: AtomicU64,
}

impl Root {
    /// Opens the directory at a path.
    pub(super) fn open(name: &path::Path) -> io::Result<Root> {
        let name = path::absolute(name)?;
        let settings = Settings::default();
        let tree = Tree::open_root(&name, settings)?;
        Ok(Root {
            // On Windows a directory that is open can be neither renamed nor removed.
            name: cfg!(unix).then_some(name),
            settings,
            tree: Mutex::new(Some(Arc::new(tree))),
            opened: Instant::now(),
            looked_up: AtomicU64::new(0),
        })
    }

    /// Changes the settings of the current tree and of later ones.
    pub(super) fn with(self, change: impl FnOnce(&mut Settings)) -> Root {
        let mut settings = self.settings;
        change(&mut settings);
        let tree = self.lock().as_ref().map(|tree| tree.with(settings));
        Root {
            settings,
            tree: Mutex::new(tree.map(Arc::new)),
            ..self
        }
    }

    /// Never looks up the path again.
    pub(super) fn pinned(self) -> Root {
        Root { name: None, ..self }
    }

    /// Returns the tree that has the path, as of the last second.
    pub(super) fn tree(&self) -> Result<Arc<Tree>, FsError> {
        match self.current() {
            Some(tree) if !self.lookup_is_due() => Ok(tree),
            _ => self.look_up(),
        }
    }

    /// Same as `tree`; `None` if that would have to wait for a disk.
    #[cfg(target_os = "linux")]
    pub(super) fn try_tree(&self) -> Option<Arc<Tree>> {
        let tree = self.current()?;
        (!self.lookup_is_due() || self.is_current(&tree)).then_some(tree)
    }

    /// Returns whether a tree still has the path; false also if that would have to wait for a disk.
    #[cfg(target_os = "linux")]
    pub(super) fn is_current(&self, tree: &Tree) -> bool {
        let Some(name) = &self.name else {
            return true;
        };
        // While a local directory is open, the system has the target of its path in memory.
        if !tree.is_local() {
            return false;
        }
        let began = self.now();
        let is_current = identity(name).is_ok_and(|found| found == tree.identity());
        if is_current {
            self.looked_up.store(began, Ordering::Relaxed);
        }
        is_current
    }

    /// Asks the tree that has the path. If it finds nothing, and another tree has the path by now, asks that one.
    pub(super) fn query<T>(
        &self,
        ask: impl Fn(&Arc<Tree>) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let tree = self.tree()?;
        match ask(&tree) {
            Err(error @ (FsError::NotFound | FsError::Io)) => {
                let now = self.look_up()?;
                match Arc::ptr_eq(&now, &tree) {
                    true => Err(error),
                    false => ask(&now),
                }
            }
            answer => answer,
        }
    }

    /// Looks up the path, and opens the directory if it is another one.
    pub(super) fn look_up(&self) -> Result<Arc<Tree>, FsError> {
        let current = self.current();
        let Some(name) = &self.name else {
            return current.ok_or(FsError::NotFound);
        };
        let began = self.now();
        let tree = match (identity(name), current) {
            (Ok(found), Some(tree)) if found == tree.identity() => tree,
            (Err(error), Some(tree)) if !is_missing(&error) => tree,
            (Err(error), _) => {
                self.replace(None);
                return Err(fs_error(&error));
            }
            (Ok(_), _) => {
                let tree =
                    Tree::open_root(name, self.settings).map_err(|error| fs_error(&error))?;
                self.replace(Some(tree)).ok_or(FsError::NotFound)?
            }
        };
        self.looked_up.store(began, Ordering::Relaxed);
        Ok(tree)
    }

    /// Replaces the current tree, unless another thread has opened the same one.
    fn replace(&self, tree: Option<Tree>) -> Option<Arc<Tree>> {
        let mut current = self.lock();
        let identity = tree.as_ref().map(Tree::identity);
        if current.as_ref().map(|current| current.identity()) == identity {
            return current.clone();
        }
        let tree = tree.map(Arc::new);
        let before = std::mem::replace(&mut *current, tree.clone());
        drop(current);
        drop(before);
        tree
    }

    /// Evicts idle cache entries. Returns whether any are left.
    #[cfg(target_os = "linux")]
    pub(super) fn evict_idle(&self) -> bool {
        self.current().is_some_and(|tree| tree.evict_idle())
    }

    fn current(&self) -> Option<Arc<Tree>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Tree>>> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lookup_is_due(&self) -> bool {
        let looked_up = self.looked_up.load(Ordering::Relaxed);
        self.name.is_some()
            && self.now().saturating_sub(looked_up) >= LOOKUP_INTERVAL.as_millis() as u64
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

/// Returns what identifies the directory at a path.
fn identity(name: &path::Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(name)?;
    match found.is_dir() {
        true => Ok(native::identity(&found)),
        false => Err(ErrorKind::NotADirectory.into()),
    }
}

/// Returns whether the error means that no directory has the path. Other errors do not tell: a process that has dropped
/// privileges may not be able to look it up any more.
fn is_missing(error: &io::Error) -> bool {
    matches!(fs_error(error), FsError::NotFound)
}

/// The maximum age of a lookup.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(1);
