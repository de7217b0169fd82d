//! [`Recent`]: what a connection has asked for in this turn, for those who ask for the same once more.
//!
//! Requests that were read together had all come before the first of them was answered. What that
//! was told of a file is true of a moment between the coming of the others and their replies, so they
//! may be told the same. A request that is read later is not: a change may lie before it.

use sanserve_core::{FileSystem, Got, Opened, Path};

/// What was asked for since something was last read.
#[derive(Default)]
pub(super) enum Recent<F> {
    #[default]
    Nothing,
    /// Something, that nobody may ask for again.
    Once,
    /// More than one thing; this was the last.
    File(Path, F),
}

impl<F> Recent<F> {
    /// The answer to a question that was asked just now.
    pub(super) fn answer(&self, path: &Path, files: &impl FileSystem<File = F>) -> Option<Got<F>> {
        match self {
            Recent::File(last, file) if last == path => {
                files.reopen(file).map(|opened| Got::Opened(Ok(opened)))
            }
            _ => None,
        }
    }

    /// Takes note of a question and its answer. Most requests come alone, so the first is not worth
    /// it.
    pub(super) fn note(&mut self, path: &Path, got: &Got<F>, files: &impl FileSystem<File = F>) {
        *self = match (&self, got) {
            (Recent::Nothing, _) => Recent::Once,
            (_, Got::Opened(Ok(Opened::File { file, .. }))) => match files.reopen(file) {
                Some(Opened::File { file, .. }) => Recent::File(path.clone(), file),
                _ => Recent::Once,
            },
            _ => Recent::Once,
        };
    }
}
