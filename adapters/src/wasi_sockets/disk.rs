//! [`Disk`]: the file system for a directory to which the host grants access. It opens, lists and archives
//! files.
//!
//! Links may not lead out of the served directory, unless `with_follow_symlinks` is set; then the host confines them to
//! what it grants.

use std::io::{self, ErrorKind};
use std::path::{self, Component};
use std::str;
use std::sync::Arc;

use sanserve_core::ArchiveRequest;
use sanserve_core::archive::Archive;
use sanserve_core::{Entries, Entry, FileSystem, FileVersion, FsError, Got, Meta, Opened, Path};
use wasip2::clocks::wall_clock;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, OpenFlags, PathFlags,
};

use crate::OpenError;

/// The files beneath a directory. One `Disk` serves all connections of a server.
///
/// Nothing outside the directory is opened, whatever symbolic links it contains. FIFOs, sockets and devices
/// are not opened, unless one replaces a file between the check and the opening. WASI cannot express names that
/// are not UTF-8: such files are not found and not listed. Because the host may run on Windows, the same
/// applies to names that are not [portable](Path::is_portable).
#[derive(Debug)]
pub struct Disk {
    dir: Descriptor,
    /// The directory that the host has opened, which contains `dir` at the path `below`.
    preopen: Descriptor,
    below: String,
    follow: bool,
}

/// An open file or archive of a [`Disk`].
#[derive(Debug)]
pub struct OpenFile(Kind);

#[derive(Debug)]
enum Kind {
    File(Descriptor),
    Archive(Box<Archive<OpenFile>>),
}

impl Disk {
    /// Serves the files beneath `root`, which is a directory to which the host grants access, or one inside it.
    /// A relative path is relative to `/`.
    ///
    /// # Errors
    /// If the host grants no access to such a directory.
    pub fn open(root: impl AsRef<path::Path>) -> Result<Disk, OpenError> {
        let root = root.as_ref();
        let missing = || OpenError::new(root, ErrorKind::NotFound.into());
        let names = plain(root).ok_or_else(missing)?;
        let preopens = get_directories().into_iter().filter_map(|(preopen, at)| {
            let rest = names.strip_prefix(&plain(path::Path::new(&at))?[..])?;
            Some((preopen, rest.join("/")))
        });
        // The innermost directory that contains it.
        let found = preopens.min_by_key(|(_, rest)| rest.len());
        let (preopen, below) = found.ok_or_else(missing)?;
        let dir = open_directory(&preopen, &below)
            .map_err(|error| OpenError::new(root, io::Error::other(error)))?;
        Ok(Disk {
            dir,
            preopen,
            below,
            follow: false,
        })
    }

    /// Sets whether symbolic links may lead out of the root, within what the host grants access to. By default
    /// they may not.
    pub fn with_follow_symlinks(self, follow: bool) -> Disk {
        Disk { follow, ..self }
    }

    /// Returns the directory and the name with which to open a path.
    fn locate(&self, path: &Path) -> Result<(&Descriptor, String), FsError> {
        let name = str::from_utf8(path.as_bytes()).ok();
        let name = name.filter(|_| path.is_portable());
        let name = name.ok_or(FsError::InvalidName)?;
        Ok(if self.follow {
            (&self.preopen, join(&self.below, name))
        } else {
            (&self.dir, name.to_owned())
        })
    }
}

impl FileSystem for Disk {
    type File = OpenFile;

