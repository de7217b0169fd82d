//! [`LoadedRanges`]: loads ranges of a file into memory, for the synchronous reader of zip files.

use std::cell::Cell;
use std::io::{self, ErrorKind};

use rawzip::{ReaderAt, ZipArchive, ZipLocator};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use crate::blob;

/// Ranges of a file in memory. Reading outside them fails and notes the offset, so that the range can be loaded
/// before the next attempt.
pub(super) struct LoadedRanges {
    file: Blob,
    /// Offset and bytes of each range.
    loaded: Vec<(u64, Vec<u8>)>,
    missing: Cell<Option<u64>>,
}

impl LoadedRanges {
    /// Loads the end of the file.
    pub(super) async fn of_end(file: &Blob) -> Result<LoadedRanges, JsError> {
        let mut ranges = LoadedRanges {
            file: file.clone(),
            loaded: Vec::new(),
            missing: Cell::new(None),
        };
        let start = ranges.len().saturating_sub(RANGE_LEN);
        ranges.load(start, RANGE_LEN).await?;
        Ok(ranges)
    }

    fn len(&self) -> u64 {
        self.file.size() as u64
    }

    pub(super) async fn load(&mut self, at: u64, len: u64) -> Result<(), JsError> {
        let len = len.min(self.len().saturating_sub(at));
        if len > LOADED_MAX {
            return Err(JsError::new("this .zip has too many files"));
        }
        let mut bytes = vec![0; len as usize];
        let read = blob::read(&self.file, at, &mut bytes).await;
        let n = read.map_err(|_| JsError::new("the file cannot be read"))?;
        bytes.truncate(n);
        self.loaded.push((at, bytes));
        Ok(())
    }

    /// Calls `attempt` with the archive, and again after loading a range that was missing.
    pub(super) async fn with_archive<T>(
        &mut self,
        attempt: impl Fn(&ZipArchive<&LoadedRanges>) -> Result<T, rawzip::Error>,
    ) -> Result<T, JsError> {
        let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
        // The number of attempts is limited, so a hostile file cannot cause an endless loop.
        for _ in 0..LOADED_MAX / RANGE_LEN {
            let located = ZipLocator::new().locate_in_reader(&*self, &mut buffer, self.len());
            let done = located.map_err(|(_, error)| error);
            let done = done.and_then(|archive| attempt(&archive));
            match self.missing.take() {
                Some(at) => self.load(at, RANGE_LEN).await?,
                None => return Ok(done?),
            }
        }
        Err(JsError::new("this .zip is damaged"))
    }
}

impl ReaderAt for LoadedRanges {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.len() {
            return Ok(0);
        }
        let from = self.loaded.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(at.checked_sub(*start)?).ok()?;
            bytes.get(at..).filter(|rest| !rest.is_empty())
        });
        let Some(from) = from else {
            self.missing.set(Some(at));
            return Err(ErrorKind::WouldBlock.into());
        };
        let n = from.len().min(into.len());
        into[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }
}

/// Bytes that are loaded at a time: more than the end record of an archive can have.
const RANGE_LEN: u64 = 128 * 1024;

/// The longest directory of an archive.
const LOADED_MAX: u64 = 256 * 1024 * 1024;
