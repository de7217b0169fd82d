//! [`Meta`]: the metadata of a file, and [`FileVersion`]: an identifier of its content.

/// The metadata of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// Length in bytes.
    pub len: u64,
    /// Time of the last modification in whole seconds since 1970 (rounded down), if it is known.
    pub modified: Option<i64>,
    /// The version of the file's content, if the file system can tell versions apart. It becomes the `ETag`; a file
    /// without a version has none.
    pub version: Option<FileVersion>,
    /// Whether the file may be executed as a CGI script.
    pub executable: bool,
}

impl Meta {
    /// Returns the metadata of a file whose length is all that is known, in bytes.
    #[must_use]
    pub const fn new(len: u64) -> Meta {
        Meta {
            len,
            modified: None,
            version: None,
            executable: false,
        }
    }

    /// Returns this metadata with another [`len`](Self::len).
    #[must_use]
    pub const fn with_len(mut self, len: u64) -> Meta {
        self.len = len;
        self
    }

    /// Returns this metadata with another [`modified`](Self::modified).
    #[must_use]
    pub const fn with_modified(mut self, modified: Option<i64>) -> Meta {
        self.modified = modified;
        self
    }

    /// Returns this metadata with another [`version`](Self::version).
    #[must_use]
    pub const fn with_version(mut self, version: Option<FileVersion>) -> Meta {
        self.version = version;
        self
    }

    /// Returns this metadata with another [`executable`](Self::executable).
    #[must_use]
    pub const fn with_executable(mut self, executable: bool) -> Meta {
        self.executable = executable;
        self
    }

    /// Returns a [`version`](Self::version) derived from the time of the last modification: seconds since 1970, rounded
    /// down, and nanoseconds. Returns `None` if the nanoseconds are 0, as they always are on file systems that store
    /// whole seconds: there a file may change several times within one second, or be replaced by another one with the
    /// same time.
    #[must_use]
    pub fn version_at((seconds, nanos): (i64, u32)) -> Option<FileVersion> {
        let version = seconds
            .wrapping_mul(1_000_000_000)
            .wrapping_add(nanos.into());
        (nanos > 0).then(|| FileVersion::new(version as u64))
    }

    /// Returns the time of the last modification if it is meaningful, for `Last-Modified` and for conditions with
    /// dates.
    ///
    /// The first two seconds of 1970 are not meaningful: Nix, OSTree and builders of container images set the time of
    /// all files to 0 or 1, regardless of their content.
    #[must_use]
    pub fn date(&self) -> Option<i64> {
        self.modified.filter(|modified| !matches!(modified, 0 | 1))
    }
}

/// A number that identifies the content of a file: a checksum, a revision, a hash of the time of the last modification.
///
/// Two versions are equal if their numbers are, whether settled or not.
#[derive(Debug, Clone, Copy)]
pub struct FileVersion {
    number: u64,
    settled: bool,
}

impl FileVersion {
    /// Returns a version whose number this file never had with other content, and never will have. It becomes a strong
    /// `ETag` (RFC 9110 §8.8.1), so that interrupted downloads can be resumed and ranges of the file cached.
    #[must_use]
    pub const fn new(number: u64) -> FileVersion {
        FileVersion {
            number,
            settled: true,
        }
    }

    /// Returns the same version, marked as unsettled: the file may still change and keep this number, for example
    /// because it is derived from the time of the last modification, and the file system's clock has not advanced
    /// since. Its `ETag` is weak.
    #[must_use]
    pub const fn unsettled(self) -> FileVersion {
        FileVersion {
            settled: false,
            ..self
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Returns whether no later content of the file can have the same number, so that its `ETag` is strong.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        self.settled
    }
}

impl PartialEq for FileVersion {
    fn eq(&self, other: &FileVersion) -> bool {
        self.number == other.number
    }
}

impl Eq for FileVersion {}
