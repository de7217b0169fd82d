//! Moves calls of a file system to another thread, for adapters that serve many connections on one thread: the
//! open file goes with the request and comes back with the result.
//!
//! A connection holds an [`OpenSlot`] in place of the file. The adapter first calls
//! [`try_answer`](FileSystem::try_answer) or [`try_fill`](FileSystem::try_fill), which do not block. If they
//! cannot answer, it makes an [`FsRequest`], [runs](FsRequest::run) it on a thread, and puts the
//! [`FsCompletion`] back into the slot. The event loop and the server on tokio use these types.
//!
//! ```
//! use std::sync::mpsc;
//! use std::thread;
//!
//! use sanserve_server::Flash;
//! use sanserve_server::fs_call::OpenSlot;
//! use sanserve_core::{FileSystem, Got};
//!
//! static FILES: Flash = Flash::new(&[]);
//!
//! let mut slot = OpenSlot::new(&b"hello"[..]); // what `Want::ReadFile` is about
//! let mut room = [0; 16];
//!
//! let request = slot.fill(0, room.len()).expect("no thread has the file");
//! let (done, completions) = mpsc::channel();
//! thread::spawn(move || done.send(request.run(&FILES)));
//! assert!(slot.fill(0, room.len()).is_none()); // while the thread has it: answer `Got::Nothing`
//!
//! let completion = completions.recv().unwrap();
//! assert!(matches!(slot.complete(completion, &mut room), Got::Bytes(5)));
//! assert_eq!(&room[..5], b"hello");
//! ```

use alloc::vec;
use alloc::vec::Vec;

use sanserve_core::{Ask, FileSystem, Got};

/// The place for a connection's open file, which is empty while a thread has the file.
#[derive(Debug)]
pub struct OpenSlot<F>(Option<F>);

impl<F> OpenSlot<F> {
    /// Creates a slot with a file.
    pub fn new(file: F) -> OpenSlot<F> {
        OpenSlot(Some(file))
    }

    /// Moves the file that an answer may contain into a slot.
    pub fn hold(got: Got<F>) -> Got<OpenSlot<F>> {
        got.map(OpenSlot::new)
    }

    /// Returns the file, unless a thread has it.
    pub fn get_mut(&mut self) -> Option<&mut F> {
        self.0.as_mut()
    }

    /// Takes the file for a request that reads up to `len` bytes at offset `at`. `None` if a thread has it.
    pub fn fill(&mut self, at: u64, len: usize) -> Option<FsRequest<F>> {
        let file = self.0.take()?;
        Some(FsRequest::ReadFile { file, at, len })
    }

    /// Takes the file for a request that writes a copy of these bytes. `None` if a thread has it.
    pub fn write(&mut self, bytes: &[u8]) -> Option<FsRequest<F>> {
        let (file, bytes) = (self.0.take()?, bytes.to_vec());
        Some(FsRequest::WriteFile { file, bytes })
    }

    /// Takes the file for a request that commits it. `None` if a thread has it.
    pub fn commit(&mut self) -> Option<FsRequest<F>> {
        let file = self.0.take()?;
        Some(FsRequest::Commit { file })
    }

    /// Puts the file back, and returns the answer to the want. Bytes that were read are copied to `into`: the
    /// buffer of [`Want::ReadFile`](sanserve_core::Want::ReadFile), or an empty one for other requests.
    ///
    /// # Panics
    /// If `into` is shorter than the `len` of the request.
    pub fn complete(&mut self, completion: FsCompletion<F>, into: &mut [u8]) -> Got<OpenSlot<F>> {
        if let (FsCompletion { bytes, .. }, Got::Bytes(n)) = (&completion, &completion.got)
            && !bytes.is_empty()
        {
            into[..*n].copy_from_slice(&bytes[..*n]);
        }
        OpenSlot::hold(self.put_back(completion))
    }

    /// Puts the file back, and returns the answer without the bytes that were read.
    pub(crate) fn put_back(&mut self, done: FsCompletion<F>) -> Got<F> {
        if let Some(file) = done.file {
            self.0 = Some(file);
        }
        done.got
    }
}

/// A call for another thread. A dropped request drops its file.
#[derive(Debug)]
#[non_exhaustive]
pub enum FsRequest<F> {
    /// Answer an [`Ask`].
    Ask(Ask),
    /// Read from a file.
    ReadFile {
        /// The file.
        file: F,
        /// Offset in bytes.
        at: u64,
        /// Maximum number of bytes.
        len: usize,
    },
    /// Write to the standard input of a CGI process that is about to run, or to a file that is being created.
    WriteFile {
        /// The process or the file.
        file: F,
        /// The next bytes.
        bytes: Vec<u8>,
    },
    /// Commit a file that is being created.
    Commit {
        /// The file.
        file: F,
    },
}

impl<F> FsRequest<F> {
    /// Returns whether only a reply needs the result. Such a request may be dropped when the peer has
    /// disconnected; the others change files.
    #[must_use]
    pub fn is_for_reply(&self) -> bool {
        !matches!(
            self,
            FsRequest::WriteFile { .. } | FsRequest::Commit { .. } | FsRequest::Ask(Ask::Change(_))
        )
    }

    /// Makes the call, however long it blocks.
    pub fn run<FS>(self, files: &FS) -> FsCompletion<F>
    where
        FS: FileSystem<File = F> + ?Sized,
    {
        match self {
            FsRequest::Ask(ask) => FsCompletion::answer(files.answer(&ask)),
            FsRequest::ReadFile { mut file, at, len } => {
                let mut bytes = vec![0; len];
                let got = files.fill(&mut file, at, &mut bytes);
                FsCompletion::of(file, got, bytes)
            }
            FsRequest::WriteFile { mut file, bytes } => {
                let got = files.answer_write(&mut file, &bytes);
                FsCompletion::of(file, got, Vec::new())
            }
            FsRequest::Commit { mut file } => {
                let got = Got::Committed(files.commit(&mut file));
                FsCompletion::of(file, got, Vec::new())
            }
        }
    }
}

/// The result of a request: the file, the answer, and the bytes that were read.
#[derive(Debug)]
pub struct FsCompletion<F> {
    file: Option<F>,
    got: Got<F>,
    bytes: Vec<u8>,
}

impl<F> FsCompletion<F> {
    /// Returns the answer to an [`FsRequest::Ask`], or `None` for other requests.
    pub fn into_answer(self) -> Option<Got<F>> {
        self.file.is_none().then_some(self.got)
    }

    /// Returns whether it contains a file, as all results do except the answer to an [`FsRequest::Ask`].
    #[must_use]
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn answer(got: Got<F>) -> FsCompletion<F> {
        let (file, bytes) = (None, Vec::new());
        FsCompletion { file, got, bytes }
    }

    pub(crate) fn of(file: F, got: Got<F>, bytes: Vec<u8>) -> FsCompletion<F> {
        let file = Some(file);
        FsCompletion { file, got, bytes }
    }
}
