//! [`PasswordError`]: why a user cannot be added.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Why a user cannot be added; the error of [`Passwords`](super::Passwords). The text contains neither name nor
/// password, because the text in place of a name may be a password.
///
/// The error of the system is the [`source`](Error::source) and is not part of the text.
#[derive(Debug)]
#[non_exhaustive]
pub enum PasswordError {
    /// The system provides no random numbers.
    NoRandomness,
    /// The user has no name.
    EmptyName,
    /// The password is empty.
    EmptyPassword,
    /// No client can send this name with this password: the name contains a colon, one of them contains a
    /// control character, or together they are longer than 1,023 bytes.
    Unsendable,
    /// The user already has a password.
    Duplicate,
    /// The colon between name and password or hash is missing.
    NoColon,
    /// The text looks like a hash of an unknown kind.
    UnknownHash,
    /// A hash of a known kind is damaged.
    DamagedHash,
    /// A file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file is not encoded as UTF-8.
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// A line of a file is wrong.
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        number: usize,
        /// What is wrong with it.
        problem: Box<PasswordError>,
    },
    /// The rights of a user or of everybody are wrong: not a list of `read`, `write` and `delete`.
    UnknownRight,
    /// Two lines have the rights of everybody.
    DuplicateRights,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            PasswordError::NoRandomness => "the system provides no random numbers",
            PasswordError::EmptyName => "the user has no name: write one before the colon",
            PasswordError::EmptyPassword => {
                "the password is empty: choose one, and write {PLAIN} before one that begins with a colon"
            }
            PasswordError::Unsendable => {
                "user and password must have at most 1,023 bytes and no control characters"
            }
            PasswordError::Duplicate => "there is another password for this user: remove one",
            PasswordError::NoColon => "expected USER:PASSWORD or USER:HASH",
            PasswordError::UnknownHash => {
                "unknown kind of hash: make one with htpasswd -B, or write {PLAIN} before a password"
            }
            PasswordError::DamagedHash => "this hash is damaged",
            PasswordError::UnknownRight => {
                "expected rights such as :rights=read,write, with the names read, write and delete"
            }
            PasswordError::DuplicateRights => {
                "the rights of everybody are given twice: remove one line"
            }
            PasswordError::Read { path, .. } => {
                return write!(out, "cannot read {}", path.display());
            }
            PasswordError::NotUtf8 { path } => {
                return write!(
                    out,
                    "{} is not UTF-8: convert it, for example with: iconv -f latin1 -t utf8",
                    path.display()
                );
            }
            PasswordError::Line {
                path,
                number,
                problem,
            } => return write!(out, "{}, line {number}: {problem}", path.display()),
        })
    }
}

impl Error for PasswordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PasswordError::Read { source, .. } => Some(source),
            PasswordError::Line { problem, .. } => problem.source(),
            _ => None,
        }
    }
}

/// For functions that return several kinds of errors. The [`kind`](io::Error::kind) is that of the system's
/// error, otherwise [`InvalidData`](ErrorKind::InvalidData).
impl From<PasswordError> for io::Error {
    fn from(error: PasswordError) -> io::Error {
        let kind = match &error {
            PasswordError::Read { source, .. } => source.kind(),
            PasswordError::NoRandomness => ErrorKind::Other,
            _ => ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
