//! [`ZipFiles`]: a zip archive as a file system.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path as OsPath, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rawzip::{FileReader, ReaderAt, ZipArchive};
use sanserve_core::archive::Archive;
use sanserve_core::{ArchiveRequest, Entries, FileSystem, FsError, Got, Opened, Path};

use super::inflater::{Checkpoints, Inflater};
use super::{LOCAL_HEADER_LEN, ZipEntry, ZipIndex, ZipNode};
use crate::lock::lock;

/// The files of a zip archive, read in place. Nothing is unpacked to the disk.
///
/// A deflated file can be read from any offset: while it is read, the state of the decompressor is kept at up to 64 offsets
/// of a file, at least 4 MiB apart, for up to 8 files at a time, in at most 22 MiB. So a first request for the end of a file
/// takes as long as inflating all of it, and a later one as long as 4 MiB or a 64th of the file. Before the last bytes of a
/// deflated file are sent, its CRC-32 is compared; if it differs, they are not sent. That of a stored file is not compared.
///
/// If another archive takes its place, or if it changes, its directory is read again at the next request. Files that are
/// open then are read from the old one.
///
/// ```no_run
/// use sanserve_core::{Config, Files};
/// use sanserve_server::{ThreadingHTTPServer, zip::ZipFiles};
///
/// # fn main() -> std::io::Result<()> {
/// let files = ZipFiles::open("site.zip", |_| 0)?;
/// let server = ThreadingHTTPServer::bind("127.0.0.1:8000")?;
/// server.serve_forever(files, Config::default(), Files::new)
/// # }
/// ```
pub struct ZipFiles {
    path: PathBuf,
    local_offset: LocalOffset,
    current: Mutex<Arc<OpenArchive>>,
}

type LocalOffset = Box<dyn Fn(i64) -> i32 + Send + Sync>;

/// The archive as it was when its directory was read.
struct OpenArchive {
    file: FileReader,
    version: Version,
    index: ZipIndex,
    /// The checkpoints of deflated files by the offset of their header, the one used last at the end.
    checkpoints: Mutex<Vec<(u64, Arc<Checkpoints>)>>,
}

/// An open file of [`ZipFiles`].
pub struct ZipFile(Content);

enum Content {
    Stored(Stored),
    Deflated(Box<Deflated>),
    /// A directory as an archive.
    Archive(Box<Archive<ZipFile>>),
}

/// The stored bytes of a file, in the archive that was served when it was opened.
struct Stored {
    archive: Arc<OpenArchive>,
    /// The offset of the first one.
    at: u64,
    len: u64,
}

/// A file that is inflated while it is read.
struct Deflated {
    entry: ZipEntry,
    stored: Stored,
    inflater: Inflater,
    checkpoints: Arc<Checkpoints>,
}

impl ZipFiles {
    /// Opens an archive, and reads its directory. Most archives have times without a zone: `local_offset` returns the
    /// offset of local time from UTC in seconds, at a time in seconds since 1970.
    ///
    /// # Errors
    /// Returns `InvalidData` if the file is no zip archive or is damaged, and the errors of the system.
    pub fn open(
        path: impl Into<PathBuf>,
        local_offset: impl Fn(i64) -> i32 + Send + Sync + 'static,
    ) -> io::Result<ZipFiles> {
        let path = path.into();
        let archive = OpenArchive::read(&path, &local_offset)?;
        Ok(ZipFiles {
            path,
            local_offset: Box::new(local_offset),
            current: Mutex::new(Arc::new(archive)),
        })
    }

    /// Returns the number of entries that cannot be served, see [`ZipIndex::left_out`].
    #[must_use]
    pub fn left_out(&self) -> usize {
        lock(&self.current).index.left_out()
    }

    /// Returns the archive, and reads its directory again if it has changed.
    fn current(&self) -> Result<Arc<OpenArchive>, FsError> {
        let version = fs::metadata(&self.path).map(|meta| Version::new(&meta));
        let version = version.map_err(|error| match error.kind() {
            ErrorKind::NotFound => FsError::NotFound,
            _ => FsError::Io,
        })?;
        let mut current = lock(&self.current);
        if current.version != version {
            let read = OpenArchive::read(&self.path, &self.local_offset);
            *current = Arc::new(read.map_err(|_| FsError::Io)?);
        }
        Ok(Arc::clone(&current))
    }
}

impl OpenArchive {
    fn read(path: &OsPath, local_offset: impl Fn(i64) -> i32) -> io::Result<OpenArchive> {
        let file = File::open(path)?;
        let version = Version::new(&file.metadata()?);
        let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(file, &mut buffer).map_err(damaged)?;
        let index = ZipIndex::read(&archive, local_offset).map_err(damaged)?;
        Ok(OpenArchive {
            file: archive.into_inner(),
            version,
            index,
            checkpoints: Mutex::default(),
        })
    }
}

/// What differs between two archives, or between two states of one.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    len: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: (u64, u64),
}

impl Version {
    fn new(meta: &fs::Metadata) -> Version {
        Version {
            len: meta.len(),
            modified: meta.modified().ok(),
            #[cfg(unix)]
            inode: (meta.dev(), meta.ino()),
        }
    }
}

