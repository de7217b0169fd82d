//! [`Archive`]: a directory as one file, a tar or a zip, that was never written anywhere.
//!
//! Where everything in it begins is worked out when it is asked for: the tree is walked once, and
//! since nothing is compressed its length is known then. So any part can be read at any time, and
//! ranges, validators and all else that concerns files concern it too. What the headers look like is in `tar`
//! and `zip`; what belongs into it in `walk`; how it is asked for in `download`.

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

/// A directory as one file. It holds what is in it by name, and no content: that is read when it is
/// asked for.
///
/// Any file system can make one in answer to [`FileSystem::archive`], and give its bytes with
/// [`fill`](Self::fill). What belongs into it is what that file system lists and opens: links to
/// files are the files that they lead to, links to directories are left out, and so is what cannot be
/// opened or does not have a [name](crate::Path::is_name). A tar has names as they are. In a zip a name that Windows would take
/// for another place, such as `a\b` or `aux.c`, has `_` in place of what makes it so: `a_b`, `_ux.c`.
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
    /// The sum of its first bytes, and of how many.
    sum: Hasher,
    summed: u64,
}

/// Why there are no bytes.
enum Stop {
    /// A file is another one than it was.
    Changed,
    /// There is more to be summed than should be at a time.
    Busy,
}

impl<F> Archive<F> {
    /// The archive of a directory, as it is now.
    ///
    /// # Errors
    /// Those of [`FileSystem::list`] for the directory itself, but [`FsError::NotFound`] where its own path is too long;
    /// [`FsError::TooMany`] if there is more in it than 100,000 files and directories, or than 2^63 bytes; [`FsError::TooLong`] if something lies so deep
    /// that its path is too long to open it; [`FsError::NoResources`].
    pub fn new(
        fs: &impl FileSystem<File = F>,
        request: &ArchiveRequest,
    ) -> Result<Archive<F>, FsError> {
        Ok(Archive {
            layout: walk::walk(fs, request)?,
            source: None,
        })
    }

    /// The same, as what was opened: the answer to [`FileSystem::archive`], once what is open is held in
    /// the file system's own way ([`Opened::map`]).
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
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

    /// Its length and version. The version tells it from the archive of any other state of the
    /// directory, if the versions of the files in it do so for them; there is none if one of them has
    /// none. There is no time of the last change, since it would not tell that a file is gone.
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
    /// It fails if a file is not what it was when the archive was made: its length was promised. A
    /// zip has the sums of its files behind them. Where those were not read from their beginning
    /// before, they are read for that, for a moment at a time: [`Got::Working`] says so.
    pub fn fill<T>(&mut self, fs: &impl FileSystem<File = F>, at: u64, into: &mut [u8]) -> Got<T> {
        let (mut done, mut work) = (0, WORK);
        while done < into.len() {
            match self.read(fs, at + done as u64, &mut into[done..], &mut work) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(Stop::Busy) if done == 0 => return Got::Working,
                Err(Stop::Busy) => break,
                Err(Stop::Changed) => return Got::Refused(FsError::Io),
            }
        }
        Got::Bytes(done)
    }

    /// Reads of one thing only: a header, a file, what stands behind it.
    fn read(
        &mut self,
        fs: &impl FileSystem<File = F>,
        at: u64,
        into: &mut [u8],
        work: &mut u64,
    ) -> Result<usize, Stop> {
        let place = self.layout.at(at);
        if let EntryOffset::Content(index, from) = place {
            return self.read_content(fs, index, from, into);
        }
        if let Some(index) = self.layout.wants_sum(&place) {
            self.sum(fs, index, work)?;
        }
        let mut bytes = Vec::new();
        let from = self.layout.write(&place, &mut bytes);
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
    ) -> Result<usize, Stop> {
        let len = self.layout.entries[index].len;
        let most = usize::try_from(len - from).map_or(into.len(), |left| left.min(into.len()));
        let source = source(&mut self.source, &self.layout, fs, index)?;
        let read = fs.read(&mut source.file, from, &mut into[..most]);
        let n = read.ok().filter(|n| *n > 0).ok_or(Stop::Changed)?;
        source.add(from, &into[..n]);
        self.keep_sum(index);
        if from + n as u64 == len {
            self.layout.check(fs, index)?;
        }
        Ok(n)
    }

    /// Sees to it that the sum of a file is known.
    fn sum(
        &mut self,
        fs: &impl FileSystem<File = F>,
        index: usize,
        work: &mut u64,
    ) -> Result<(), Stop> {
        if self.layout.entries[index].sum.is_some() {
            return Ok(());
        }
        let source = source(&mut self.source, &self.layout, fs, index)?;
        let len = self.layout.entries[index].len;
        let most = |left: u64| usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let mut piece = vec![0; most(len - source.summed)];
        while source.summed < len {
            let most = most(len - source.summed);
            *work = work.checked_sub(most as u64).ok_or(Stop::Busy)?;
            let read = fs.read(&mut source.file, source.summed, &mut piece[..most]);
            let n = read.ok().filter(|n| *n > 0).ok_or(Stop::Changed)?;
            source.add(source.summed, &piece[..n]);
        }
        self.layout.check(fs, index)?;
        self.keep_sum(index);
        Ok(())
    }

    /// Remembers the sum of the file that is being read, if all of it was.
    fn keep_sum(&mut self, index: usize) {
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
    /// Adds to the sum what follows on what it knows.
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

/// The file, open and unchanged.
fn source<'a, F>(
    held: &'a mut Option<Source<F>>,
    layout: &Layout,
    fs: &impl FileSystem<File = F>,
    index: usize,
) -> Result<&'a mut Source<F>, Stop> {
    if held.as_ref().is_none_or(|source| source.index != index) {
        // One descriptor at a time.
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
    /// Opens a file, if it is what it was.
    fn open<F>(&self, fs: &impl FileSystem<File = F>, index: usize) -> Result<F, Stop> {
        match fs.open(&self.path(self.name(index))) {
            Ok(Opened::File { file, meta, .. }) if self.entries[index].is(&meta) => Ok(file),
            _ => Err(Stop::Changed),
        }
    }

    /// Looks whether a file is still what it was.
    fn check<F>(&self, fs: &impl FileSystem<File = F>, index: usize) -> Result<(), Stop> {
        self.open(fs, index).map(drop)
    }
}

/// Read at a time for a sum, in bytes.
const PIECE: usize = 64 * 1024;
/// Summed at most at a time, in bytes. Work for a client that has hung up ends after that much.
const WORK: u64 = 4 * 1024 * 1024;
