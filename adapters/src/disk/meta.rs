//! What is known of a file of a [`Disk`](super::Disk).

use std::fs::Metadata;
use std::time::{SystemTime, UNIX_EPOCH};

use sanserve_core::{FsError, Meta};

use super::native;

/// What is known of a regular file.
pub(super) fn plain(found: &Metadata) -> Result<Meta, FsError> {
    if !found.is_file() {
        return Err(FsError::NotPlain);
    }
    let modified = found.modified().ok().map(since_1970);
    Ok(Meta {
        len: found.len(),
        modified: modified.map(|(seconds, _)| seconds),
        version: modified.and_then(|modified| version(modified, found)),
        executable: native::is_executable(found),
    })
}

/// Seconds since 1970, rounded down also before it, and the nanoseconds that are left.
pub(super) fn since_1970(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs() as i64, after.subsec_nanos()),
        Err(error) => {
            let before = error.duration();
            let (seconds, nanos) = (-(before.as_secs() as i64), before.subsec_nanos());
            match nanos {
                0 => (seconds, 0),
                nanos => (seconds - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

/// The time of the last change in nanoseconds, if the file system has more than whole seconds of it.
///
/// Who builds reproducibly gives all files the time 0 or 1, and it says nothing of what is in them:
/// then it is the time of the last change to the file's entry, which nobody can set.
fn version(modified: (i64, u32), meta: &Metadata) -> Option<u64> {
    Meta::version_at(match modified {
        (0 | 1, 0) => native::changed(meta)?,
        modified => modified,
    })
}
