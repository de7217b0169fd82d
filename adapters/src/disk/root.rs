//! [`Root`]: the directory that is served, by its name, and the [`Tree`] that has this name now.
//!
//! A directory is often replaced as a whole: removed and built anew, moved away for the next release, or named by a
//! symbolic link that is switched. So its name is looked up again: once a second while there are requests, and at once
//! for a request that would otherwise get 404. Each call of the file system is answered by one tree.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{self, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sanserve_core::FsError;

use super::settings::Settings;
use super::tree::Tree;
use super::{native, reason};

/// The name of what is served, and the tree that has it.
#[derive(Debug)]
pub(super) struct Root {
    /// Absolute. If there is none, nothing is looked up.
    name: Option<PathBuf>,
    pub(super) settings: Settings,
    /// `None` while no directory has the name.
    tree: Mutex<Option<Arc<Tree>>>,
    opened: Instant,
    /// When the name was looked up last, in milliseconds after that.
    looked_up: AtomicU64,
}

impl Root {
    /// Opens the directory of that name.
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

    /// Changes the settings of the tree that is open, and of later ones.
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

    /// Never looks the name up again.
    pub(super) fn pinned(self) -> Root {
        Root { name: None, ..self }
    }

    /// The tree that has the name, as of the last second.
    pub(super) fn tree(&self) -> Result<Arc<Tree>, FsError> {
        match self.held() {
            Some(tree) if !self.is_due() => Ok(tree),
            _ => self.look_up(),
        }
    }

    /// The same, if that can be told without waiting for a disk.
    #[cfg(target_os = "linux")]
    pub(super) fn tree_now(&self) -> Option<Arc<Tree>> {
        let tree = self.held()?;
        (!self.is_due() || self.is_current(&tree)).then_some(tree)
    }

    /// Whether a tree still has the name; false also if that cannot be told without waiting for a disk.
    #[cfg(target_os = "linux")]
    pub(super) fn is_current(&self, tree: &Tree) -> bool {
        let Some(name) = &self.name else {
            return true;
        };
        // As long as a local tree is open, the system has in memory where its name leads.
        if !tree.is_local() {
            return false;
        }
        let began = self.now();
        let current = identity(name).is_ok_and(|found| found == tree.identity());
        if current {
            self.looked_up.store(began, Ordering::Relaxed);
        }
        current
    }

    /// Asks the tree that has the name. If it has no answer, and by now another one has the name, that one is asked.
    pub(super) fn ask<T>(
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

    /// Looks the name up, and opens what has it if that is another directory.
    pub(super) fn look_up(&self) -> Result<Arc<Tree>, FsError> {
        let held = self.held();
        let Some(name) = &self.name else {
            return held.ok_or(FsError::NotFound);
        };
        let began = self.now();
        let tree = match (identity(name), held) {
            (Ok(found), Some(tree)) if found == tree.identity() => tree,
            (Err(error), Some(tree)) if !is_missing(&error) => tree,
            (Err(error), _) => {
                self.put(None);
                return Err(reason(&error));
            }
            (Ok(_), _) => {
                let tree = Tree::open_root(name, self.settings).map_err(|error| reason(&error))?;
                self.put(Some(tree)).ok_or(FsError::NotFound)?
            }
        };
        self.looked_up.store(began, Ordering::Relaxed);
        Ok(tree)
    }

    /// Takes a tree in place of the one before, unless another thread has opened it, too.
    fn put(&self, tree: Option<Tree>) -> Option<Arc<Tree>> {
        let mut held = self.lock();
        let identity = tree.as_ref().map(Tree::identity);
        if held.as_ref().map(|held| held.identity()) == identity {
            return held.clone();
        }
        let tree = tree.map(Arc::new);
        let before = std::mem::replace(&mut *held, tree.clone());
        drop(held);
        drop(before);
        tree
    }

    /// Lets go of what nobody asks for. Whether something is left.
    #[cfg(target_os = "linux")]
    pub(super) fn evict_idle(&self) -> bool {
        self.held().is_some_and(|tree| tree.evict_idle())
    }

    fn held(&self) -> Option<Arc<Tree>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Tree>>> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self) -> bool {
        let looked_up = self.looked_up.load(Ordering::Relaxed);
        self.name.is_some() && self.now().saturating_sub(looked_up) >= AGE_MAX.as_millis() as u64
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

/// What tells the directory of that name from others that are open.
fn identity(name: &path::Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(name)?;
    match found.is_dir() {
        true => Ok(native::identity(&found)),
        false => Err(ErrorKind::NotADirectory.into()),
    }
}

/// Whether the error says that no directory has a name. Others tell nothing: a process that has given up privileges
/// may no longer look.
fn is_missing(error: &io::Error) -> bool {
    matches!(reason(error), FsError::NotFound)
}

/// How old the answer may be.
const AGE_MAX: Duration = Duration::from_secs(1);
