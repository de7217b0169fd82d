//! [`Failure`]: why the command ends with an error.

use std::error::Error;
#[cfg(not(target_os = "wasi"))]
use std::fmt::Display;

/// Why the command did not serve or stopped serving: one line for the user.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, the environment, or a file or directory that they name is wrong. The exit code is 2, and
    /// nothing was bound.
    Usage(String),
    /// The command cannot listen, serve or print. The exit code is 1.
    Service(String),
}

#[cfg(not(target_os = "wasi"))]
impl Failure {
    /// Returns the failure to serve because of this error.
    pub(crate) fn service(error: impl Display) -> Failure {
        Failure::Service(error.to_string())
    }

    /// Returns the line.
    #[cfg(unix)]
    pub(crate) fn into_line(self) -> String {
        match self {
            Failure::Usage(line) | Failure::Service(line) => line,
        }
    }
}

/// Returns the message of an error and its causes, separated by colons.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
