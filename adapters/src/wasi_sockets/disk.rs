//! [`Disk`]: the files below a directory that the host has handed over, as a [`FileSystem`].
//!
//! Keeping inside of it is the host's work: what is asked of an open directory never leaves that,
//! whatever links there are.

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

/// The files below a directory. One serves all connections of a server.
///
/// Nothing outside of that directory is opened, whatever links there are. FIFOs, sockets and devices
/// are not opened at all, unless they take the place of a file in the very moment in which that is
/// opened. Names that are not UTF-8 cannot be said to WASI: there is no such file, and listings leave
/// them out. The host may be a Windows machine, so the same is true of names that are not
/// [portable](Path::is_portable).
#[derive(Debug)]
pub struct Disk {
    dir: Descriptor,
    /// What the host handed over, and where the directory is in that.
    top: Descriptor,
    below: String,
    follow: bool,
}

/// What is open of a [`Disk`]: a regular file, or a directory as one.
#[derive(Debug)]
pub struct Open(Kind);

#[derive(Debug)]
enum Kind {
    File(Descriptor),
    Packed(Box<Archive<Open>>),
}

impl Disk {
    /// The files below `root`, which is what the host calls a directory, or lies in that. A name that
    /// is not absolute counts from `/`.
    ///
    /// # Errors
    /// If the host has handed over no such directory.
    pub fn open(root: impl AsRef<path::Path>) -> Result<Disk, OpenError> {
        let root = root.as_ref();
        let missing = || OpenError::new(root, ErrorKind::NotFound.into());
        let names = plain(root).ok_or_else(missing)?;
        let tops = get_directories().into_iter().filter_map(|(top, at)| {
            let rest = names.strip_prefix(&plain(path::Path::new(&at))?[..])?;
            Some((top, rest.join("/")))
        });
        // The one that is nearest.
        let found = tops.min_by_key(|(_, rest)| rest.len());
        let (top, below) = found.ok_or_else(missing)?;
        let dir = open_directory(&top, &below)
            .map_err(|error| OpenError::new(root, io::Error::other(error)))?;
        Ok(Disk {
            dir,
            top,
            below,
            follow: false,
        })
    }

    /// Whether symbolic links may lead out of the root, as far as what the host has handed over
    /// reaches: it lets nothing out of that. By default they must not.
    pub fn with_follow_symlinks(self, follow: bool) -> Disk {
        Disk { follow, ..self }
    }

    /// Which directory to ask for it, and by which name.
    fn locate(&self, path: &Path) -> Result<(&Descriptor, String), FsError> {
        let name = str::from_utf8(path.as_bytes()).ok();
        let name = name.filter(|_| path.is_portable());
        let name = name.ok_or(FsError::InvalidName)?;
        Ok(if self.follow {
            (&self.top, join(&self.below, name))
        } else {
            (&self.dir, name.to_owned())
        })
    }
}

impl FileSystem for Disk {
    type File = Open;

    fn open(&self, path: &Path) -> Result<Opened<Open>, FsError> {
        if path.as_bytes().is_empty() {
            return Ok(Opened::Directory);
        }
        let (dir, name) = self.locate(path)?;
        // Hosts wait for somebody to write to a FIFO, so it must not be opened.
        match dir.stat_at(FOLLOW, &name).map_err(reason)?.type_ {
            DescriptorType::Directory => return Ok(Opened::Directory),
            DescriptorType::RegularFile => {}
            _ => return Err(FsError::NotRegularFile),
        }
        let opened = dir.open_at(FOLLOW, &name, OpenFlags::empty(), DescriptorFlags::READ);
        let file = opened.map_err(reason)?;
        let stat = file.stat().map_err(reason)?;
        match stat.type_ {
            DescriptorType::Directory => Ok(Opened::Directory),
            DescriptorType::RegularFile => Ok(Opened::File {
                file: Open(Kind::File(file)),
                meta: meta(&stat),
                sendable: false,
            }),
            _ => Err(FsError::NotRegularFile),
        }
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let (dir, name) = self.locate(path)?;
        let listed = open_directory(dir, &name).map_err(reason)?;
        let names = listed.read_directory().map_err(reason)?;
        let mut entries = Entries::new();
        loop {
            let found = match names.read_directory_entry() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    entries.sort();
                    return Ok(Arc::new(entries));
                }
                // A name that WASI cannot say.
                Err(ErrorCode::IllegalByteSequence) => continue,
                Err(error) => return Err(reason(error)),
            };
            if !Path::is_portable_name(found.name.as_bytes()) {
                continue;
            }
            let link = found.type_ == DescriptorType::SymbolicLink;
            let stat = dir.stat_at(FOLLOW, &join(&name, &found.name)).ok();
            let kind = stat.as_ref().map_or(found.type_, |stat| stat.type_);
            let meta = stat.as_ref().map(meta);
            // Of what cannot be asked about hosts may not say the type.
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

    fn read(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let Kind::File(file) = &file.0 else {
            return Err(FsError::NotRegularFile);
        };
        let (bytes, _) = file.read(into.len() as u64, at).map_err(reason)?;
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<Open>, FsError> {
        Ok(Archive::open(self, request)?.map(|archive| Open(Kind::Packed(Box::new(archive)))))
    }

    fn fill(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Got<Open> {
        match &mut file.0 {
            Kind::File(_) => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
            Kind::Packed(archive) => archive.fill(self, at, into),
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

/// The time of the last change of the content, if it has a fraction: there is no better one, since what WASI calls a
/// change of status is a birth with some hosts. It is settled when the clock of the file system has moved on.
fn version(modified: (i64, u32)) -> Option<FileVersion> {
    let version = Meta::version_at(modified)?;
    let now = wall_clock::now();
    let since =
        |(seconds, nanos): (i64, u32)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let now = (now.seconds as i64, now.nanoseconds);
    Some(if since(now) - since(modified) > GRAIN {
        version
    } else {
        version.unsettled()
    })
}

fn reason(error: ErrorCode) -> FsError {
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

/// The names that lead to a directory from `/`, or `None` if they lead higher.
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

/// Nanoseconds: the steps in which the clock of a file system moves, at most, if it has fractions of seconds.
const GRAIN: i128 = 20_000_000;
const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
