//! The half of the faulty I/O for files and CGI processes: passes calls to the file system, makes some of them short,
//! late or fail, and records each in the conversation, for the checks. Every handle is tracked.

use std::sync::Arc;

use sanserve_core::{Ask, FileSystem, FsError, Got, Opened};

use super::conversation::{Answer, FsCall, Writing};
use super::faults::FaultClass;
use super::faulty_io::{FaultyIo, TimedAnswer};
use super::fs_failure::{FS_ERRORS, FsFailure, FsOperation};
use super::tracked_handle::TrackedHandle;

impl FaultyIo<'_> {
    pub(super) fn copy<S: FileSystem>(
        &mut self,
        file: &mut TrackedHandle<S::File>,
        at: u64,
        len: u64,
        fs: &S,
    ) -> TimedAnswer<S::File> {
        let len = usize::try_from(len).map_or(COPY_MAX, |len| len.min(COPY_MAX));
        let n = match self.accepts(len) {
            Ok(n) => n,
            Err(answer) => return answer,
        };
        if let Some(error) = self.io_error() {
            return self.refuse(FsOperation::Copy, error);
        }
        let from = self.conversation.output.len();
        self.conversation.output.resize(from + n, 0);
        let n = match fs.fill(&mut file.file, at, &mut self.conversation.output[from..]) {
            Got::Bytes(n) => n,
            other => {
                self.conversation.output.truncate(from);
                return self.refuse(FsOperation::Copy, error_of(&other));
            }
        };
        self.conversation.output.truncate(from + n);
        let bytes = self.conversation.output[from..].to_vec();
        self.record_read(file.call, at, &bytes);
        self.moved(n)
    }

    pub(super) fn read_file<S: FileSystem>(
        &mut self,
        file: &mut TrackedHandle<S::File>,
        at: u64,
        into: &mut [u8],
        fs: &S,
    ) -> TimedAnswer<S::File> {
        if let Some(answer) = self.delay() {
            return answer;
        }
        if let Some(error) = self.io_error() {
            return self.refuse(FsOperation::Read, error);
        }
        let n = self.plan.cut(into.len());
        match fs.fill(&mut file.file, at, &mut into[..n]) {
            Got::Bytes(n) => {
                self.record_read(file.call, at, &into[..n]);
                self.record_bytes(&into[..n]);
                self.moved(n)
            }
            Got::Note(note) => {
                self.conversation.counts.notes += 1;
                (self.now, Got::Note(note))
            }
            Got::Working => {
                self.conversation.counts.notes += 1;
                (self.now, Got::Working)
            }
            Got::Nothing => (self.deadline, Got::Nothing),
            other => self.refuse(FsOperation::Read, error_of(&other)),
        }
    }

    /// Records bytes that were read from a file or a CGI process.
    fn record_read(&mut self, call: usize, at: u64, bytes: &[u8]) {
        match &mut self.conversation.fs_calls[call].answer {
            Answer::File {
                meta,
                bytes_read,
                early_end,
                ..
            } => {
                let early = bytes.is_empty() && at < meta.len;
                let at = usize::try_from(at).expect("files of a world are small");
                if early {
                    (self.conversation.disruptions.io_error, *early_end) = (true, Some(at));
                }
                let end = at + bytes.len();
                if bytes_read.len() < end {
                    bytes_read.resize(end, 0);
                }
                bytes_read[at..end].copy_from_slice(bytes);
            }
            Answer::Process { bytes_read } => bytes_read.extend_from_slice(bytes),
            _ => unreachable!("only files and processes can be read"),
        }
    }

    pub(super) fn write_file<S: FileSystem>(
        &mut self,
        file: &mut TrackedHandle<S::File>,
        from: &[u8],
        fs: &S,
    ) -> TimedAnswer<S::File> {
        if self.writing(file.call).is_some() {
            let counts = &mut self.conversation.counts;
            counts.file_write_max = counts.file_write_max.max(from.len());
        }
        if let Some(answer) = self.delay() {
            return answer;
        }
        let n = self.plan.cut(from.len());
        let got = match self.io_error() {
            Some(error) => Got::Refused(error),
            None => fs.answer_write(&mut file.file, &from[..n]),
        };
        if let Some(writing) = self.writing(file.call) {
            match &got {
                // A file that accepts no more bytes is incomplete.
                Got::Bytes(0) => writing.error = Some(FsError::NoSpace),
                Got::Bytes(taken) => writing.written += *taken,
                other => writing.error = Some(error_of(other)),
            }
        }
        match got {
            Got::Bytes(taken) => {
                // 0 means that it accepts no more: the rest is dropped.
                let (at, _) = self.moved::<()>(if taken == 0 { from.len() } else { taken });
                (at, Got::Bytes(taken))
            }
            other => self.refuse(FsOperation::Write, error_of(&other)),
        }
    }

    pub(super) fn commit<S: FileSystem>(
        &mut self,
        file: &mut TrackedHandle<S::File>,
        fs: &S,
    ) -> TimedAnswer<S::File> {
        if let Some(answer) = self.delay() {
            return answer;
        }
        // An error means that the file was not committed.
        let committed = match self.io_error() {
            Some(error) => Err(error),
            None => fs.commit(&mut file.file),
        };
        if let Some(writing) = self.writing(file.call) {
            writing.commits.push(committed);
        }
        if let Err(error) = committed {
            self.note_failure(FsOperation::Commit, error);
            self.conversation.disruptions.io_error = true;
        }
        (
            self.plan.soon(self.now, self.deadline),
            Got::Committed(committed),
        )
    }

    /// Returns the record of a file that is being created; `None` for a CGI process.
    fn writing(&mut self, call: usize) -> Option<&mut Writing> {
        match &mut self.conversation.fs_calls[call].answer {
            Answer::Writer(writing) | Answer::Upload { writing, .. } => Some(writing),
            _ => None,
        }
    }

    /// Returns an error for an operation on an open file, if that fault occurs.
    fn io_error(&mut self) -> Option<FsError> {
        let occurs = self.plan.occurs(FaultClass::IoError);
        occurs.then(|| self.plan.detail.pick(&FS_ERRORS))
    }

    fn note_failure(&mut self, operation: FsOperation, error: FsError) {
        let failure = FsFailure { operation, error };
        self.conversation.fs_failures.push(failure);
    }

    /// The operation on an open file fails.
    fn refuse<F>(&mut self, operation: FsOperation, error: FsError) -> TimedAnswer<F> {
        self.note_failure(operation, error);
        self.conversation.disruptions.io_error = true;
        (self.now, Got::Refused(error))
    }

    pub(super) fn answer<S: FileSystem>(&mut self, ask: &Ask, fs: &S) -> TimedAnswer<S::File> {
        if let Some(answer) = self.delay() {
            return answer;
        }
        let fails = self.plan.occurs(FaultClass::FsError);
        let error = fails.then(|| self.plan.detail.pick(&FS_ERRORS));
        let got = match (error, ask) {
            (None, ask) => fs.answer(ask),
            (Some(error), Ask::List(_)) => Got::Listed(Err(error)),
            (Some(error), Ask::Verify(_)) => Got::Verified(Err(error)),
            // Nothing was changed.
            (Some(error), Ask::Change(_)) => Got::Committed(Err(error)),
            // The file system has done its work in vain.
            (Some(error), ask) => {
                fs.answer(ask);
                Got::Opened(Err(error))
            }
        };
        let number = self.conversation.fs_calls.len();
        let (answer, got) = self.track(got, number);
        if let Answer::Failed(error) = answer {
            self.note_failure(FsOperation::of(ask), error);
        }
        self.conversation.fs_calls.push(FsCall {
            request: self.request,
            ask: ask.clone(),
            answer,
        });
        (self.plan.soon(self.now, self.deadline), got)
    }

    /// Tracks the handle in an answer, and records the answer.
    fn track<F>(&self, got: Got<F>, number: usize) -> (Answer, Got<TrackedHandle<F>>) {
        match got {
            Got::Opened(Ok(Opened::File {
                file,
                meta,
                sendable,
            })) => {
                let answer = Answer::File {
                    meta,
                    sendable,
                    bytes_read: Vec::new(),
                    early_end: None,
                };
                let file = self.handles.track(file, number);
                let opened = Opened::File {
                    file,
                    meta,
                    sendable,
                };
                (answer, Got::Opened(Ok(opened)))
            }
            Got::Opened(Ok(Opened::Process(file))) => {
                let file = self.handles.track(file, number);
                let answer = Answer::Process {
                    bytes_read: Vec::new(),
                };
                (answer, Got::Opened(Ok(Opened::Process(file))))
            }
            Got::Opened(Ok(Opened::Writer(file))) => {
                let file = self.handles.track(file, number);
                let answer = Answer::Writer(Writing::default());
                (answer, Got::Opened(Ok(Opened::Writer(file))))
            }
            Got::Opened(Ok(Opened::Upload { file, state })) => {
                let file = self.handles.track(file, number);
                let writing = Writing::default();
                let answer = Answer::Upload { state, writing };
                (answer, Got::Opened(Ok(Opened::Upload { file, state })))
            }
            Got::Opened(Ok(Opened::Directory)) => {
                (Answer::Directory, Got::Opened(Ok(Opened::Directory)))
            }
            Got::Opened(Err(error)) => (Answer::Failed(error), Got::Opened(Err(error))),
            Got::Listed(Ok(entries)) => (
                Answer::Listed(Arc::clone(&entries)),
                Got::Listed(Ok(entries)),
            ),
            Got::Listed(Err(error)) => (Answer::Failed(error), Got::Listed(Err(error))),
            Got::Verified(Ok(())) => (Answer::Verified, Got::Verified(Ok(()))),
            Got::Verified(Err(error)) => (Answer::Failed(error), Got::Verified(Err(error))),
            Got::Committed(Ok(())) => (Answer::Changed, Got::Committed(Ok(()))),
            Got::Committed(Err(error)) => (Answer::Failed(error), Got::Committed(Err(error))),
            _ => panic!("the answer does not belong to the call"),
        }
    }
}

/// Returns the error of an answer about an open file that has no bytes.
fn error_of<F>(got: &Got<F>) -> FsError {
    match got {
        Got::Refused(error) => *error,
        _ => FsError::Io,
    }
}

/// The maximum number of bytes of a file that are sent at once.
const COPY_MAX: usize = 1 << 20;
