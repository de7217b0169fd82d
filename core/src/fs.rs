//! What a file system has to be able to do, whether it is a disk, flash memory or a map.
//!
//! [`FileSystem`] is the synchronous interpreter of [`Ask`] and [`Want::Fill`]. An adapter whose
//! files are reached by `.await` answers those wants itself and needs no `FileSystem`.
//!
//! [`Want::Fill`]: crate::Want::Fill

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::archive::Pack;
use crate::{Ask, Credentials, Entries, Got, Path};

/// A tree of files to serve. `&self` throughout: one file system serves all connections.
///
/// [`open`](Self::open), [`list`](Self::list) and [`read`](Self::read) are enough to serve; the [crate's page](crate)
/// has one of twenty lines. On Unix the paths that it is given are safe to join to a root, see [`Path`]; links are its
/// own business. On Windows, and where the files may lie on Windows, as in WASI, it must refuse with
/// [`InvalidName`](FsError::InvalidName) every path that is not [portable](Path::is_portable), and list no such name.
/// Of the errors [`NotFound`](FsError::NotFound), [`InvalidName`](FsError::InvalidName), [`LeadsOut`](FsError::LeadsOut) and
/// [`Forbidden`](FsError::Forbidden) become a 404,
/// [`Exhausted`](FsError::Exhausted) a 503; a reply that has begun breaks off.
pub trait FileSystem {
    /// An open file. The connection owns it while it sends it, and drops it afterwards.
    type File;

    /// Opens what `path` names and says what it is, in one step: the metadata must be that of the
    /// opened file. A directory is an answer, not an error. Must not block on a FIFO, must not
    /// touch a device, and must not leave the tree.
    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError>;

    /// What the directory holds, without `.` and `..`, in any order. Of a link it says what it leads
    /// to, as far as that may be asked for. Who keeps the answer to give it again had better
    /// [sort](Entries::sort) it.
    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError>;

    /// Reads at offset `at`. Fewer bytes than there is room for are fine; 0 says that the file has
    /// ended.
    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError>;

    /// Sets a program up, see [`Program`]. A file system without programs leaves this as it is.
    fn run(&self, _program: &Program) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Says whether a user has this password, for a [`Guard`](crate::Guard): a file system stands
    /// where waiting harms nobody, and a good password takes its time. The error is
    /// [`FsError::Forbidden`] if it is wrong, [`FsError::Exhausted`] if there is too much to do. A file
    /// system without users leaves this as it is, and nobody passes.
    fn verify(&self, _given: &Credentials) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }

    /// The same, for an adapter whose threads are not to wait for each other: the answer may come from
    /// any thread, at once or later. It may take the calling thread for the answers of others.
    fn verify_later(&self, given: &Credentials, waiter: Box<dyn Waiter>) {
        waiter.tell(self.verify(given));
    }

    /// Makes one file of a directory, see [`Archive`](crate::archive::Archive), which does it. A file
    /// system without that leaves this as it is.
    fn pack(&self, _pack: &Pack) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Begins a file, see [`Create`]. A file system that cannot be written to leaves this as it is.
    fn create(&self, _create: &Create) -> Result<Opened<Self::File>, FsError> {
        Err(FsError::Unsupported)
    }

    /// Answers [`Want::Give`](crate::Want::Give); only a file system that runs programs or makes files
    /// is asked.
    fn give(&self, _file: &mut Self::File, _from: &[u8]) -> Got<Self::File> {
        Got::Failed
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
            Ask::Pack(pack) => Got::Opened(self.pack(pack)),
            Ask::Create(create) => Got::Opened(self.create(create)),
        }
    }

    /// Answers [`Want::Fill`](crate::Want::Fill).
    fn fill(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Got<Self::File> {
        self.read(file, at, into).map_or(Got::Failed, Got::Bytes)
    }

    /// The same as [`answer`](Self::answer) for an adapter that serves many connections on one
    /// thread: what can be told without waiting for a disk, else [`Got::Nothing`], as always if
    /// nothing else is written. `answer` is asked then, where waiting harms nobody.
    fn answer_now(&self, _ask: &Ask) -> Got<Self::File> {
        Got::Nothing
    }

    /// The same as [`fill`](Self::fill) in that way.
    fn fill_now(&self, _file: &mut Self::File, _at: u64, _into: &mut [u8]) -> Got<Self::File> {
        Got::Nothing
    }

    /// Lets go of what is only held in case that it is asked for again, and was not since the last
    /// call or the one before. Answers whether something is left to be let go of. To be called about once a
    /// second while something is going on; where it is not, nothing is held in that way.
    fn tidy(&self) -> bool {
        false
    }
}

/// What waits for the answer of [`FileSystem::verify_later`].
pub trait Waiter: Send {
    /// Whether the answer is still of use: a client may have left.
    fn is_waiting(&self) -> bool;

    /// Takes the answer.
    fn tell(self: Box<Self>, verified: Result<(), FsError>);
}

/// What was found under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened<F> {
    /// A regular file, open for reading.
    File {
        /// The open file.
        file: F,
        /// What is known of it, as of the moment of opening.
        meta: Meta,
        /// Whether the adapter can answer [`Want::Copy`](crate::Want::Copy) for it.
        sendable: bool,
    },
    /// A directory.
    Directory,
    /// A program, or a file that is being made, in answer to [`Ask::Run`] and [`Ask::Create`] only.
    Program(F),
}

