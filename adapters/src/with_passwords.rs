//! [`WithPasswords`]: adds [`Passwords`] to a file system, so that it verifies credentials.

use std::any::Any;
use std::sync::Arc;

use sanserve_core::ArchiveRequest;
use sanserve_core::{
    Ask, CgiScript, Change, Create, Credentials, Entries, FileSystem, FsError, Got, Opened, Path,
    UploadRequest, Waiter,
};

use crate::Passwords;

/// A file system with [`Passwords`], which a [`Guard`](sanserve_core::Guard) asks to verify credentials.
/// Everything else is passed on to the inner file system. [`Passwords`] has an example of all three.
#[derive(Debug)]
pub struct WithPasswords<F> {
    files: F,
    passwords: Option<Arc<Passwords>>,
}

impl<F> WithPasswords<F> {
    /// Adds passwords. With `None`, the inner file system verifies credentials, which rejects them by default.
    pub fn new(files: F, passwords: Option<Arc<Passwords>>) -> WithPasswords<F> {
        WithPasswords { files, passwords }
    }
}

impl<F: FileSystem> FileSystem for WithPasswords<F> {
    type File = F::File;

    fn open(&self, path: &Path) -> Result<Opened<F::File>, FsError> {
        self.files.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.files.list(path)
    }

    fn read(&self, file: &mut F::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.files.read(file, at, into)
    }

    fn run(&self, program: &CgiScript) -> Result<Opened<F::File>, FsError> {
        self.files.run(program)
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<F::File>, FsError> {
        self.files.archive(request)
    }

    fn create(&self, create: &Create) -> Result<Opened<F::File>, FsError> {
        self.files.create(create)
    }

    fn verify(&self, given: &Credentials) -> Result<(), FsError> {
        match &self.passwords {
            Some(passwords) => passwords.verify(given),
            None => self.files.verify(given),
        }
    }

    fn verify_later(&self, given: &Credentials, waiter: Box<dyn Waiter>) {
        match &self.passwords {
            Some(passwords) => passwords.verify_later(given, waiter),
            None => self.files.verify_later(given, waiter),
        }
    }

    fn write(&self, file: &mut F::File, bytes: &[u8]) -> Result<usize, FsError> {
        self.files.write(file, bytes)
    }

    fn commit(&self, file: &mut F::File) -> Result<(), FsError> {
        self.files.commit(file)
    }

    fn change(&self, change: &Change) -> Result<(), FsError> {
        self.files.change(change)
    }

    fn upload(&self, request: &UploadRequest) -> Result<Opened<F::File>, FsError> {
        self.files.upload(request)
    }

    fn answer_write(&self, file: &mut F::File, bytes: &[u8]) -> Got<F::File> {
        self.files.answer_write(file, bytes)
    }

    fn answer(&self, ask: &Ask) -> Got<F::File> {
        match ask {
            Ask::Verify(given) => Got::Verified(self.verify(given)),
            ask => self.files.answer(ask),
        }
    }

    fn fill(&self, file: &mut F::File, at: u64, into: &mut [u8]) -> Got<F::File> {
        self.files.fill(file, at, into)
    }

    fn try_answer(&self, ask: &Ask) -> Got<F::File> {
        self.files.try_answer(ask)
    }

    fn try_fill(&self, file: &mut F::File, at: u64, into: &mut [u8]) -> Got<F::File> {
        self.files.try_fill(file, at, into)
    }

    fn system_file<'a>(&self, file: &'a mut F::File) -> Option<&'a mut dyn Any> {
        self.files.system_file(file)
    }

    fn reopen(&self, file: &F::File) -> Option<Opened<F::File>> {
        self.files.reopen(file)
    }

    fn evict_idle(&self) -> bool {
        self.files.evict_idle()
    }
}
