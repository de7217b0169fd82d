//! What a file system has to be able to do, whether it is a disk, flash memory or a map.
//!
//! [`FileSystem`] is the synchronous interpreter of [`Ask`] and [`Want::ReadFile`]. An adapter whose
//! files are reached by `.await` answers those wants itself and needs no `FileSystem`.
//!
//! [`Want::ReadFile`]: crate::Want::ReadFile

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::ops::Deref;

use super::{
    ArchiveRequest, Ask, CgiScript, Create, Credentials, Entries, FsError, Got, Opened, Path,
};

/// A tree of files to serve. `&self` throughout: one file system serves all connections.
///
/// [`open`](Self::open), [`list`](Self::list) and [`read`](Self::read) are enough to serve; the [crate's page](crate)
/// has one of twenty lines. On Unix the paths that it is given are safe to join to a root, see [`Path`]; links are its
/// own business. On Windows, and where the files may lie on Windows, as in WASI, it must refuse with
/// [`InvalidName`](FsError::InvalidName) every path that is not [portable](Path::is_portable), and list no such name.
/// Of the errors [`NotFound`](FsError::NotFound), [`InvalidName`](FsError::InvalidName), [`OutsideRoot`](FsError::OutsideRoot) and
/// [`Forbidden`](FsError::Forbidden) become a 404,
/// [`NoResources`](FsError::NoResources) a 503; a reply that has begun breaks off.
pub trait FileSystem {
    /// An open file. The connection owns it while it sends it, and drops it afterwards.
    type File;

    /// Opens what `path` names and says what it is, in one step: the metadata must be that of the
    /// opened file. A directory is an answer, not an error. Must not block on a FIFO, must not
    /// touch a device, and must not leave the tree.
    ///
    /// # Errors
    /// Why there is nothing to serve under this path, see above.
    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError>;

    /// What the directory holds, without `.` and `..`, in any order. Of a link it says what it leads
    /// to, as far as that may be asked for. Who keeps the answer to give it again had better
    /// [sort](Entries::sort) it.
    ///
    /// # Errors
    /// Why the directory cannot be listed.
    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError>;

    /// Reads at offset `at`. Fewer bytes than there is room for are fine; 0 says that the file has
    /// ended.
    ///
    /// # Errors
    /// Why the file cannot be read; the reply breaks off.
    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError>;

    /// Sets a program up, see [`CgiScript`]. A file system without programs leaves this as it is.
    ///
    /// # Errors
    /// Why the program cannot be run; [`FsError::Unsupported`] by default.
    fn run(&self, _program: &CgiScript) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Says whether a user has this password, for a [`Guard`](crate::Guard): a file system stands
    /// where waiting harms nobody, and a good password takes its time. The error is
    /// [`FsError::Forbidden`] if it is wrong, [`FsError::NoResources`] if there is too much to do. A file
    /// system without users leaves this as it is, and nobody passes.
    ///
    /// # Errors
    /// [`FsError::Forbidden`] if the password is wrong, or why that cannot be said; [`FsError::Unsupported`] by default.
    fn verify(&self, _given: &Credentials) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    /// The same, for an adapter whose threads are not to wait for each other: the answer may come from
    /// any thread, at once or later. It may take the calling thread for the answers of others.
    fn verify_later(&self, given: &Credentials, waiter: Box<dyn Waiter>) {
        waiter.complete(self.verify(given));
    }

    /// Makes one file of a directory, see [`Archive`](crate::archive::Archive), which does it. A file
    /// system without that leaves this as it is.
    ///
    /// # Errors
    /// Why no archive can be made; [`FsError::Unsupported`] by default.
    fn archive(&self, _request: &ArchiveRequest) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Begins a file, see [`Create`]. A file system that cannot be written to leaves this as it is.
    ///
    /// # Errors
    /// Why the file cannot be begun; [`FsError::Unsupported`] by default.
    fn create(&self, _create: &Create) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Passes bytes to the standard input of a program that is about to run, or to a file that is being created. Returns how many were
    /// taken; 0 says that no more are. Only a file system that runs programs or creates files is asked.
    ///
    /// # Errors
    /// Why no more bytes are taken; [`FsError::Unsupported`] by default.
    fn write(&self, _file: &mut Self::File, _bytes: &[u8]) -> Result<usize, FsError> {
        Err(FsError::Unsupported)
    }

