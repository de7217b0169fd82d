//! [`Entry`]: a file or a directory in an archive.

use crate::fs::{FileVersion, Meta};

/// A file or directory in an archive.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The end of its name in the text of all names.
    pub(super) name_end: u32,
    pub(super) executable: bool,
    pub(super) directory: bool,
    /// The CRC-32 of its content, once it is known.
    pub(super) sum: Option<u32>,
    /// The offset of the entry, and that of its record in a zip.
    pub(super) start: u64,
    pub(super) record: u64,
    pub(super) len: u64,
    /// Seconds since 1970, if that is known.
    pub(super) modified: Option<i64>,
    pub(super) version: Option<FileVersion>,
}

impl Entry {
    /// Returns whether this is the metadata of the file.
    pub(super) fn is(&self, meta: &Meta) -> bool {
        let known = (self.len, self.modified, self.version, self.executable);
        known == (meta.len, meta.modified, meta.version, meta.executable)
    }
}
