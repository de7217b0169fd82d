//! [`FileSystem`]: the trait of a tree of files, whether on disk, in flash memory or in a map.
//!
//! Its methods are synchronous. An adapter with asynchronous file access answers [`Ask`] and the other wants about
//! files itself and does not need a `FileSystem`.

use alloc::boxed::Box;
use core::any::Any;
use core::ops::Deref;

use super::{
    ArchiveRequest, Ask, CgiScript, Change, Create, Credentials, Entries, FsError, Got, Opened,
    Path, UploadRequest,
};
use crate::sync::Arc;

/// A tree of files to serve. One file system serves all connections, so its methods take `&self`.
///
/// To serve files, implement [`open`](Self::open), [`list`](Self::list) and [`read`](Self::read); the [crate's
/// page](crate) has an example of twenty lines. [`run`](Self::run), [`verify`](Self::verify),
/// [`archive`](Self::archive), [`create`](Self::create), [`change`](Self::change) and [`upload`](Self::upload) add CGI
/// scripts, passwords, archives, uploads, deletions and uploads that can be resumed. Adapters call [`answer`](Self::answer), [`fill`](Self::fill),
/// [`answer_write`](Self::answer_write) and [`commit`](Self::commit), one for each kind of want; or first
/// [`try_answer`](Self::try_answer) and [`try_fill`](Self::try_fill), on a thread that must not block.
///
/// On Unix, paths are safe to join to a root, see [`Path`]; the file system decides about symbolic links. On Windows,
/// and where the files may be on Windows, as in WASI, it must refuse every path that is not
/// [portable](Path::is_portable) with [`InvalidName`](FsError::InvalidName), and omit such names from listings.
///
/// [`NotFound`](FsError::NotFound), [`InvalidName`](FsError::InvalidName), [`OutsideRoot`](FsError::OutsideRoot) and
/// [`Forbidden`](FsError::Forbidden) become a 404, [`NoResources`](FsError::NoResources) a 503; an error during a reply
/// breaks the connection.
pub trait FileSystem {
    /// An open file. The connection owns it and drops it after the reply.
    type File;

    /// Opens the file or directory at `path`. The metadata must be that of the opened file, not of a later lookup. Must
    /// not block on a FIFO, must not open a device, and must not leave the root.
    ///
    /// # Errors
    /// Returns the reason why nothing can be served at this path, see [`FsError`].
    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError>;

    /// Lists a directory without `.` and `..`, in any order. The entry of a symbolic link describes its target, as far
    /// as that may be served. A file system that caches the result should [sort](Entries::sort) it.
    ///
    /// # Errors
    /// Returns the reason why the directory cannot be listed.
    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError>;

    /// Reads from offset `at` of a file, or from the standard output of a CGI process, and returns the number of bytes,
    /// which may be fewer than fit; 0 means the end.
    ///
    /// # Errors
    /// Returns the reason why the file cannot be read. The reply breaks off.
    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError>;

    /// Prepares a CGI script to run, see [`CgiScript`], and returns [`Opened::Process`]. Unsupported by default.
    ///
    /// # Errors
    /// Returns the reason why the script cannot be run; [`FsError::Unsupported`] by default.
    fn run(&self, _script: &CgiScript) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Verifies a user's password, for a [`Guard`](crate::Guard). It is a method of the file system because a secure
    /// password hash takes long to compute, and file systems are called where blocking is allowed. By default nobody is
    /// admitted.
    ///
    /// # Errors
    /// Returns [`FsError::Forbidden`] if the password is wrong, [`FsError::NoResources`] if too many verifications are
    /// in progress, or another reason why it cannot be verified; [`FsError::Unsupported`] by default.
    fn verify(&self, _credentials: &Credentials) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    /// Does the same as [`verify`](Self::verify), for an adapter that must not block: the answer is passed to `waiter`,
    /// from any thread, immediately or later. The calling thread may be used to compute the answers to other calls.
    fn verify_later(&self, credentials: &Credentials, waiter: Box<dyn Waiter>) {
        waiter.complete(self.verify(credentials));
    }

