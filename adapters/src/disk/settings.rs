//! [`Settings`]: how a [`Disk`](super::Disk) treats links, versions and names. Converts requested paths to
//! those of the system.

use std::borrow::Cow;
use std::path;

use sanserve_core::{FsError, Path};

use super::meta::VersionSource;
use super::native;

/// The settings of all trees of a disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Whether symbolic links may lead out of the tree.
    pub(super) follow: bool,
    /// What `ETag`s are derived from.
    pub(super) versions: VersionSource,
    /// Whether names that mean something else on Windows are refused.
    pub(super) portable_names: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            follow: false,
            versions: VersionSource::State,
            portable_names: cfg!(windows),
        }
    }
}

impl Settings {
    /// Converts a path to one relative to the root.
    pub(super) fn locate<'a>(&self, path: &'a Path) -> Result<Cow<'a, path::Path>, FsError> {
        let refused = self.portable_names && !path.is_portable();
        let at = (!refused).then(|| native::path(path)).flatten();
        at.ok_or(FsError::InvalidName)
    }

    /// Returns whether a listing may contain this name.
    pub(super) fn lists(&self, name: &[u8]) -> bool {
        !self.portable_names || Path::is_portable_name(name)
    }
}
