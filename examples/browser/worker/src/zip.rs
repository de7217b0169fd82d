//! [`Zip`]: reads .zip files without unpacking them: lists folders and returns the stored bytes.

use js_sys::Date;
use sanserve_core::FsError;
use sanserve_server::zip::{LOCAL_HEADER_LEN, ZipEntry, ZipIndex, ZipNode};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use crate::blob;

use self::loaded_ranges::LoadedRanges;

mod loaded_ranges;

/// A .zip file and its directory.
#[wasm_bindgen]
pub struct Zip {
    file: Blob,
    index: ZipIndex,
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
            .with_archive(|archive| Ok((archive.directory_offset(), archive.eocd_offset())))
            .await?;
        ranges.load(from, to.saturating_sub(from)).await?;
        let index = ranges
            .with_archive(|archive| ZipIndex::read(archive, local_offset))
            .await?;
        Ok(Zip { file, index })
    }

    /// Opens the entry at a path. Returns `None` if there is none.
    ///
    /// # Errors
    /// If the entry is encrypted, damaged, or compressed by another method than deflate.
    pub async fn open(&self, path: &str) -> Result<Option<Zipped>, JsError> {
        let entry = match self.index.get(path.as_bytes()) {
            None => return Ok(None),
            Some(ZipNode::File(entry)) => entry,
            Some(_) => return Ok(Some(Zipped::FOLDER)),
        };
        Ok(Some(Zipped {
            packed: Some(self.packed(entry).await?),
            deflated: entry.is_deflated,
            size: entry.meta.len as f64,
            modified: millis(entry.meta.modified.unwrap_or_default()),
            checksum: entry.crc32,
        }))
    }

    /// Returns the entries of a folder.
    pub fn list(&self, path: &str) -> Vec<ZipListed> {
        let Some(ZipNode::Directory(entries)) = self.index.get(path.as_bytes()) else {
            return Vec::new();
        };
        let entries = entries.iter().map(|entry| {
            let slash = if entry.directory { "/" } else { "" };
            ZipListed {
                name: format!("{}{slash}", String::from_utf8_lossy(entry.name)),
                size: entry.len.map(|len| len as f64),
                modified: entry.modified.map(millis),
            }
        });
        entries.collect()
    }

    /// The number of files.
    #[wasm_bindgen(getter)]
    pub fn files(&self) -> usize {
        self.index.files()
    }
}

impl Zip {
    /// Returns the stored bytes of a file.
    async fn packed(&self, entry: &ZipEntry) -> Result<Blob, JsError> {
        let broken = || JsError::new("this .zip is damaged");
        let mut header = [0; LOCAL_HEADER_LEN];
        let read = blob::read(&self.file, entry.header_at, &mut header).await;
        if !read.is_ok_and(|n| n == header.len()) {
            return Err(broken());
        }
        let at = entry.content_at(&header).map_err(|error| match error {
            FsError::NotRegularFile => JsError::new("unsupported compression method"),
            _ => broken(),
        })?;
        let end = at.checked_add(entry.stored_len);
        if end.is_none_or(|end| end > self.file.size() as u64) {
            return Err(broken());
        }
        blob::slice(&self.file, at, entry.stored_len).map_err(|_| broken())
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

/// Returns the offset of local time from UTC in seconds.
fn local_offset(unix: i64) -> i32 {
    // The browser counts in minutes, and in the other direction.
    (Date::new(&millis(unix).into()).get_timezone_offset() * -60.0) as i32
}

fn millis(unix: i64) -> f64 {
    unix as f64 * 1000.0
}