    /// Opens a directory as one archive file; [`Archive`](crate::archive::Archive) implements this. Unsupported by
    /// default.
    ///
    /// # Errors
    /// Returns the reason why no archive can be made; [`FsError::Unsupported`] by default.
    fn archive(&self, _request: &ArchiveRequest) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Begins to create a file, see [`Create`], and returns [`Opened::Writer`]. Unsupported by default.
    ///
    /// # Errors
    /// Returns the reason why the file cannot be created; [`FsError::Unsupported`] by default.
    fn create(&self, _create: &Create) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Writes bytes to the standard input of a CGI process or to a file that is being created. Returns how many bytes
    /// were written; 0 means that no more are accepted. Called only if [`run`](Self::run) or [`create`](Self::create)
    /// is implemented.
    ///
    /// # Errors
    /// Returns the reason why the bytes cannot be written; [`FsError::Unsupported`] by default.
    fn write(&self, _file: &mut Self::File, _bytes: &[u8]) -> Result<usize, FsError> {
        Err(FsError::Unsupported)
    }

    /// Commits a file that is being created: its content is complete, so give it its name, see [`Create`].
    ///
    /// # Errors
    /// Returns the reason why the file cannot be committed; [`FsError::Unsupported`] by default.
    fn commit(&self, _file: &mut Self::File) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    /// Creates a directory, or removes a file or an empty directory, see [`Change`]. Must not leave the root.
    /// Unsupported by default.
    ///
    /// # Errors
    /// Returns the reason why nothing was changed; [`FsError::Unsupported`] by default.
    fn change(&self, _change: &Change) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    /// Begins, resumes or cancels an upload that can be resumed, see [`UploadRequest`], and returns [`Opened::Upload`].
    /// [`UnfinishedUpload`](crate::UnfinishedUpload) does most of it. If it is unsupported, as by default, uploads
    /// cannot be resumed.
    ///
    /// # Errors
    /// Returns the reason why there is no such upload; [`FsError::Unsupported`] by default.
    fn upload(&self, _request: &UploadRequest) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Answers [`Want::WriteFile`](crate::Want::WriteFile), with [`write`](Self::write) by default.
    fn answer_write(&self, file: &mut Self::File, bytes: &[u8]) -> Got<Self::File> {
        self.write(file, bytes)
            .map_or_else(Got::Refused, Got::Bytes)
    }

    /// Answers [`Want::Ask`](crate::Want::Ask), with the methods above by default. A busy file system may answer
    /// [`Got::Nothing`] to be asked again, if the adapter pauses before that, as those with threads do; the
    /// connection's deadline applies.
    fn answer(&self, ask: &Ask) -> Got<Self::File> {
        match ask {
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::List(path) => Got::Listed(self.list(path)),
            Ask::Run(script) => Got::Opened(self.run(script)),
            Ask::Verify(credentials) => Got::Verified(self.verify(credentials)),
            Ask::Archive(request) => Got::Opened(self.archive(request)),
            Ask::Create(create) => Got::Opened(self.create(create)),
            Ask::Change(change) => Got::Committed(self.change(change)),
            Ask::Upload(request) => Got::Opened(self.upload(request)),
        }
    }

    /// Answers [`Want::ReadFile`](crate::Want::ReadFile), with [`read`](Self::read) by default.
    fn fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File> {
        self.read(file, at, into)
            .map_or_else(Got::Refused, Got::Bytes)
    }

    /// Does the same as [`answer`](Self::answer) without blocking, for an adapter that serves many connections on one
    /// thread. Returns [`Got::Nothing`] if that is impossible, as by default; the adapter then calls `answer` where
    /// blocking is allowed.
    fn try_answer(&self, _ask: &Ask) -> Got<Self::File> {
        Got::Nothing
    }

    /// Does the same as [`fill`](Self::fill) without blocking, or returns [`Got::Nothing`] if that is impossible, as by
    /// default.
    fn try_fill(&self, _file: &mut Self::File, _at: u64, _into: &mut [u8]) -> Got<Self::File> {
        Got::Nothing
    }