    fn open(&self, path: &Path) -> Result<Opened<OpenFile>, FsError> {
        if path.as_bytes().is_empty() {
            return Ok(Opened::Directory);
        }
        let (dir, name) = self.locate(path)?;
        // Hosts block until a FIFO is opened for writing, so it must not be opened.
        match dir.stat_at(FOLLOW, &name).map_err(fs_error)?.type_ {
            DescriptorType::Directory => return Ok(Opened::Directory),
            DescriptorType::RegularFile => {}
            _ => return Err(FsError::NotRegularFile),
        }
        let opened = dir.open_at(FOLLOW, &name, OpenFlags::empty(), DescriptorFlags::READ);
        let file = opened.map_err(fs_error)?;
        let stat = file.stat().map_err(fs_error)?;
        match stat.type_ {
            DescriptorType::Directory => Ok(Opened::Directory),
            DescriptorType::RegularFile => Ok(Opened::File {
                file: OpenFile(Kind::File(file)),
                meta: meta(&stat),
                sendable: false,
            }),
            _ => Err(FsError::NotRegularFile),
        }
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let (dir, name) = self.locate(path)?;
        let listed = open_directory(dir, &name).map_err(fs_error)?;
        let names = listed.read_directory().map_err(fs_error)?;
        let mut entries = Entries::new();
        loop {
            let found = match names.read_directory_entry() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    entries.sort();
                    return Ok(Arc::new(entries));
                }
                // A name that WASI cannot express.
                Err(ErrorCode::IllegalByteSequence) => continue,
                Err(error) => return Err(fs_error(error)),
            };
            if !Path::is_portable_name(found.name.as_bytes()) {
                continue;
            }
            let link = found.type_ == DescriptorType::SymbolicLink;
            let stat = dir.stat_at(FOLLOW, &join(&name, &found.name)).ok();
            let kind = stat.as_ref().map_or(found.type_, |stat| stat.type_);
            let meta = stat.as_ref().map(meta);
            // If the metadata is not available, hosts may not report the type either.
            let unavailable = !matches!(
                kind,
                DescriptorType::Directory | DescriptorType::RegularFile | DescriptorType::Unknown
            );
            entries.push(Entry {
                name: found.name.as_bytes(),
                directory: kind == DescriptorType::Directory,
                link,
                unavailable,
                len: match kind {
                    DescriptorType::RegularFile => meta.map(|meta| meta.len),
                    _ => None,
                },
                modified: meta.and_then(|meta| meta.modified),
            });
        }
    }

    fn read(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let Kind::File(file) = &file.0 else {
            return Err(FsError::NotRegularFile);
        };
        let (bytes, _) = file.read(into.len() as u64, at).map_err(fs_error)?;
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<OpenFile>, FsError> {
        Ok(Archive::open(self, request)?.map(|archive| OpenFile(Kind::Archive(Box::new(archive)))))
    }

    fn fill(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Got<OpenFile> {
        match &mut file.0 {
            Kind::File(_) => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
            Kind::Archive(archive) => archive.fill(self, at, into),
        }
    }
}

fn open_directory(dir: &Descriptor, name: &str) -> Result<Descriptor, ErrorCode> {
    let name = if name.is_empty() { "." } else { name };
    dir.open_at(FOLLOW, name, OpenFlags::DIRECTORY, DescriptorFlags::READ)
}

fn meta(stat: &DescriptorStat) -> Meta {
    let modified = stat.data_modification_timestamp.as_ref();
    let modified = modified.and_then(|at| Some((i64::try_from(at.seconds).ok()?, at.nanoseconds)));
    Meta::new(stat.size)
        .with_modified(modified.map(|(seconds, _)| seconds))
        .with_version(modified.and_then(version))
}

/// Derives a version from the time of the last change of the content, if that has a fraction. There is no
/// better source: what WASI calls the time of a status change is the creation time with some hosts. The version
/// is settled when the clock of the file system has advanced.
fn version(modified: (i64, u32)) -> Option<FileVersion> {
    let version = Meta::version_at(modified)?;
    let now = wall_clock::now();
    let since =
        |(seconds, nanos): (i64, u32)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let now = (now.seconds as i64, now.nanoseconds);
    Some(if since(now) - since(modified) > CLOCK_GRANULARITY {
        version
    } else {
        version.unsettled()
    })
}

fn fs_error(error: ErrorCode) -> FsError {
    match error {
        ErrorCode::NoEntry
        | ErrorCode::NotDirectory
        | ErrorCode::IllegalByteSequence
        | ErrorCode::Loop => FsError::NotFound,
        ErrorCode::NotPermitted => FsError::OutsideRoot,
        ErrorCode::NameTooLong => FsError::TooLong,
        ErrorCode::Access => FsError::Forbidden,
        ErrorCode::NoDevice | ErrorCode::Unsupported => FsError::NotRegularFile,
        ErrorCode::InsufficientMemory => FsError::NoResources,
        _ => FsError::Io,
    }
}

/// Returns the names on the way from `/` to a path, or `None` if it leads above `/`.
fn plain(path: &path::Path) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::ParentDir => _ = names.pop()?,
            _ => {}
        }
    }
    Some(names)
}

fn join(above: &str, name: &str) -> String {
    match above {
        "" => name.to_owned(),
        above => format!("{above}/{name}"),
    }
}

/// The coarsest granularity of a file system clock with fractions of seconds, in nanoseconds.
const CLOCK_GRANULARITY: i128 = 20_000_000;
const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