impl FileSystem for ZipFiles {
    type File = ZipFile;

    fn open(&self, path: &Path) -> Result<Opened<ZipFile>, FsError> {
        let archive = self.current()?;
        let entry = match archive.index.get(path.as_bytes()) {
            None => return Err(FsError::NotFound),
            Some(ZipNode::Directory(_)) => return Ok(Opened::Directory),
            Some(ZipNode::File(entry)) => *entry,
        };
        let mut header = [0; LOCAL_HEADER_LEN];
        archive
            .file
            .read_exact_at(&mut header, entry.header_at)
            .map_err(|_| FsError::Io)?;
        let at = entry.content_at(&header)?;
        let checkpoints = entry.is_deflated.then(|| archive.checkpoints(&entry));
        let stored = Stored {
            archive,
            at,
            len: entry.stored_len,
        };
        let content = match checkpoints {
            Some(checkpoints) => Content::Deflated(Box::new(Deflated {
                entry,
                stored,
                inflater: Inflater::new(),
                checkpoints,
            })),
            None if stored.len == entry.meta.len => Content::Stored(stored),
            None => return Err(FsError::Io),
        };
        Ok(Opened::File {
            file: ZipFile(content),
            meta: entry.meta,
            sendable: false,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        match self.current()?.index.get(path.as_bytes()) {
            Some(ZipNode::Directory(entries)) => Ok(Arc::clone(entries)),
            _ => Err(FsError::NotFound),
        }
    }

    fn read(&self, file: &mut ZipFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        match &mut file.0 {
            Content::Stored(file) => file.read(at, into),
            Content::Deflated(file) => file.read(at, into),
            Content::Archive(_) => Err(FsError::Unsupported),
        }
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<ZipFile>, FsError> {
        let archive = Archive::open(self, request)?;
        Ok(archive.map(|archive| ZipFile(Content::Archive(Box::new(archive)))))
    }

    fn fill(&self, file: &mut ZipFile, at: u64, into: &mut [u8]) -> Got<ZipFile> {
        match &mut file.0 {
            Content::Archive(archive) => archive.fill(self, at, into),
            _ => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
        }
    }
}

impl OpenArchive {
    /// Returns the checkpoints of a file, and forgets those of the file that was opened the longest time ago.
    fn checkpoints(&self, entry: &ZipEntry) -> Arc<Checkpoints> {
        let mut known = lock(&self.checkpoints);
        let (at, len) = (entry.header_at, entry.meta.len);
        let found = known.iter().position(|(other, _)| *other == at);
        let checkpoints = match found {
            Some(index) => known.remove(index).1,
            None => Arc::new(Checkpoints::new(len)),
        };
        if known.len() == FILES_MAX {
            known.remove(0);
        }
        known.push((at, Arc::clone(&checkpoints)));
        checkpoints
    }
}

impl Stored {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let into = limited(into, self.len.saturating_sub(at));
        let archive = &self.archive.file;
        archive.read_at(into, self.at + at).map_err(|_| FsError::Io)
    }
}

impl Deflated {
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let into = limited(into, self.entry.meta.len.saturating_sub(at));
        if into.is_empty() {
            return Ok(0);
        }
        if at != self.inflater.at() {
            self.seek(at)?;
        }
        self.inflate(into)
    }

    /// Continues from the best checkpoint, and inflates everything before `at`.
    fn seek(&mut self, at: u64) -> Result<(), FsError> {
        let checkpoint = self.checkpoints.before(at);
        let is_ahead = self.inflater.at() <= at && self.inflater.at() >= checkpoint.at();
        if !is_ahead {
            self.inflater = checkpoint;
        }
        let mut skipped = vec![0; SKIPPED_LEN];
        while self.inflater.at() < at {
            let rest = at - self.inflater.at();
            self.inflate(limited(&mut skipped, rest))?;
        }
        Ok(())
    }

    /// Inflates the next bytes, at least one.
    fn inflate(&mut self, into: &mut [u8]) -> Result<usize, FsError> {
        let stored = &self.stored;
        let n = self.inflater.next(into, |at, into| stored.read(at, into))?;
        let is_last = self.inflater.at() == self.entry.meta.len;
        if n == 0 || is_last && self.inflater.crc32() != self.entry.crc32 {
            return Err(FsError::Io);
        }
        self.checkpoints.offer(&self.inflater);
        Ok(n)
    }
}

/// Returns at most the first `len` bytes.
fn limited(bytes: &mut [u8], len: u64) -> &mut [u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let end = bytes.len().min(len);
    &mut bytes[..end]
}

fn damaged(error: rawzip::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

impl fmt::Debug for ZipFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ZipFiles")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ZipFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Content::Stored(_) => "stored",
            Content::Deflated(_) => "deflated",
            Content::Archive(_) => "archive",
        };
        write!(out, "ZipFile({kind})")
    }
}

/// The maximum number of files whose checkpoints are kept.
const FILES_MAX: usize = 8;

/// The number of bytes that are inflated at a time when they are not needed.
const SKIPPED_LEN: usize = 64 * 1024;
