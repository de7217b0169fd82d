//! [`Zip`]: reads .zip files without unpacking them: lists folders and returns the stored bytes.

use std::collections::BTreeMap;

use js_sys::Date;
use rawzip::time::ZipDateTimeKind;
use rawzip::{CompressionMethod, ZipArchive, ZipFileHeaderRecord};
use sanserve_core::Path;
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use crate::blob;

use self::loaded_ranges::LoadedRanges;

mod loaded_ranges;

/// A .zip file and its directory.
#[wasm_bindgen]
pub struct Zip {
    file: Blob,
    /// Entries by path; `None` is a folder.
    entries: BTreeMap<String, Option<Entry>>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Offset of the local header.
    at: u64,
    /// Compressed size.
    packed: u64,
    size: u64,
    method: CompressionMethod,
    modified: f64,
    checksum: u32,
}

/// An entry that was opened.
#[wasm_bindgen]
pub struct Zipped {
    /// The stored bytes; `None` for a folder.
    #[wasm_bindgen(getter_with_clone)]
    pub packed: Option<Blob>,
    /// Whether the bytes are deflated.
    pub deflated: bool,
    /// The size after inflating.
    pub size: f64,
    /// The modification time in milliseconds since 1970.
    pub modified: f64,
    /// The CRC-32.
    pub checksum: u32,
}

/// An entry of a folder in a .zip.
#[wasm_bindgen(getter_with_clone)]
pub struct ZipListed {
    /// The name, with a final `/` if it is a folder.
    pub name: String,
    /// The size after inflating.
    pub size: Option<f64>,
    /// The modification time in milliseconds since 1970.
    pub modified: Option<f64>,
}

#[wasm_bindgen]
impl Zip {
    /// Reads the directory at the end of the file.
    ///
    /// # Errors
    /// If the file is not a .zip, or damaged.
    pub async fn read(file: Blob) -> Result<Zip, JsError> {
        let mut ranges = LoadedRanges::of_end(&file).await?;
        let (from, to) = ranges
            .with_archive(|archive, _| Ok((archive.directory_offset(), archive.eocd_offset())))
            .await?;
        ranges.load(from, to.saturating_sub(from)).await?;
        let entries = ranges.with_archive(entries).await?;
        Ok(Zip { file, entries })
    }

    /// Opens the entry at a path. Returns `None` if there is none.
    ///
    /// # Errors
    /// If the entry is encrypted, damaged, or compressed by another method than deflate.
    pub async fn open(&self, path: &str) -> Result<Option<Zipped>, JsError> {
        let Some(found) = self.entries.get(path) else {
            return Ok(path.is_empty().then_some(Zipped::FOLDER));
        };
        let Some(entry) = found else {
            return Ok(Some(Zipped::FOLDER));
        };
        let deflated = match entry.method {
            CompressionMethod::STORE => false,
            CompressionMethod::DEFLATE => true,
            _ => return Err(JsError::new("unsupported compression method")),
        };
        let packed = entry.packed(&self.file).await?;
        Ok(Some(Zipped {
            packed: Some(packed),
            deflated,
            size: entry.size as f64,
            modified: entry.modified,
            checksum: entry.checksum,
        }))
    }

    /// Returns the entries of a folder.
    pub fn list(&self, path: &str) -> Vec<ZipListed> {
        let above = match path {
            "" => String::new(),
            path => format!("{path}/"),
        };
        let inside = self.entries.range(above.clone()..);
        let inside = inside.map_while(|(path, entry)| Some((path.strip_prefix(&above)?, entry)));
        let inside = inside.filter(|(name, _)| !name.is_empty() && !name.contains('/'));
        inside
            .map(|(name, entry)| ZipListed {
                name: format!("{name}{}", if entry.is_none() { "/" } else { "" }),
                size: entry.map(|entry| entry.size as f64),
                modified: entry.map(|entry| entry.modified),
            })
            .collect()
    }

    /// The number of files.
    #[wasm_bindgen(getter)]
    pub fn files(&self) -> usize {
        self.entries.values().flatten().count()
    }
}

impl Zipped {
    const FOLDER: Zipped = Zipped {
        packed: None,
        deflated: false,
        size: 0.0,
        modified: 0.0,
        checksum: 0,
    };
}

impl Entry {
    /// Returns the stored bytes, which follow a local header of variable length.
    async fn packed(&self, file: &Blob) -> Result<Blob, JsError> {
        let broken = || JsError::new("this .zip is damaged");
        let mut header = [0; 30];
        let read = blob::read(file, self.at, &mut header).await;
        if !read.is_ok_and(|n| n == header.len()) || !header.starts_with(b"PK\x03\x04") {
            return Err(broken());
        }
        let length = |at| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let at = self.at + header.len() as u64 + length(26) + length(28);
        if at + self.packed > file.size() as u64 {
            return Err(broken());
        }
        blob::slice(file, at, self.packed).map_err(|_| broken())
    }
}

/// Returns all entries with valid paths, and their folders.
fn entries(
    archive: &ZipArchive<&LoadedRanges>,
    buffer: &mut [u8],
) -> Result<BTreeMap<String, Option<Entry>>, rawzip::Error> {
    let mut entries = BTreeMap::new();
    let mut records = archive.entries(buffer);
    while let Some(record) = records.next_entry()? {
        let path = String::from_utf8_lossy(record.file_path().as_bytes()).into_owned();
        let (path, entry) = match path.strip_suffix('/') {
            Some(folder) => (folder, None),
            None => (&path[..], Some(entry(&record))),
        };
        if !path.split('/').all(|name| Path::is_name(name.as_bytes())) {
            continue;
        }
        for (end, _) in path.match_indices('/') {
            entries.entry(path[..end].to_owned()).or_insert(None);
        }
        entries.insert(path.to_owned(), entry);
    }
    Ok(entries)
}

fn entry(record: &ZipFileHeaderRecord<'_>) -> Entry {
    // Encrypted bytes cannot be served: AES stands for any encryption here, and is refused.
    let encrypted = record.flags().is_encrypted();
    Entry {
        at: record.local_header_offset(),
        packed: record.compressed_size_hint(),
        size: record.uncompressed_size_hint(),
        method: if encrypted {
            CompressionMethod::AES
        } else {
            record.compression_method()
        },
        modified: modified(record.last_modified()),
        checksum: record.crc32(),
    }
}

/// Returns a time in milliseconds since 1970. A time without a zone is taken as local time.
fn modified(time: ZipDateTimeKind) -> f64 {
    match time {
        ZipDateTimeKind::Utc(time) => time.to_unix() as f64 * 1000.0,
        ZipDateTimeKind::Local(time) => {
            let (year, month) = (u32::from(time.year()), i32::from(time.month()) - 1);
            let (day, hour) = (i32::from(time.day()), i32::from(time.hour()));
            let (minute, second) = (i32::from(time.minute()), i32::from(time.second()));
            Date::new_with_year_month_day_hr_min_sec(year, month, day, hour, minute, second)
                .get_time()
        }
    }
}
