//! [`ZipIndex`]: the files and directories of a zip archive, read from the directory at its end.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::time::{UtcDateTime, ZipDateTimeKind};
use rawzip::{CompressionMethod, Error, ReaderAt, ZipArchive, ZipFileHeaderRecord};
use sanserve_core::{Entries, Entry, FileVersion, FsError, Meta, Path, listing};

use super::code_page_437;

/// What a zip archive contains: its files, without their bytes, and a listing of each directory.
///
/// It contains no entries whose path could not be requested, such as `../name` and `/name`, and no file below another
/// file. Of two entries with the same path, the last one counts. Names that are not UTF-8 are read as code page 437, as
/// Python reads them.
#[derive(Debug)]
pub struct ZipIndex {
    nodes: BTreeMap<Vec<u8>, ZipNode>,
    left_out: usize,
}

/// A file or a directory in a [`ZipIndex`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ZipNode {
    /// A directory, with its entries.
    Directory(Arc<Entries>),
    /// A file.
    File(ZipEntry),
}

/// Where a file is in its archive, and how it is stored.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZipEntry {
    /// The metadata. The version is the CRC-32 together with the time, so the `ETag` is a strong one.
    pub meta: Meta,
    /// Whether the bytes are deflated; otherwise they are stored as they are.
    pub is_deflated: bool,
    /// The number of stored bytes.
    pub stored_len: u64,
    /// The CRC-32 of the content.
    pub crc32: u32,
    /// The offset of the local header, in bytes from the start of the archive.
    pub header_at: u64,
    /// Whether it cannot be read: it is encrypted, a symbolic link, or compressed by another method than deflate.
    unavailable: bool,
}

impl ZipIndex {
    /// Reads the directory at the end of an archive. Most archives have times without a zone: `local_offset` returns
    /// the offset of local time from UTC in seconds, at a time in seconds since 1970.
    ///
    /// # Errors
    /// Returns an error if the directory is damaged, or if the reader fails.
    pub fn read<R: ReaderAt>(
        archive: &ZipArchive<R>,
        local_offset: impl Fn(i64) -> i32,
    ) -> Result<ZipIndex, Error> {
        let mut found = Found::default();
        let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
        let mut records = archive.entries(&mut buffer);
        while let Some(record) = records.next_entry()? {
            found.add(&record, &local_offset);
        }
        Ok(found.into_index())
    }

    /// Returns what has this path, which is relative to the root and has no slash at its end; the empty path is the
    /// root.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&ZipNode> {
        self.nodes.get(path)
    }

    /// Returns the number of files.
    #[must_use]
    pub fn files(&self) -> usize {
        let nodes = self.nodes.values();
        nodes
            .filter(|node| matches!(node, ZipNode::File(_)))
            .count()
    }

    /// Returns the number of entries that cannot be served: those that are encrypted, compressed by another method than
    /// deflate, or symbolic links, and those whose path cannot be requested.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

impl ZipEntry {
    /// Returns the offset of the stored bytes, which follow the local header. `header` is the start of that header.
    ///
    /// # Errors
    /// Returns `NotRegularFile` if this entry cannot be read, and `Io` if that is no header.
    pub fn content_at(&self, header: &[u8; LOCAL_HEADER_LEN]) -> Result<u64, FsError> {
        if self.unavailable {
            return Err(FsError::NotRegularFile);
        }
        if !header.starts_with(b"PK\x03\x04") {
            return Err(FsError::Io);
        }
        let len = |at| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let start = self.header_at.checked_add(LOCAL_HEADER_LEN as u64);
        // The name and the extra fields.
        let start = start.and_then(|start| start.checked_add(len(26) + len(28)));
        start.ok_or(FsError::Io)
    }

    fn new(record: &ZipFileHeaderRecord<'_>, local_offset: impl Fn(i64) -> i32) -> ZipEntry {
        let (crc32, modified) = (record.crc32(), modified(record, local_offset));
        let method = record.compression_method();
        let is_deflated = method == CompressionMethod::DEFLATE;
        let is_known = is_deflated || method == CompressionMethod::STORE;
        let is_link = record.mode().is_symlink();
        // Two versions of a file with one CRC-32 very rarely have the same time, too.
        let version = (modified as u64) << 32 | u64::from(crc32);
        ZipEntry {
            meta: Meta::new(record.uncompressed_size_hint())
                .with_modified(Some(modified))
                .with_version(Some(FileVersion::new(version))),
            is_deflated,
            stored_len: record.compressed_size_hint(),
            crc32,
            header_at: record.local_header_offset(),
            unavailable: !is_known || is_link || record.flags().is_encrypted(),
        }
    }
}

/// The number of bytes that each local header begins with, before the name.
pub const LOCAL_HEADER_LEN: usize = 30;

