//! [`AsyncFileSystem`]: a file system whose methods are asynchronous.

use std::future::{Future, ready};
use std::sync::Arc;

use sanserve_core::{
    ArchiveRequest, CgiScript, Change, Create, Credentials, Entries, FsError, Opened, Path,
};
/// A file system with asynchronous methods: an object store, a database, another server. For
/// [`serve_async`](super::serve_async) and
/// [`HTTPServer::serve_forever_async`](super::HTTPServer::serve_forever_async).
///
/// Each method has the contract of the [`FileSystem`](sanserve_core::FileSystem) method of the same name; only
/// `open`, `list` and `read` are required, as `async fn`. Files are always read, even if they are
/// [sendable](Opened::File).
///
/// A future is dropped before it is ready when the deadline of the connection passes, when the server stops, or
/// when the client disconnects. The same call may then be made again.
///
/// ```
/// use std::sync::Arc;
///
/// use sanserve_core::{Entries, FsError, Meta, Opened, Path};
/// use sanserve_server::tokio_rt::AsyncFileSystem;
///
/// /// Has one file, `hello.txt`.
/// struct Hello;
///
/// impl AsyncFileSystem for Hello {
///     type File = &'static [u8];
///
///     async fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
///         if path.as_bytes() != b"hello.txt" {
///             return Err(FsError::NotFound);
///         }
///         let meta = Meta::new(6);
///         Ok(Opened::File { file: b"hello\n", meta, sendable: false })
///     }
///
///     async fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
///         Err(FsError::NotFound)
///     }
///
///     async fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
///         let rest = &file[file.len().min(at as usize)..];
///         let n = rest.len().min(into.len());
///         into[..n].copy_from_slice(&rest[..n]);
///         Ok(n)
///     }
/// }
/// ```
pub trait AsyncFileSystem: Send + Sync + 'static {
    /// An open file. A connection owns it while it sends it, and drops it afterwards.
    type File: Send + 'static;

    /// Opens the file or directory at `path`. A directory is an answer, not an error.
    fn open(&self, path: &Path)
    -> impl Future<Output = Result<Opened<Self::File>, FsError>> + Send;

    /// Returns the entries of a directory, without `.` and `..`, in any order.
    fn list(&self, path: &Path) -> impl Future<Output = Result<Arc<Entries>, FsError>> + Send;

    /// Reads at offset `at`. Fewer bytes than fit are fine; 0 means the end of the file.
    fn read(
        &self,
        file: &mut Self::File,
        at: u64,
        into: &mut [u8],
    ) -> impl Future<Output = Result<usize, FsError>> + Send;

    /// Prepares a CGI script, see [`CgiScript`]. [`read`](Self::read) then returns its output. Unsupported by
    /// default.
    fn run(
        &self,
        _program: &CgiScript,
    ) -> impl Future<Output = Result<Opened<Self::File>, FsError>> + Send {
        ready(Err(FsError::Unsupported))
    }

    /// Verifies the password of a user. The error is [`FsError::Forbidden`] if it is wrong. Unsupported by
    /// default, so that nobody passes.
    fn verify(&self, _given: &Credentials) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Err(FsError::Unsupported))
    }

    /// Archives a directory. Unsupported by default.
    fn archive(
        &self,
        _request: &ArchiveRequest,
    ) -> impl Future<Output = Result<Opened<Self::File>, FsError>> + Send {
        ready(Err(FsError::Unsupported))
    }

    /// Begins a new file, see [`Create`]. Unsupported by default.
    fn create(
        &self,
        _create: &Create,
    ) -> impl Future<Output = Result<Opened<Self::File>, FsError>> + Send {
        ready(Err(FsError::Unsupported))
    }

    /// Writes to the standard input of a script that is about to run, or to a file that is being created.
    /// Returns the number of bytes taken. Unsupported by default.
    fn write(
        &self,
        _file: &mut Self::File,
        _bytes: &[u8],
    ) -> impl Future<Output = Result<usize, FsError>> + Send {
        ready(Err(FsError::Unsupported))
    }

    /// Gives a file that is being created its name, see [`Create`]. Unsupported by default.
    fn commit(&self, _file: &mut Self::File) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Err(FsError::Unsupported))
    }

    /// Creates a directory, or removes a file or an empty directory, see [`Change`]. Unsupported by default.
    fn change(&self, _change: &Change) -> impl Future<Output = Result<(), FsError>> + Send {
        ready(Err(FsError::Unsupported))
    }
}

/// Forwards every method, so that no default applies.
impl<F: AsyncFileSystem> AsyncFileSystem for Arc<F> {
    type File = F::File;

    async fn open(&self, path: &Path) -> Result<Opened<F::File>, FsError> {
        F::open(self, path).await
    }

    async fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        F::list(self, path).await
    }

    async fn read(&self, file: &mut F::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        F::read(self, file, at, into).await
    }

    async fn run(&self, program: &CgiScript) -> Result<Opened<F::File>, FsError> {
        F::run(self, program).await
    }

    async fn verify(&self, given: &Credentials) -> Result<(), FsError> {
        F::verify(self, given).await
    }

    async fn archive(&self, request: &ArchiveRequest) -> Result<Opened<F::File>, FsError> {
        F::archive(self, request).await
    }

    async fn create(&self, create: &Create) -> Result<Opened<F::File>, FsError> {
        F::create(self, create).await
    }

    async fn write(&self, file: &mut F::File, bytes: &[u8]) -> Result<usize, FsError> {
        F::write(self, file, bytes).await
    }

    async fn commit(&self, file: &mut F::File) -> Result<(), FsError> {
        F::commit(self, file).await
    }

    async fn change(&self, change: &Change) -> Result<(), FsError> {
        F::change(self, change).await
    }
}
