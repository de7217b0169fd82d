//! [`OpenFiles`]: counts the files and CGI processes that a port has open, to detect one that is held open after its
//! reply.

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanserve_core::{
    ArchiveRequest, Ask, CgiScript, Change, Create, Credentials, Entries, FileSystem, FsError, Got,
    Opened, Path, Waiter,
};

use crate::{Case, Fragmentation, Observed};

/// The number of files and CGI processes that are open. All clones share it.
///
/// Serve a [`CountedFiles`] in place of your file system, and run the cases with [`checked`](Self::checked):
///
/// ```no_run
/// # use sanserve_conformance::{Case, Client, Log, OpenFiles, Site, run, servers};
/// # fn serve(_: impl sanserve_core::FileSystem, _: &Case, _: Log) -> std::io::Result<std::net::SocketAddr> { todo!() }
/// let open = OpenFiles::default();
/// let start = |case: &Case, log: Log| {
///     let files = Site::standard(); // yours
///     serve(open.count(files), case, log)
/// };
/// run("mine", open.checked(servers(start, Client::connect)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenFiles(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    open: Mutex<usize>,
    closed: Condvar,
}

impl OpenFiles {
    /// Wraps a file system whose open files are counted.
    pub fn count<FS>(&self, files: FS) -> CountedFiles<FS> {
        CountedFiles {
            files,
            open: self.clone(),
        }
    }

    /// Runs the cases on `run_case`, and panics after a case, which then fails, if a file is still open: it waits up to
    /// 20 seconds for the server to close the file. Nothing else may use these files meanwhile.
    pub fn checked<R: FnMut(&Case, Fragmentation) -> Observed>(
        &self,
        mut run_case: R,
    ) -> impl FnMut(&Case, Fragmentation) -> Observed + use<R> {
        let files = self.clone();
        move |case, fragmentation| {
            let observed = run_case(case, fragmentation);
            let is_open = |open: &mut usize| *open > 0;
            let closed = &files.0.closed;
            let waited = closed.wait_timeout_while(files.open(), PATIENCE, is_open);
            let left = *waited.unwrap_or_else(PoisonError::into_inner).0;
            assert!(left == 0, "{left} files are still open after the reply");
            observed
        }
    }

    fn open(&self) -> MutexGuard<'_, usize> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold<F>(&self, file: F) -> CountedFile<F> {
        *self.open() += 1;
        CountedFile {
            file,
            open: self.clone(),
        }
    }
}

/// A file system whose open files and CGI processes are counted. It forwards every call.
#[derive(Clone, Debug)]
pub struct CountedFiles<FS> {
    files: FS,
    open: OpenFiles,
}

/// An open file or CGI process of [`CountedFiles`].
#[derive(Debug)]
pub struct CountedFile<F> {
    file: F,
    open: OpenFiles,
}

impl<F> Drop for CountedFile<F> {
    fn drop(&mut self) {
        *self.open.open() -= 1;
        self.open.0.closed.notify_all();
    }
}

impl<FS: FileSystem> CountedFiles<FS> {
    fn opened(&self, opened: Opened<FS::File>) -> Opened<CountedFile<FS::File>> {
        opened.map(|file| self.open.hold(file))
    }

    fn got(&self, got: Got<FS::File>) -> Got<CountedFile<FS::File>> {
        got.map(|file| self.open.hold(file))
    }
}

impl<FS: FileSystem> FileSystem for CountedFiles<FS> {
    type File = CountedFile<FS::File>;

    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        self.files.open(path).map(|opened| self.opened(opened))
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.files.list(path)
    }

    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.files.read(&mut file.file, at, into)
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<Self::File>, FsError> {
        self.files.run(script).map(|opened| self.opened(opened))
    }

    fn verify(&self, credentials: &Credentials) -> Result<(), FsError> {
        self.files.verify(credentials)
    }

    fn verify_later(&self, credentials: &Credentials, waiter: Box<dyn Waiter>) {
        self.files.verify_later(credentials, waiter);
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<Self::File>, FsError> {
        self.files
            .archive(request)
            .map(|opened| self.opened(opened))
    }

    fn create(&self, create: &Create) -> Result<Opened<Self::File>, FsError> {
        self.files.create(create).map(|opened| self.opened(opened))
    }

    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> Result<usize, FsError> {
        self.files.write(&mut file.file, bytes)
    }

    fn commit(&self, file: &mut Self::File) -> Result<(), FsError> {
        self.files.commit(&mut file.file)
    }

    fn change(&self, change: &Change) -> Result<(), FsError> {
        self.files.change(change)
    }

    fn answer_write(&self, file: &mut Self::File, bytes: &[u8]) -> Got<Self::File> {
        self.got(self.files.answer_write(&mut file.file, bytes))
    }

    fn answer(&self, ask: &Ask) -> Got<Self::File> {
        self.got(self.files.answer(ask))
    }

    fn fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File> {
        self.got(self.files.fill(&mut file.file, at, into))
    }

    fn try_answer(&self, ask: &Ask) -> Got<Self::File> {
        self.got(self.files.try_answer(ask))
    }

    fn try_fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File> {
        self.got(self.files.try_fill(&mut file.file, at, into))
    }

    fn system_file<'a>(&self, file: &'a mut Self::File) -> Option<&'a mut dyn Any> {
        self.files.system_file(&mut file.file)
    }

    fn reopen(&self, file: &Self::File) -> Option<Opened<Self::File>> {
        let opened = self.files.reopen(&file.file)?;
        Some(self.opened(opened))
    }

    fn evict_idle(&self) -> bool {
        self.files.evict_idle()
    }
}

/// How long a server may take to close a file after the end of a conversation.
const PATIENCE: Duration = Duration::from_secs(20);