/// The longest path of an entry, as on Linux.
const PATH_MAX: usize = 4096;

/// The entries that were read so far.
#[derive(Default)]
struct Found {
    /// Files by path; `None` is a directory, whose time follows.
    nodes: BTreeMap<Vec<u8>, (Option<ZipEntry>, Option<i64>)>,
    left_out: usize,
}

impl Found {
    fn add(&mut self, record: &ZipFileHeaderRecord<'_>, local_offset: impl Fn(i64) -> i32) {
        let stored = record.file_path();
        let path = code_page_437::decode(stored.as_ref());
        let mut path: &[u8] = &path;
        // As unzip does. Some programs begin every name with it, and have an entry for the root.
        while let Some(rest) = path.strip_prefix(b"./") {
            path = rest;
        }
        if path.is_empty() {
            return;
        }
        let (path, is_directory) = match path.strip_suffix(b"/") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let is_valid = path.len() <= PATH_MAX && path.split(is_slash).all(Path::is_name);
        if !is_valid || !self.add_directories_above(path) {
            self.left_out += 1;
            return;
        }
        let entry = ZipEntry::new(record, local_offset);
        let modified = entry.meta.modified;
        match (self.nodes.get_mut(path), is_directory) {
            (Some((None, time)), true) => *time = modified,
            // A directory that is also named as a file.
            (Some((None, _)), false) => self.left_out += 1,
            (_, true) => drop(self.nodes.insert(path.to_vec(), (None, modified))),
            (_, false) => {
                self.left_out += usize::from(entry.unavailable);
                self.nodes.insert(path.to_vec(), (Some(entry), modified));
            }
        }
    }

    /// Adds the directories that contain a path. Returns whether they can be directories: none of them is a file.
    fn add_directories_above(&mut self, path: &[u8]) -> bool {
        let mut missing = Vec::new();
        let mut at = path;
        while let Some(end) = at.iter().rposition(is_slash) {
            at = &at[..end];
            match self.nodes.get(at) {
                Some((Some(_), _)) => return false,
                // The directories above it exist, too.
                Some((None, _)) => break,
                None => missing.push(at.to_vec()),
            }
        }
        let directories = missing.into_iter().map(|path| (path, (None, None)));
        self.nodes.extend(directories);
        true
    }

    fn into_index(self) -> ZipIndex {
        let mut listings: BTreeMap<Vec<u8>, Entries> =
            BTreeMap::from([(Vec::new(), Entries::new())]);
        for (path, (file, modified)) in &self.nodes {
            let (above, name) = match path.iter().rposition(is_slash) {
                Some(at) => (&path[..at], &path[at + 1..]),
                None => (&path[..0], &path[..]),
            };
            listings.entry(above.to_vec()).or_default().push(Entry {
                name,
                directory: file.is_none(),
                link: false,
                unavailable: file.is_some_and(|file| file.unavailable),
                len: file.map(|file| file.meta.len),
                modified: *modified,
            });
            if file.is_none() {
                listings.entry(path.clone()).or_default();
            }
        }
        let directories = listings.into_iter().map(|(path, mut entries)| {
            listing::prepare(&mut entries);
            (path, ZipNode::Directory(Arc::new(entries)))
        });
        let files = self.nodes.into_iter();
        let files = files.filter_map(|(path, (file, _))| Some((path, ZipNode::File(file?))));
        ZipIndex {
            nodes: directories.chain(files).collect(),
            left_out: self.left_out,
        }
    }
}

/// Returns the time of the last modification in seconds since 1970. A time without a zone is local time.
fn modified(record: &ZipFileHeaderRecord<'_>, local_offset: impl Fn(i64) -> i32) -> i64 {
    if let Some(time) = extended_timestamp(record) {
        return time.into();
    }
    match record.last_modified() {
        ZipDateTimeKind::Utc(time) => time.to_unix(),
        ZipDateTimeKind::Local(time) => {
            let as_utc = UtcDateTime::from_components(
                time.year(),
                time.month(),
                time.day(),
                time.hour(),
                time.minute(),
                time.second(),
                0,
            );
            let local = as_utc.map_or(0, |time| time.to_unix());
            local - i64::from(local_offset(local))
        }
    }
}

/// Returns the time in the extra field that Info-ZIP and most others write. It is signed.
fn extended_timestamp(record: &ZipFileHeaderRecord<'_>) -> Option<i32> {
    let mut fields = record.extra_fields();
    let (_, field) = fields.find(|(id, _)| *id == ExtraFieldId::EXTENDED_TIMESTAMP)?;
    let (flags, times) = field.split_first()?;
    let time = times.first_chunk().filter(|_| flags & 1 != 0)?;
    Some(i32::from_le_bytes(*time))
}

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}