    /// Gives a file that is being created its name, see [`Create`]: it is complete.
    ///
    /// # Errors
    /// Why the file cannot be given its name; [`FsError::Unsupported`] by default.
    fn commit(&self, _file: &mut Self::File) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    /// Answers [`Want::WriteFile`](crate::Want::WriteFile).
    fn answer_write(&self, file: &mut Self::File, bytes: &[u8]) -> Got<Self::File> {
        self.write(file, bytes)
            .map_or_else(Got::Refused, Got::Bytes)
    }

    /// Answers [`Want::Ask`](crate::Want::Ask). A file system that has too much to do just now may
    /// answer [`Got::Nothing`] where the adapter waits for a moment before it asks again, as those with threads do; the
    /// connection's deadline holds.
    fn answer(&self, ask: &Ask) -> Got<Self::File> {
        match ask {
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::List(path) => Got::Listed(self.list(path)),
            Ask::Run(program) => Got::Opened(self.run(program)),
            Ask::Verify(given) => Got::Verified(self.verify(given)),
            Ask::Archive(request) => Got::Opened(self.archive(request)),
            Ask::Create(create) => Got::Opened(self.create(create)),
        }
    }

    /// Answers [`Want::ReadFile`](crate::Want::ReadFile).
    fn fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File> {
        self.read(file, at, into)
            .map_or_else(Got::Refused, Got::Bytes)
    }

    /// The same as [`answer`](Self::answer) for an adapter that serves many connections on one
    /// thread: what can be told without waiting for a disk, else [`Got::Nothing`], as always if
    /// nothing else is written. `answer` is asked then, where waiting harms nobody.
    fn try_answer(&self, _ask: &Ask) -> Got<Self::File> {
        Got::Nothing
    }

    /// The same as [`fill`](Self::fill) in that way.
    fn try_fill(&self, _file: &mut Self::File, _at: u64, _into: &mut [u8]) -> Got<Self::File> {
        Got::Nothing
    }

    /// Returns the object of the operating system that an open file is made of, if there is one: a `std::fs::File`, or on
    /// Unix an `OwnedFd`, whose bytes are those of the file, each at the same offset. By default there is none.
    ///
    /// Adapters send such a file without reading it, provided that it was opened as [`sendable`](Opened::File); a file system
    /// that wraps another one passes on what that returns. An object of any other type is ignored by an adapter that does
    /// not know the type.
    fn system_file<'a>(&self, _file: &'a mut Self::File) -> Option<&'a mut dyn Any> {
        None
    }

    /// Opens an open file once more, as it was when it was opened, if that needs no look at the file system: for requests
    /// that were read together with the one that opened it. By default it is not possible, and the path is
    /// [opened](Self::open) again.
    fn reopen(&self, _file: &Self::File) -> Option<Opened<Self::File>> {
        None
    }

    /// Lets go of what is only held in case that it is asked for again, and was not since the last
    /// call or the one before. Answers whether something is left to be let go of. To be called about once a
    /// second while something is going on; where it is not, nothing is held in that way.
    fn evict_idle(&self) -> bool {
        false
    }
}

/// Implements [`FileSystem`] for a pointer to one. All methods are passed on, so that none falls back to its default.
macro_rules! pass_on {
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

            fn run(&self, program: &CgiScript) -> Result<Opened<F::File>, FsError> {
                self.deref().run(program)
            }

            fn verify(&self, given: &Credentials) -> Result<(), FsError> {
                self.deref().verify(given)
            }

            fn verify_later(&self, given: &Credentials, waiter: Box<dyn Waiter>) {
                self.deref().verify_later(given, waiter);
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

pass_on!(&F);
pass_on!(Arc<F>);
pass_on!(Box<F>);

/// What waits for the answer of [`FileSystem::verify_later`].
pub trait Waiter: Send {
    /// Whether the answer is still of use: a client may have left.
    fn is_waiting(&self) -> bool;

    /// Takes the answer.
    fn complete(self: Box<Self>, verified: Result<(), FsError>);
}
