//! [`Layout`]: what is in an archive, and where it begins.

use alloc::vec::Vec;

use super::entry::Entry;
use super::{tar, zip};
use crate::fs::{ArchiveFormat, FileVersion, Meta, Path};
use crate::text::decimal::mix;

/// What is in an archive: the entries in their order, behind them what the format wants there.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    format: ArchiveFormat,
    pub(super) entries: Vec<Entry>,
    /// The names of all entries, one behind the other. Those of directories end with a slash.
    names: Vec<u8>,
    /// The directory that was packed, and how much of a name stands for it.
    directory: Path,
    stem: usize,
    /// Where the entries end, and the records of a zip behind them.
    records: u64,
    end: u64,
    pub(super) version: Option<FileVersion>,
}

/// Where a byte of the archive belongs, and how far in that it is.
pub(super) enum EntryOffset {
    Head(usize, u64),
    Content(usize, u64),
    /// What stands behind the content.
    Tail(usize, u64),
    Record(usize, u64),
    End(u64),
}

impl Layout {
    /// An empty one. `stem` is what the directory is called in the archive, with a slash.
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

    /// How much is in it: entries, and bytes of names.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.names.len())
    }

    /// Works out where everything begins, once it is complete. There is none if it would be longer than
    /// any file can be.
    pub(super) fn settle(&mut self) -> Option<()> {
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

    /// What tells this archive from others; none if a file has nothing that does so. It is settled when
    /// those of all files are.
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

    /// What an entry is called in the archive.
    pub(super) fn name(&self, index: usize) -> &[u8] {
        let before = index.checked_sub(1).map(|before| &self.entries[before]);
        let start = before.map_or(0, |before| before.name_end);
        &self.names[start as usize..self.entries[index].name_end as usize]
    }

    /// What the file system calls what has this name in the archive.
    pub(super) fn path(&self, name: &[u8]) -> Path {
        let path = [self.directory.as_bytes(), b"/", &name[self.stem..]].concat();
        Path::from_bytes(path).expect("only names are in it")
    }

    /// What is at that offset.
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

    /// The file whose sum stands there.
    pub(super) fn wants_sum(&self, place: &EntryOffset) -> Option<usize> {
        match (self.format, place) {
            (
                ArchiveFormat::Zip,
                &(EntryOffset::Tail(index, _) | EntryOffset::Record(index, _)),
            ) => Some(index),
            _ => None,
        }
    }

    /// Writes what is there, but for content, and answers how far in that the place is.
    pub(super) fn write(&self, place: &EntryOffset, out: &mut Vec<u8>) -> usize {
        let entry = |index: usize| (&self.entries[index], self.name(index));
        let (format, from) = (
            self.format,
            match place {
                EntryOffset::Head(_, from)
                | EntryOffset::Content(_, from)
                | EntryOffset::Tail(_, from) => *from,
                EntryOffset::Record(_, from) | EntryOffset::End(from) => *from,
            },
        );
        match (format, place) {
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
        // Nothing but content is longer than memory.
        usize::try_from(from).unwrap_or(usize::MAX)
    }
}

/// Bytes of all files with what stands around them: what an offset in a file can be. Behind it there
/// is room for the records of all.
const LEN_MAX: u64 = i64::MAX as u64;
