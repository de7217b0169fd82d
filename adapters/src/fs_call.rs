//! Calls of a file system on another thread, for ports that serve many connections on one: the open file goes with the
//! request and comes back with what came of it.
//!
//! A connection holds an [`OpenSlot`] in place of the file. The port first asks
//! [`try_answer`](FileSystem::try_answer) or [`try_fill`](FileSystem::try_fill), which do not block. What they cannot tell, it makes an
//! [`FsRequest`] of, has a thread [`run`](FsRequest::run) that, and puts the [`FsCompletion`] back into the slot. The event loop and
//! the server on tokio are made of these.
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

/// An open file of a connection, unless a thread has it.
#[derive(Debug)]
pub struct OpenSlot<F>(Option<F>);

impl<F> OpenSlot<F> {
    /// A slot with this file.
    pub fn new(file: F) -> OpenSlot<F> {
        OpenSlot(Some(file))
    }

    /// Returns the same answer of a file system, with the file that it may have opened in a slot.
    pub fn hold(got: Got<F>) -> Got<OpenSlot<F>> {
        got.map(OpenSlot::new)
    }

    /// Returns the file, unless a thread has it.
    pub fn get_mut(&mut self) -> Option<&mut F> {
        self.0.as_mut()
    }

    /// Takes the file for a request that reads up to `len` bytes from offset `at`. `None` if a thread has it.
    pub fn fill(&mut self, at: u64, len: usize) -> Option<FsRequest<F>> {
        let file = self.0.take()?;
        Some(FsRequest::ReadFile { file, at, len })
    }

    /// Takes the file for a request that passes on a copy of these bytes. `None` if a thread has it.
    pub fn write(&mut self, bytes: &[u8]) -> Option<FsRequest<F>> {
        let (file, bytes) = (self.0.take()?, bytes.to_vec());
        Some(FsRequest::WriteFile { file, bytes })
    }

    /// Takes the file for a request that commits it. `None` if a thread has it.
    pub fn commit(&mut self) -> Option<FsRequest<F>> {
        let file = self.0.take()?;
        Some(FsRequest::Commit { file })
    }

    /// Puts the file back, and returns the answer to what was wanted. Bytes that were read are copied to `into`, which is the room of
    /// the [`Want::ReadFile`](sanserve_core::Want::ReadFile), and else empty.
    ///
    /// # Panics
    /// If `into` is shorter than the room that the request was made for.
    pub fn complete(&mut self, done: FsCompletion<F>, into: &mut [u8]) -> Got<OpenSlot<F>> {
        if let (FsCompletion { bytes, .. }, Got::Bytes(n)) = (&done, &done.got)
            && !bytes.is_empty()
        {
            into[..*n].copy_from_slice(&bytes[..*n]);
        }
        OpenSlot::hold(self.put_back(done))
    }

    /// Puts the file back, and returns what came of the request, without the bytes.
    pub(crate) fn put_back(&mut self, done: FsCompletion<F>) -> Got<F> {
        if let Some(file) = done.file {
            self.0 = Some(file);
        }
        done.got
    }
}

/// What a thread is to do. A request that is dropped drops the file that it has.
#[derive(Debug)]
#[non_exhaustive]
pub enum FsRequest<F> {
    /// Answer a question.
    Ask(Ask),
    /// Read from a file.
    ReadFile {
        /// The file.
        file: F,
        /// Offset in bytes.
        at: u64,
        /// How many bytes at most.
        len: usize,
    },
    /// Pass bytes to a program that is about to run, or to a file that is being created.
    WriteFile {
        /// The program or the file.
        file: F,
        /// What comes next in it.
        bytes: Vec<u8>,
    },
    /// Give a file that is being created its name.
    Commit {
        /// The file.
        file: F,
    },
}

impl<F> FsRequest<F> {
    /// Whether only a reply needs it, and not a file that is being stored: nothing is lost if it is dropped once the peer has left.
    #[must_use]
    pub fn is_for_reply(&self) -> bool {
        !matches!(self, FsRequest::WriteFile { .. } | FsRequest::Commit { .. })
    }

    /// Does it, however long that takes.
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

/// What a thread brings back: the file, what came of the request, and the bytes that were read.
#[derive(Debug)]
pub struct FsCompletion<F> {
    file: Option<F>,
    got: Got<F>,
    bytes: Vec<u8>,
}

impl<F> FsCompletion<F> {
    /// Returns the answer to an [`FsRequest::Ask`], and `None` if this is what came of another request.
    pub fn into_answer(self) -> Option<Got<F>> {
        self.file.is_none().then_some(self.got)
    }

    /// Whether it brings a file back, as all do but the answer to an [`FsRequest::Ask`].
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
