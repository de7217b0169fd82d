//! [`Layout`]: the entries of an archive. Computes their offsets, and finds and writes the part at any offset.

use alloc::vec::Vec;

use super::entry::Entry;
use super::{tar, zip};
use crate::fs::{ArchiveFormat, FileVersion, Meta, Path};
use crate::text::decimal::mix;

/// The contents of an archive: the entries in their order, followed by the end records of the format.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    format: ArchiveFormat,
    pub(super) entries: Vec<Entry>,
    /// The names of all entries in one text. Those of directories end with a slash.
    names: Vec<u8>,
    /// The archived directory, and the length of its name at the start of each entry's name.
    directory: Path,
    stem: usize,
    /// The end of the entries, and of the records of a zip after them.
    records: u64,
    end: u64,
    pub(super) version: Option<FileVersion>,
}

/// The part of the archive to which a byte belongs, and its offset in that part.
pub(super) enum EntryOffset {
    Head(usize, u64),
    Content(usize, u64),
    /// The data that follows the content.
    Tail(usize, u64),
    Record(usize, u64),
    End(u64),
}

impl Layout {
    /// Returns an empty layout. `stem` is the name of the directory in the archive, with a slash.
    pub(super) fn new(format: ArchiveFormat, directory: Path, stem: &[u8]) -> Layout {
        let mut layout = Layout {
            format,
            entries: Vec::new(),
            names: Vec::new(),
            directory,
            stem: stem.len(),
            records: 0,
            end: 0,
            version: None,
        };
        layout.add_directory(stem, None);
        layout
    }

    pub(super) fn add_file(&mut self, name: &[u8], meta: &Meta) {
        self.names.extend_from_slice(name);
        self.entries.push(Entry {
            name_end: self.names.len() as u32,
            executable: meta.executable,
            directory: false,
            sum: (meta.len == 0).then_some(0),
            start: 0,
            record: 0,
            len: meta.len,
            modified: meta.modified,
            version: meta.version,
        });
    }

    /// `name` ends with a slash.
    pub(super) fn add_directory(&mut self, name: &[u8], modified: Option<i64>) {
        let meta = Meta {
            len: 0,
            modified,
            version: None,
            executable: false,
        };
        self.add_file(name, &meta);
        self.entries.last_mut().expect("it was added").directory = true;
    }