impl<F> Opened<F> {
    /// The same, with what is open as `hold` makes it.
    pub fn map<T>(self, hold: impl FnOnce(F) -> T) -> Opened<T> {
        match self {
            Opened::File {
                file,
                meta,
                sendable,
            } => Opened::File {
                file: hold(file),
                meta,
                sendable,
            },
            Opened::Directory => Opened::Directory,
            Opened::Program(file) => Opened::Program(hold(file)),
        }
    }
}

/// A program to run, with what CGI tells it (RFC 3875).
///
/// It is set up when it is asked for, then given the request's content, and starts when its output
/// is first read: by then its standard input is complete, whatever its length turned out to be.
/// [`Want::Fill`](crate::Want::Fill) reads its standard output, at no offset. To drop it ends it,
/// and whatever it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Which file.
    pub path: Path,
    /// Its arguments, without its own name.
    pub args: Vec<Vec<u8>>,
    /// What it finds in its environment: names of CGI, each of which occurs once. `CONTENT_LENGTH` is not here: the
    /// adapter that runs it sets that to the length of what it was given, if it was given anything.
    pub env: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// What `PATH_TRANSLATED` names: the adapter knows what the system calls it.
    pub path_translated: Path,
}

/// A file to make.
///
/// It is begun when it is asked for, and then given its content. Until it is complete nobody sees it; to
/// drop it before leaves nothing of it. It is complete when it is given nothing: then it gets its name,
/// at once and whole, if what had that name is what it was. A file that must have a name before has one that
/// begins with [`Path::TEMPORARY`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its name.
    pub path: Path,
    /// How many directories on the way to it may be missing: the last ones, which are made when the file is complete,
    /// readable and writable as the system has it for new ones. If more are, the error is [`FsError::NotFound`].
    pub directories_max: usize,
    /// The file whose place it takes. If there is none, nothing may have that name.
    pub replaces: Option<Meta>,
    /// How long it will be, if that is known.
    pub len: Option<u64>,
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Length in bytes.
    pub len: u64,
    /// Time of the last change in whole seconds since 1970 (rounded down), if it is known.
    pub modified: Option<i64>,
    /// Which state of the file this is, if the file system can tell one from another. It becomes the `ETag`; a
    /// file without a version has none.
    pub version: Option<FileVersion>,
    /// Whether it may be run as a program.
    pub executable: bool,
}

impl Meta {
    /// Returns the [`version`](Self::version) of a file that was last changed at this time: seconds since 1970,
    /// rounded down, and nanoseconds. Returns `None` if the nanoseconds are 0, as they always are where only whole
    /// seconds are known: a file may change several times in a second, and another file may be put in its place
    /// with the same time.
    pub fn version_at((seconds, nanos): (i64, u32)) -> Option<FileVersion> {
        let version = seconds
            .wrapping_mul(1_000_000_000)
            .wrapping_add(nanos.into());
        (nanos > 0).then(|| FileVersion::new(version as u64))
    }

    /// Returns the time of the last change where it can tell one state of the file from another, which is what
    /// `Last-Modified` and conditions with dates are about.
    ///
    /// The first two seconds of 1970 cannot: Nix, OSTree and builders of container images set the time of all
    /// files to 0 or 1, whatever is in them.
    pub fn date(&self) -> Option<i64> {
        self.modified.filter(|modified| !matches!(modified, 0 | 1))
    }
}

/// A number for one state of a file: a checksum, a revision, a hash of the time of the last change.
///
/// Two versions are equal if their numbers are, whether settled or not.
#[derive(Debug, Clone, Copy)]
pub struct FileVersion {
    number: u64,
    settled: bool,
}

impl FileVersion {
    /// A number that this file never had with other content, and never will have. It makes a strong `ETag`
    /// (RFC 9110 §8.8.1), so that interrupted downloads are resumed and ranges of the file are cached.
    pub const fn new(number: u64) -> FileVersion {
        FileVersion {
            number,
            settled: true,
        }
    }

    /// The same number while the file may still change without getting another one: when it is derived from the time
    /// of the last change, and the clock of the file system has not moved on since. Its `ETag` is weak.
    pub const fn unsettled(self) -> FileVersion {
        FileVersion {
            settled: false,
            ..self
        }
    }

    /// Returns the number.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Returns whether no further change of the file can have the same number, which is what makes its `ETag`
    /// strong.
    pub const fn is_settled(self) -> bool {
        self.settled
    }
}

impl PartialEq for FileVersion {
    fn eq(&self, other: &FileVersion) -> bool {
        self.number == other.number
    }
}

impl Eq for FileVersion {}

/// Why a file system has no better answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsError {
    /// There is no such thing.
    NotFound,
    /// A symbolic link on the way to it leads out of the tree, and is not followed. Clients are told that there is no such
    /// thing, and the log says why.
    LeadsOut,
    /// It is there but may not be read.
    Forbidden,
    /// It is neither a file nor a directory, or not the one that was asked for.
    NotPlain,
    /// This file system has no such thing.
    Unsupported,
    /// The system has too little left to tell, of memory or of descriptors: it may be there.
    Exhausted,
    /// There is something, where there must be nothing or something else.
    Exists,
    /// There is no room for it.
    Full,
    /// Its name, or its path, is longer than one can be here. A client that only asks for it is told that it is not there;
    /// no archive is made of a directory that has it somewhere below.
    TooLong,
    /// Nothing here can have that name. A client that only asks for it is told that it is not there.
    InvalidName,
    /// There is more than can be dealt with at once.
    TooMany,
    /// Anything else that goes wrong with a disk.
    Broken,
}
