//! [`VersionSource`]: makes the [`Meta`] of a file of a [`Disk`](super::Disk) from the metadata of the system.
//! The file's version, which becomes its `ETag`, is derived here.

use std::fs::Metadata;
use std::time::{Duration, SystemTime};

use sanserve_core::{FileVersion, FsError, Meta};

use super::native;
use super::numbers::since_1970;

/// What the version of a file is derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VersionSource {
    /// Everything that changes with the file or with another file in its place, on this machine.
    State,
    /// What a copy on another machine has in common: the time of the last change of the content.
    Modified,
}

impl VersionSource {
    /// Returns the metadata of a regular file.
    pub(super) fn regular_file(self, found: &Metadata) -> Result<Meta, FsError> {
        if !found.is_file() {
            return Err(FsError::NotRegularFile);
        }
        let changed = found.modified().ok();
        let modified = changed.map(since_1970);
        let version = match self {
            VersionSource::State => {
                native::state(found).map(|(number, changed)| (FileVersion::new(number), changed))
            }
            VersionSource::Modified => modified.and_then(Meta::version_at).zip(changed),
        };
        Ok(Meta::new(found.len())
            .with_modified(modified.map(|(seconds, _)| seconds))
            .with_version(version.map(|(version, changed)| as_settled(version, changed)))
            .with_executable(native::is_executable(found)))
    }
}

/// Returns the version of a state that began at `changed`. It is settled when the clock of the file system has
/// advanced, because another change in the same tick would have the same time.
fn as_settled(version: FileVersion, changed: SystemTime) -> FileVersion {
    match SystemTime::now().duration_since(changed) {
        Ok(age) if age > clock_granularity(changed) => version,
        _ => version.unsettled(),
    }
}

/// The coarsest granularity of the file system's clock. Linux uses the time of the last tick, up to 10 ms ago,
/// Windows 16 ms; exFAT counts 10 ms, FAT and some others one or two seconds.
fn clock_granularity(time: SystemTime) -> Duration {
    match since_1970(time) {
        (_, 0) => Duration::from_secs(2),
        _ => Duration::from_millis(20),
    }
}
