//! [`Failure`]: why the program ends with an error.

use std::error::Error;
#[cfg(not(target_os = "wasi"))]
use std::fmt::Display;

/// Why the program has not served, or ended before it was told to: a line for the user.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line or the environment is wrong, or a file or directory that it names. The exit code is 2, and
    /// nothing was bound.
    Usage(String),
    /// The program cannot listen or serve, or cannot print what it was asked for. The exit code is 1.
    Service(String),
}

#[cfg(not(target_os = "wasi"))]
impl Failure {
    /// The program cannot serve because of this.
    pub(crate) fn service(error: impl Display) -> Failure {
        Failure::Service(error.to_string())
    }

    /// The line alone.
    #[cfg(unix)]
    pub(crate) fn into_line(self) -> String {
        match self {
            Failure::Usage(line) | Failure::Service(line) => line,
        }
    }
}

/// Returns what is wrong, and behind each colon why.
pub(crate) fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
