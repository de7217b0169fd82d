//! [`OpenMemo`]: answers the same question of several requests with one look at the files.
//!
//! A worker first reads from all connections that are ready, then answers them. Requests that were received before it
//! looked at the files may all get what it found, since none of them could have been sent after a later change. A
//! request that is read after the look may not: so the memo is emptied by each read that brings bytes.

use std::sync::Arc;

use sanserve_core::{Ask, Entries, FileSystem, FsError, Got, Opened, Path};

/// What the file system has answered since the last read from any connection of the worker.
pub(super) struct OpenMemo<F> {
    answers: Vec<(Path, Answer<F>)>,
    /// The number of questions since the last read.
    asked: usize,
    /// Whether other connections with requests wait for their turn.
    pub(super) others_wait: bool,
}

enum Answer<F> {
    File(F),
    Directory,
    NotFound,
    Listed(Arc<Entries>),
}

impl<F> Default for OpenMemo<F> {
    fn default() -> OpenMemo<F> {
        OpenMemo {
            answers: Vec::new(),
            asked: 0,
            others_wait: false,
        }
    }
}

impl<F> OpenMemo<F> {
    /// Returns the answer to a question that was answered just now.
    pub(super) fn lookup(&self, ask: &Ask, files: &impl FileSystem<File = F>) -> Option<Got<F>> {
        let (path, lists) = match ask {
            Ask::Open(path) => (path, false),
            Ask::List(path) => (path, true),
            _ => return None,
        };
        let mut answers = self.answers.iter();
        let is_same = |(known, answer): &&(Path, Answer<F>)| {
            lists == matches!(answer, Answer::Listed(_)) && known == path
        };
        match &answers.find(is_same)?.1 {
            Answer::File(file) => files.reopen(file).map(|opened| Got::Opened(Ok(opened))),
            Answer::Directory => Some(Got::Opened(Ok(Opened::Directory))),
            Answer::NotFound => Some(Got::Opened(Err(FsError::NotFound))),
            Answer::Listed(entries) => Some(Got::Listed(Ok(Arc::clone(entries)))),
        }
    }

    /// Remembers an answer. The first one is not worth the cost if no other connection waits: most requests come alone.
    pub(super) fn record(&mut self, ask: &Ask, got: &Got<F>, files: &impl FileSystem<File = F>) {
        self.asked += 1;
        let is_first = self.asked == 1 && !self.others_wait;
        if is_first || self.answers.len() == ANSWERS_MAX {
            return;
        }
        let (Ask::Open(path) | Ask::List(path)) = ask else {
            return;
        };
        let answer = match got {
            Got::Opened(Ok(Opened::File { file, .. })) => match files.reopen(file) {
                Some(Opened::File { file, .. }) => Answer::File(file),
                _ => return,
            },
            Got::Opened(Ok(Opened::Directory)) => Answer::Directory,
            Got::Opened(Err(FsError::NotFound)) => Answer::NotFound,
            Got::Listed(Ok(entries)) => Answer::Listed(Arc::clone(entries)),
            _ => return,
        };
        self.answers.push((path.clone(), answer));
    }

    /// Forgets everything: a request that comes now may have been sent after a change.
    pub(super) fn clear(&mut self) {
        if self.asked > 0 {
            self.answers.clear();
            self.asked = 0;
        }
    }
}

/// The most answers that are remembered, so that looking one up stays cheap.
const ANSWERS_MAX: usize = 8;
