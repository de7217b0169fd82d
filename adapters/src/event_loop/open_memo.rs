//! [`OpenMemo`]: remembers the last file opened for a connection, for a pipelined request for the same path.
//!
//! Requests that were read together had all arrived before the first was answered. The state of the file at that
//! first answer was current after all of them had arrived, so the others may get the same answer. A request that is
//! read later may not: the file may have changed in between.

use sanserve_core::{FileSystem, Got, Opened, Path};

/// What was opened since the last read from the socket.
#[derive(Default)]
pub(super) enum OpenMemo<F> {
    #[default]
    Empty,
    /// One path, which was not remembered.
    One,
    /// The last of several paths, and its open file.
    File(Path, F),
}

impl<F> OpenMemo<F> {
    /// Returns the answer for a path that was opened just now.
    pub(super) fn lookup(&self, path: &Path, files: &impl FileSystem<File = F>) -> Option<Got<F>> {
        match self {
            OpenMemo::File(last, file) if last == path => {
                files.reopen(file).map(|opened| Got::Opened(Ok(opened)))
            }
            _ => None,
        }
    }

    /// Remembers a path and its answer. Most requests come alone, so the first one is not worth the cost.
    pub(super) fn record(&mut self, path: &Path, got: &Got<F>, files: &impl FileSystem<File = F>) {
        *self = match (&self, got) {
            (OpenMemo::Empty, _) => OpenMemo::One,
            (_, Got::Opened(Ok(Opened::File { file, .. }))) => match files.reopen(file) {
                Some(Opened::File { file, .. }) => OpenMemo::File(path.clone(), file),
                _ => OpenMemo::One,
            },
            _ => OpenMemo::One,
        };
    }
}
