//! [`Meta`]: what is known of a file, and [`FileVersion`]: which state of it that is.

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// Length in bytes.
    pub len: u64,
    /// Time of the last change in whole seconds since 1970 (rounded down), if it is known.
    pub modified: Option<i64>,
    /// Which state of the file this is, if the file system can tell one from another. It becomes the `ETag`; a
    /// file without a version has none.
    pub version: Option<FileVersion>,
    /// Whether it may be run as a program.
    pub executable: bool,
}

impl Meta {
    /// Returns what is known of a file of this length, in bytes, if nothing else is.
    #[must_use]
    pub const fn new(len: u64) -> Meta {
        Meta {
            len,
            modified: None,
            version: None,
            executable: false,
        }
    }

    /// Returns the same with another [`len`](Self::len).
    #[must_use]
    pub const fn with_len(mut self, len: u64) -> Meta {
        self.len = len;
        self
    }

    /// Returns the same with another [`modified`](Self::modified).
    #[must_use]
    pub const fn with_modified(mut self, modified: Option<i64>) -> Meta {
        self.modified = modified;
        self
    }

    /// Returns the same with another [`version`](Self::version).
    #[must_use]
    pub const fn with_version(mut self, version: Option<FileVersion>) -> Meta {
        self.version = version;
        self
    }

    /// Returns the same with another [`executable`](Self::executable).
    #[must_use]
    pub const fn with_executable(mut self, executable: bool) -> Meta {
        self.executable = executable;
        self
    }

    /// Returns the [`version`](Self::version) of a file that was last changed at this time: seconds since 1970,
    /// rounded down, and nanoseconds. Returns `None` if the nanoseconds are 0, as they always are where only whole
    /// seconds are known: a file may change several times in a second, and another file may be put in its place
    /// with the same time.
    #[must_use]
    pub fn version_at((seconds, nanos): (i64, u32)) -> Option<FileVersion> {
        let version = seconds
            .wrapping_mul(1_000_000_000)
            .wrapping_add(nanos.into());
        (nanos > 0).then(|| FileVersion::new(version as u64))
    }

    /// Returns the time of the last change where it can tell one state of the file from another, which is what
    /// `Last-Modified` and conditions with dates are about.
    ///
    /// The first two seconds of 1970 cannot: Nix, OSTree and builders of container images set the time of all
    /// files to 0 or 1, whatever is in them.
    #[must_use]
    pub fn date(&self) -> Option<i64> {
        self.modified.filter(|modified| !matches!(modified, 0 | 1))
    }
}

/// A number for one state of a file: a checksum, a revision, a hash of the time of the last change.
///
/// Two versions are equal if their numbers are, whether settled or not.
#[derive(Debug, Clone, Copy)]
pub struct FileVersion {
    number: u64,
    settled: bool,
}

impl FileVersion {
    /// A number that this file never had with other content, and never will have. It makes a strong `ETag`
    /// (RFC 9110 §8.8.1), so that interrupted downloads are resumed and ranges of the file are cached.
    #[must_use]
    pub const fn new(number: u64) -> FileVersion {
        FileVersion {
            number,
            settled: true,
        }
    }

    /// The same number while the file may still change without getting another one: when it is derived from the time
    /// of the last change, and the clock of the file system has not moved on since. Its `ETag` is weak.
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

    /// Returns whether no further change of the file can have the same number, which is what makes its `ETag`
    /// strong.
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
