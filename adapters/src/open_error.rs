//! [`OpenError`]: why a directory cannot be served.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why a directory cannot be served; the error of `Disk::open`.
///
/// The error of the system is the [`source`](Error::source) and is not part of the text.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The path does not exist. In a WASI component: the host grants no access to such a directory.
    NotFound {
        /// The path that was given.
        path: PathBuf,
    },
    /// The path is not a directory.
    NotADirectory {
        /// The path that was given.
        path: PathBuf,
    },
    /// The system cannot open it, for example because this user may not read it.
    Io {
        /// The path that was given.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl OpenError {
    /// Converts the error of a system call that should have opened the directory.
    pub(crate) fn new(path: &Path, source: io::Error) -> OpenError {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => OpenError::NotFound { path },
            ErrorKind::NotADirectory => OpenError::NotADirectory { path },
            _ => OpenError::Io { path, source },
        }
    }

    /// Returns the path that was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            OpenError::NotFound { path }
            | OpenError::NotADirectory { path }
            | OpenError::Io { path, .. } => path,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NotFound { path } if cfg!(target_os = "wasi") => write!(
                out,
                "the host grants no access to the directory {} (see wasmtime run --dir)",
                path.display()
            ),
            OpenError::NotFound { path } => {
                write!(out, "there is no directory {}", path.display())
            }
            OpenError::NotADirectory { path } => {
                write!(out, "{} is not a directory", path.display())
            }
            OpenError::Io { path, .. } => {
                write!(out, "cannot open the directory {}", path.display())
            }
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            OpenError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// For functions that return several kinds of errors. The [`kind`](io::Error::kind) is that of the system's error.
impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> io::Error {
        let kind = match &error {
            OpenError::NotFound { .. } => ErrorKind::NotFound,
            OpenError::NotADirectory { .. } => ErrorKind::NotADirectory,
            OpenError::Io { source, .. } => source.kind(),
        };
        io::Error::new(kind, error)
    }
}
