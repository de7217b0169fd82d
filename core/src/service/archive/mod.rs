//! [`Archive`]: a directory as one tar or zip file, which is generated while it is read.
//!
//! All offsets are computed when the archive is opened: the tree is walked once, and as nothing is compressed, the
//! length is known. So any part can be read at any time, and ranges, validators and everything else work as for files.
//! The headers are in `tar` and `zip`, the selection of entries in `walk`, and the requests in `download`.

mod download;
mod entry;
mod layout;
mod sum;
mod tar;
mod walk;
mod zip;

use alloc::vec;
use alloc::vec::Vec;

pub use self::download::Download;
use self::layout::{EntryOffset, Layout};
use self::sum::Hasher;
use crate::fs::{ArchiveRequest, FileSystem, FsError, Got, Meta, Opened};

/// A directory as one archive file. It stores the names of the entries but no content, which is read when needed.
///
/// Any file system can return one from [`FileSystem::archive`], and read it with [`fill`](Self::fill). It contains the
/// entries that the file system lists and can open. Symbolic links to files become the files. Links to directories,
/// files that cannot be opened, and invalid [names](crate::Path::is_name) are omitted. A tar keeps the names unchanged.
/// In a zip, characters with a special meaning on Windows are replaced by `_`: `a\b` becomes `a_b`, and `aux.c` becomes
/// `_ux.c`.
///
/// ```
/// # use std::sync::Arc;
/// # use sanserve_core::{Entries, Entry, FileSystem, FsError, Got, Meta, Opened, Path};
/// # struct OneFile;
/// # impl FileSystem for OneFile {
/// #     type File = &'static [u8];
/// #     fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
/// #         let meta = Meta::new(6);
/// #         match path.as_bytes() {
/// #             b"hello.txt" => Ok(Opened::File { file: b"hello\n", meta, sendable: false }),
/// #             _ => Err(FsError::NotFound),
/// #         }
/// #     }
/// #     fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
/// #         let entry = Entry { name: b"hello.txt", ..Entry::default() };
/// #         Ok(Arc::new(Entries::from_iter([entry])))
/// #     }
/// #     fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
/// #         let rest = &file[at as usize..];
/// #         let n = rest.len().min(into.len());
/// #         into[..n].copy_from_slice(&rest[..n]);
/// #         Ok(n)
/// #     }
/// # }
/// use sanserve_core::{ArchiveFormat, ArchiveRequest, archive::Archive};
///
/// let request = ArchiveRequest { path: Path::default(), format: ArchiveFormat::Zip, hidden: false };
/// let mut archive = Archive::new(&OneFile, &request).unwrap();
/// let mut zip = vec![0; archive.meta().len as usize];
/// let got: Got<()> = archive.fill(&OneFile, 0, &mut zip); // or any part of it, in any order
/// assert!(matches!(got, Got::Bytes(n) if n == zip.len()) && zip.starts_with(b"PK"));
/// ```
#[derive(Debug, Clone)]
pub struct Archive<F> {
    layout: Layout,
    source: Option<Source<F>>,
}

/// The file that is being read.
#[derive(Debug, Clone)]
struct Source<F> {
    index: usize,
    file: F,
    /// The checksum of its first bytes, and their number.
    sum: Hasher,
    summed: u64,
}

/// The reason why no bytes are returned.
enum ReadError {
    /// A file has changed since the archive was opened.
    Changed,
    /// More bytes have to be summed than one call should read.
    Busy,
}

impl<F> Archive<F> {
    /// Opens the archive of a directory in its current state.
    ///
    /// # Errors
    /// Returns the errors of [`FileSystem::list`] for the directory itself, and also:
    /// - [`FsError::NotFound`] if the directory's own path is too long;
    /// - [`FsError::TooMany`] if it contains more than 100,000 files and directories, or more than 2^63 bytes;
    /// - [`FsError::TooLong`] if a path in it is too long to be opened;
    /// - [`FsError::NoResources`] if memory or file descriptors run out.
    pub fn new(
        fs: &impl FileSystem<File = F>,
        request: &ArchiveRequest,
    ) -> Result<Archive<F>, FsError> {
        Ok(Archive {
            layout: walk::walk(fs, request)?,
            source: None,
        })
    }

    /// Opens the archive as [`new`](Self::new) does, and returns it as [`Opened::File`]: the answer to
    /// [`FileSystem::archive`], after [`Opened::map`] has converted it to the file system's type of an open file.
    ///
    /// # Errors
    /// Returns the errors of [`new`](Self::new).
    pub fn open(
        fs: &impl FileSystem<File = F>,
        request: &ArchiveRequest,
    ) -> Result<Opened<Archive<F>>, FsError> {
        let archive = Archive::new(fs, request)?;
        Ok(Opened::File {
            meta: archive.meta(),
            file: archive,
            sendable: false,
        })
    }

    /// Returns the length and version of the archive. The version changes with the content of the directory, provided
    /// that those of its files do; there is none if a file has none. There is no time of the last modification, as it
    /// would not show that a file was removed.
    pub fn meta(&self) -> Meta {
        Meta {
            len: self.layout.len(),
            modified: None,
            version: self.layout.version,
            executable: false,
        }
    }