    /// Returns the operating system's object behind an open file, if there is one: a `std::fs::File`, or on Unix an
    /// `OwnedFd`, with the same bytes at the same offsets. `None` by default.
    ///
    /// With it, adapters can send a file that was opened as [`sendable`](Opened::File) by reference. A file system that
    /// wraps another one forwards the call. Adapters ignore objects of types that they do not know.
    fn system_file<'a>(&self, _file: &'a mut Self::File) -> Option<&'a mut dyn Any> {
        None
    }

    /// Duplicates an open file in its state at the time of opening, if that needs no access to the file system: for
    /// requests that were received together with the one that opened it. Returns `None` by default, and the path is
    /// [opened](Self::open) again.
    fn reopen(&self, _file: &Self::File) -> Option<Opened<Self::File>> {
        None
    }

    /// Evicts cache entries that were not used since the call before the last one. Returns whether the cache still has
    /// entries. Call it about once a second while there are requests. If it is never called, nothing should be cached.
    fn evict_idle(&self) -> bool {
        false
    }
}

/// Implements [`FileSystem`] for a pointer to one. Forwards all methods, so that none falls back to its default.
macro_rules! forward {
    ($pointer:ty) => {
        impl<F: FileSystem + ?Sized> FileSystem for $pointer {
            type File = F::File;

            fn open(&self, path: &Path) -> Result<Opened<F::File>, FsError> {
                self.deref().open(path)
            }

            fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
                self.deref().list(path)
            }

            fn read(&self, file: &mut F::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
                self.deref().read(file, at, into)
            }

            fn run(&self, script: &CgiScript) -> Result<Opened<F::File>, FsError> {
                self.deref().run(script)
            }

            fn verify(&self, credentials: &Credentials) -> Result<(), FsError> {
                self.deref().verify(credentials)
            }

            fn verify_later(&self, credentials: &Credentials, waiter: Box<dyn Waiter>) {
                self.deref().verify_later(credentials, waiter);
            }

            fn archive(&self, request: &ArchiveRequest) -> Result<Opened<F::File>, FsError> {
                self.deref().archive(request)
            }

            fn create(&self, create: &Create) -> Result<Opened<F::File>, FsError> {
                self.deref().create(create)
            }

            fn write(&self, file: &mut F::File, bytes: &[u8]) -> Result<usize, FsError> {
                self.deref().write(file, bytes)
            }

            fn commit(&self, file: &mut F::File) -> Result<(), FsError> {
                self.deref().commit(file)
            }

            fn change(&self, change: &Change) -> Result<(), FsError> {
                self.deref().change(change)
            }

            fn upload(&self, request: &UploadRequest) -> Result<Opened<F::File>, FsError> {
                self.deref().upload(request)
            }

            fn answer_write(&self, file: &mut F::File, bytes: &[u8]) -> Got<F::File> {
                self.deref().answer_write(file, bytes)
            }

            fn answer(&self, ask: &Ask) -> Got<F::File> {
                self.deref().answer(ask)
            }

            fn fill(&self, file: &mut F::File, at: u64, into: &mut [u8]) -> Got<F::File> {
                self.deref().fill(file, at, into)
            }

            fn try_answer(&self, ask: &Ask) -> Got<F::File> {
                self.deref().try_answer(ask)
            }

            fn try_fill(&self, file: &mut F::File, at: u64, into: &mut [u8]) -> Got<F::File> {
                self.deref().try_fill(file, at, into)
            }

            fn system_file<'a>(&self, file: &'a mut F::File) -> Option<&'a mut dyn Any> {
                self.deref().system_file(file)
            }

            fn reopen(&self, file: &F::File) -> Option<Opened<F::File>> {
                self.deref().reopen(file)
            }

            fn evict_idle(&self) -> bool {
                self.deref().evict_idle()
            }
        }
    };
}

forward!(&F);
forward!(Arc<F>);
forward!(Box<F>);

/// The receiver of an answer from [`FileSystem::verify_later`].
pub trait Waiter: Send {
    /// Returns whether the answer is still needed: the client may have disconnected.
    fn is_waiting(&self) -> bool;

    /// Receives the answer.
    fn complete(self: Box<Self>, verified: Result<(), FsError>);
}
