//! What is known of a file of a [`Disk`](super::Disk), and which state of it that is.

use std::fs::Metadata;
use std::time::{Duration, SystemTime};

use sanserve_core::{FileVersion, FsError, Meta};

use super::native;
use super::numbers::since_1970;

/// What the version of a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VersionSource {
    /// Everything that a change of the file or another file in its place changes, on this machine.
    State,
    /// What a copy on another machine has in common with the file: the time of the last change of its content.
    Modified,
}

impl VersionSource {
    /// What is known of a regular file.
    pub(super) fn plain(self, found: &Metadata) -> Result<Meta, FsError> {
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

/// The version of a state that came to be at this time. It is settled when the clock of the file system has moved on since
/// then: a change in the same moment would have the same time.
fn as_settled(version: FileVersion, changed: SystemTime) -> FileVersion {
    match SystemTime::now().duration_since(changed) {
        Ok(age) if age > grain(changed) => version,
        _ => version.unsettled(),
    }
}

/// The steps in which the file system's clock moves, at most. Linux stamps files with the time of its last tick,
/// up to 10 ms apart, Windows 16 ms; exFAT counts 10 ms, FAT and some others whole seconds or two.
fn grain(time: SystemTime) -> Duration {
    match since_1970(time) {
        (_, 0) => Duration::from_secs(2),
        _ => Duration::from_millis(20),
    }
}