    /// Answers [`Want::ReadFile`](crate::Want::ReadFile).
    ///
    /// It fails if a file has changed since the archive was opened, as its length was promised. In a zip, the checksum
    /// follows each file. If the file was not read from its beginning before, it is read for the checksum, a limited
    /// number of bytes in each call, which returns [`Got::Working`].
    pub fn fill<T>(&mut self, fs: &impl FileSystem<File = F>, at: u64, into: &mut [u8]) -> Got<T> {
        let (mut done, mut work) = (0, SUM_MAX);
        while done < into.len() {
            match self.read(fs, at + done as u64, &mut into[done..], &mut work) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(ReadError::Busy) if done == 0 => return Got::Working,
                Err(ReadError::Busy) => break,
                Err(ReadError::Changed) => return Got::Refused(FsError::Io),
            }
        }
        Got::Bytes(done)
    }

    /// Reads from a single part: a header, a file, or what follows it.
    fn read(
        &mut self,
        fs: &impl FileSystem<File = F>,
        at: u64,
        into: &mut [u8],
        work: &mut u64,
    ) -> Result<usize, ReadError> {
        let position = self.layout.at(at);
        if let EntryOffset::Content(index, from) = position {
            return self.read_content(fs, index, from, into);
        }
        if let Some(index) = self.layout.entry_to_sum(&position) {
            self.sum(fs, index, work)?;
        }
        let mut bytes = Vec::new();
        let from = self.layout.write(&position, &mut bytes);
        let rest = bytes.get(from..).unwrap_or_default();
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn read_content(
        &mut self,
        fs: &impl FileSystem<File = F>,
        index: usize,
        from: u64,
        into: &mut [u8],
    ) -> Result<usize, ReadError> {
        let len = self.layout.entries[index].len;
        let max = usize::try_from(len - from).map_or(into.len(), |left| left.min(into.len()));
        let source = source(&mut self.source, &self.layout, fs, index)?;
        let read = fs.read(&mut source.file, from, &mut into[..max]);
        let n = read.ok().filter(|n| *n > 0).ok_or(ReadError::Changed)?;
        source.add(from, &into[..n]);
        self.store_sum(index);
        if from + n as u64 == len {
            self.layout.check(fs, index)?;
        }
        Ok(n)
    }

    /// Computes the checksum of a file, if it is not known.
    fn sum(
        &mut self,
        fs: &impl FileSystem<File = F>,
        index: usize,
        work: &mut u64,
    ) -> Result<(), ReadError> {
        if self.layout.entries[index].sum.is_some() {
            return Ok(());
        }
        let source = source(&mut self.source, &self.layout, fs, index)?;
        let len = self.layout.entries[index].len;
        let piece_len =
            |left: u64| usize::try_from(left).map_or(READ_SIZE, |left| left.min(READ_SIZE));
        let mut piece = vec![0; piece_len(len - source.summed)];
        while source.summed < len {
            let max = piece_len(len - source.summed);
            *work = work.checked_sub(max as u64).ok_or(ReadError::Busy)?;
            let read = fs.read(&mut source.file, source.summed, &mut piece[..max]);
            let n = read.ok().filter(|n| *n > 0).ok_or(ReadError::Changed)?;
            source.add(source.summed, &piece[..n]);
        }
        self.layout.check(fs, index)?;
        self.store_sum(index);
        Ok(())
    }

    /// Stores the checksum of the file that is being read, if all of it was read.
    fn store_sum(&mut self, index: usize) {
        let entry = &mut self.layout.entries[index];
        let whole = self
            .source
            .as_ref()
            .filter(|source| source.summed == entry.len);
        if let Some(source) = whole {
            entry.sum = Some(source.sum.clone().finalize());
        }
    }
}

impl<F> Source<F> {
    /// Adds bytes to the checksum if they follow those that it covers.
    fn add(&mut self, from: u64, bytes: &[u8]) {
        let known = self.summed.checked_sub(from).map(usize::try_from);
        if let Some(Ok(known)) = known
            && let Some(news) = bytes.get(known..)
        {
            self.sum.update(news);
            self.summed += news.len() as u64;
        }
    }
}

/// Returns the open file, after checking that it is unchanged.
fn source<'a, F>(
    held: &'a mut Option<Source<F>>,
    layout: &Layout,
    fs: &impl FileSystem<File = F>,
    index: usize,
) -> Result<&'a mut Source<F>, ReadError> {
    if held.as_ref().is_none_or(|source| source.index != index) {
        // Closes the previous file first, to use one descriptor at a time.
        *held = None;
        *held = Some(Source {
            index,
            file: layout.open(fs, index)?,
            sum: Hasher::new(),
            summed: 0,
        });
    }
    Ok(held.as_mut().expect("it was just opened"))
}

impl Layout {
    /// Opens a file, and checks that it is unchanged.
    fn open<F>(&self, fs: &impl FileSystem<File = F>, index: usize) -> Result<F, ReadError> {
        match fs.open(&self.path(self.name(index))) {
            Ok(Opened::File { file, meta, .. }) if self.entries[index].is(&meta) => Ok(file),
            _ => Err(ReadError::Changed),
        }
    }

    /// Checks whether a file is unchanged.
    fn check<F>(&self, fs: &impl FileSystem<File = F>, index: usize) -> Result<(), ReadError> {
        self.open(fs, index).map(drop)
    }
}

/// The number of bytes to read at a time for a checksum.
const READ_SIZE: usize = 64 * 1024;
/// The largest number of bytes to sum in one call. It limits the work for a client that has disconnected.
const SUM_MAX: u64 = 4 * 1024 * 1024;
