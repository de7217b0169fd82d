//! [`Zip`]: what a .zip holds, without unpacking it.

use std::collections::BTreeMap;

use js_sys::Date;
use rawzip::time::ZipDateTimeKind;
use rawzip::{CompressionMethod, ZipArchive, ZipFileHeaderRecord};
use sanserve_core::Path;
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use crate::blob;

use self::pieces::Pieces;

mod pieces;

/// A .zip that stays where it is.
#[wasm_bindgen]
pub struct Zip {
    file: Blob,
    /// By their paths; folders are none.
    entries: BTreeMap<String, Option<Entry>>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Where it begins.
    at: u64,
    /// How many bytes it takes there.
    packed: u64,
    size: u64,
    method: CompressionMethod,
    modified: f64,
    checksum: u32,
}

/// Something in a .zip.
#[wasm_bindgen]
pub struct Zipped {
    /// Its bytes as they lie there; none of a folder.
    #[wasm_bindgen(getter_with_clone)]
    pub packed: Option<Blob>,
    /// Whether they have to be inflated.
    pub deflated: bool,
    /// How many bytes they are then.
    pub size: f64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified: f64,
    /// Its CRC-32.
    pub checksum: u32,
}

/// A name in a folder of a .zip.
#[wasm_bindgen(getter_with_clone)]
pub struct ZipListed {
    /// The name, that of a folder with a `/` behind it.
    pub name: String,
    /// How many bytes it is when it is inflated.
    pub size: Option<f64>,
    /// When it was last changed, in milliseconds since 1970.
    pub modified: Option<f64>,
}

#[wasm_bindgen]
impl Zip {
    /// Reads what the .zip holds, which stands at its end.
    ///
    /// # Errors
    /// If it is none.
    pub async fn read(file: Blob) -> Result<Zip, JsError> {
        let mut pieces = Pieces::of(&file).await?;
        let (from, to) = pieces
            .settle(|archive, _| Ok((archive.directory_offset(), archive.eocd_offset())))
            .await?;
        pieces.load(from, to.saturating_sub(from)).await?;
        let entries = pieces.settle(entries).await?;
        Ok(Zip { file, entries })
    }

    /// What is at a path, if anything is.
    ///
    /// # Errors
    /// If it cannot be had: it is encrypted, or compressed in a way that no browser knows.
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
            _ => return Err(JsError::new("this way of compression is unknown")),
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

    /// What is in a folder.
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

    /// How many files there are.
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
    /// Its bytes: behind a header whose length only it knows.
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
        blob::part(file, at, self.packed).map_err(|_| broken())
    }
}

/// All entries that can be asked for, and the folders that they are in.
fn entries(
    archive: &ZipArchive<&Pieces>,
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
    // Where it is encrypted its bytes are nothing that could be sent.
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

/// When that was, in milliseconds since 1970. What names no zone is meant to be in ours.
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