    /// Returns the number of entries, and the number of bytes of their names.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.names.len())
    }

    /// Computes all offsets, once all entries have been added. Returns `None` if the archive would be longer than a
    /// file can be.
    pub(super) fn compute_offsets(&mut self) -> Option<()> {
        let mut bytes = Vec::new();
        let mut at = 0;
        for index in 0..self.entries.len() {
            self.entries[index].start = at;
            bytes.clear();
            self.write(&EntryOffset::Head(index, 0), &mut bytes);
            self.write(&EntryOffset::Tail(index, 0), &mut bytes);
            let len = self.entries[index].len.checked_add(bytes.len() as u64)?;
            at = at.checked_add(len).filter(|at| *at <= LEN_MAX)?;
        }
        self.records = at;
        for index in 0..self.entries.len() {
            self.entries[index].record = at;
            bytes.clear();
            self.write(&EntryOffset::Record(index, 0), &mut bytes);
            at += bytes.len() as u64;
        }
        self.end = at;
        self.version = self.hash();
        Some(())
    }

    /// Returns the version of the archive; `None` if a file has no version. It is settled if those of all files are.
    fn hash(&self) -> Option<FileVersion> {
        let mut state = mix(0, self.format as u64);
        for name in self.names.chunks(8) {
            let mut bytes = [0; 8];
            bytes[..name.len()].copy_from_slice(name);
            state = mix(state, u64::from_le_bytes(bytes));
        }
        for entry in &self.entries {
            let version = match entry.directory {
                true => 0,
                false => entry.version?.number(),
            };
            let flags = u64::from(entry.executable) | u64::from(entry.directory) << 1;
            let about = [
                entry.name_end.into(),
                entry.len,
                entry.modified.unwrap_or(i64::MIN) as u64,
                version,
                flags,
            ];
            state = about.into_iter().fold(state, mix);
        }
        let version = FileVersion::new(state);
        let mut versions = self.entries.iter().filter_map(|entry| entry.version);
        Some(if versions.all(FileVersion::is_settled) {
            version
        } else {
            version.unsettled()
        })
    }

    pub(super) fn len(&self) -> u64 {
        let mut bytes = Vec::new();
        self.write(&EntryOffset::End(0), &mut bytes);
        self.end + bytes.len() as u64
    }

    /// Returns the name of an entry in the archive.
    pub(super) fn name(&self, index: usize) -> &[u8] {
        let before = index.checked_sub(1).map(|before| &self.entries[before]);
        let start = before.map_or(0, |before| before.name_end);
        &self.names[start as usize..self.entries[index].name_end as usize]
    }

    /// Returns the path in the file system for a name in the archive.
    pub(super) fn path(&self, name: &[u8]) -> Path {
        let path = [self.directory.as_bytes(), b"/", &name[self.stem..]].concat();
        Path::from_bytes(path).expect("only names are in it")
    }

    /// Returns the part at this offset.
    pub(super) fn at(&self, at: u64) -> EntryOffset {
        if at >= self.end {
            return EntryOffset::End(at - self.end);
        }
        let last = |found: usize| found.checked_sub(1).expect("the first begins at the start");
        if at >= self.records {
            let index = last(self.entries.partition_point(|entry| entry.record <= at));
            return EntryOffset::Record(index, at - self.entries[index].record);
        }
        let index = last(self.entries.partition_point(|entry| entry.start <= at));
        let entry = &self.entries[index];
        let mut head = Vec::new();
        self.write(&EntryOffset::Head(index, 0), &mut head);
        let from = at - entry.start;
        match from.checked_sub(head.len() as u64) {
            None => EntryOffset::Head(index, from),
            Some(from) => match from.checked_sub(entry.len) {
                None => EntryOffset::Content(index, from),
                Some(from) => EntryOffset::Tail(index, from),
            },
        }
    }

    /// Returns the entry whose checksum is needed to write this position.
    pub(super) fn entry_to_sum(&self, position: &EntryOffset) -> Option<usize> {
        match (self.format, position) {
            (
                ArchiveFormat::Zip,
                &(EntryOffset::Tail(index, _) | EntryOffset::Record(index, _)),
            ) => Some(index),
            _ => None,
        }
    }

    /// Writes the part at this position, unless it is content, and returns the offset of the position in the part.
    pub(super) fn write(&self, position: &EntryOffset, out: &mut Vec<u8>) -> usize {
        let entry = |index: usize| (&self.entries[index], self.name(index));
        let (format, from) = (
            self.format,
            match position {
                EntryOffset::Head(_, from)
                | EntryOffset::Content(_, from)
                | EntryOffset::Tail(_, from) => *from,
                EntryOffset::Record(_, from) | EntryOffset::End(from) => *from,
            },
        );
        match (format, position) {
            (ArchiveFormat::Tar, &EntryOffset::Head(index, _)) => tar::head(entry(index), out),
            (ArchiveFormat::Tar, &EntryOffset::Tail(index, _)) => tar::tail(entry(index).0, out),
            (ArchiveFormat::Tar, EntryOffset::End(_)) => tar::end(out),
            (ArchiveFormat::Zip, &EntryOffset::Head(index, _)) => zip::head(entry(index), out),
            (ArchiveFormat::Zip, &EntryOffset::Tail(index, _)) => zip::tail(entry(index).0, out),
            (ArchiveFormat::Zip, &EntryOffset::Record(index, _)) => zip::record(entry(index), out),
            (ArchiveFormat::Zip, EntryOffset::End(_)) => {
                zip::end(self.entries.len() as u64, self.records..self.end, out);
            }
            (_, EntryOffset::Content(..)) | (ArchiveFormat::Tar, EntryOffset::Record(..)) => {}
        }
        // Only content can be longer than memory.
        usize::try_from(from).unwrap_or(usize::MAX)
    }
}

/// The largest length of all files with their headers, as offsets in a file are limited. It leaves room for the records
/// of a zip.
const LEN_MAX: u64 = i64::MAX as u64;
