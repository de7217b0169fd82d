//! [`TlsError`]: why a certificate cannot be used.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Why a certificate and its key cannot be used or generated; the error of [`Tls::load`](super::Tls::load) and
/// `Tls::self_signed`.
///
/// The error of the system or of another library is the [`source`](Error::source) and is not part of the text.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The file does not exist.
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file does not contain a usable certificate or key.
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do about it: a clause whose subject is the file.
        problem: String,
    },
    /// The key is encrypted, and no password was given.
    PasswordRequired {
        /// The file with the key.
        path: PathBuf,
    },
    /// The key is encrypted, and the password does not decrypt it.
    WrongPassword {
        /// The file with the key.
        path: PathBuf,
    },
    /// The key does not belong to the certificate.
    KeyMismatch {
        /// The file with the certificate.
        certfile: PathBuf,
        /// The file with the key.
        keyfile: PathBuf,
    },
    /// A certificate could not be generated, for example because a name is not a valid host name.
    SelfSigned(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for TlsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::NotFound { path } => {
                write!(out, "there is no file {}", path.display())
            }
            TlsError::Read { path, .. } => write!(out, "cannot read the file {}", path.display()),
            TlsError::Unusable { path, problem } => write!(out, "{} {problem}", path.display()),
            TlsError::PasswordRequired { path } => write!(
                out,
                "{} has an encrypted key: give its password",
                path.display()
            ),
            TlsError::WrongPassword { path } => write!(
                out,
                "{} has an encrypted key, and the password is wrong: give the password of this key",
                path.display()
            ),
            TlsError::KeyMismatch { certfile, keyfile } => write!(
                out,
                "{} has a key that is not that of the certificate in {}: give the key of the first certificate in that file",
                keyfile.display(),
                certfile.display()
            ),
            TlsError::SelfSigned(_) => out.write_str("cannot generate a certificate"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TlsError::Read { source, .. } => Some(source),
            TlsError::SelfSigned(source) => Some(&**source),
            _ => None,
        }
    }
}

/// For functions that return several kinds of errors. The [`kind`](io::Error::kind) is that of the system's
/// error, otherwise [`InvalidData`](ErrorKind::InvalidData).
impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> io::Error {
        let kind = match &error {
            TlsError::NotFound { .. } => ErrorKind::NotFound,
            TlsError::Read { source, .. } => source.kind(),
            _ => ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
