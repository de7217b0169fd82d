//! [`Pieces`]: those of a file that were read, for a reader that does not wait.

use std::cell::Cell;
use std::io::{self, ErrorKind};

use rawzip::{ReaderAt, ZipArchive, ZipLocator};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use crate::blob;

/// Pieces of a file. Who wants another one gets an error, and may ask again when it is read.
pub(super) struct Pieces {
    file: Blob,
    /// Where they begin, and what they are.
    read: Vec<(u64, Vec<u8>)>,
    missing: Cell<Option<u64>>,
}

impl Pieces {
    /// Those at the end of the file.
    pub(super) async fn of(file: &Blob) -> Result<Pieces, JsError> {
        let mut pieces = Pieces {
            file: file.clone(),
            read: Vec::new(),
            missing: Cell::new(None),
        };
        let start = pieces.len().saturating_sub(PIECE);
        pieces.load(start, PIECE).await?;
        Ok(pieces)
    }

    fn len(&self) -> u64 {
        self.file.size() as u64
    }

    pub(super) async fn load(&mut self, at: u64, len: u64) -> Result<(), JsError> {
        let len = len.min(self.len().saturating_sub(at));
        if len > MOST {
            return Err(JsError::new("this .zip holds too many files"));
        }
        let mut piece = vec![0; len as usize];
        let read = blob::read(&self.file, at, &mut piece).await;
        let n = read.map_err(|_| JsError::new("the file cannot be read"))?;
        piece.truncate(n);
        self.read.push((at, piece));
        Ok(())
    }

    /// Does something with the archive, again and again until no piece is missing for it.
    pub(super) async fn settle<T>(
        &mut self,
        attempt: impl Fn(&ZipArchive<&Pieces>, &mut [u8]) -> Result<T, rawzip::Error>,
    ) -> Result<T, JsError> {
        let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
        // As many as there may be pieces: it ends, whatever the file says.
        for _ in 0..MOST / PIECE {
            let located = ZipLocator::new().locate_in_reader(&*self, &mut buffer, self.len());
            let done = located.map_err(|(_, error)| error);
            let done = done.and_then(|archive| attempt(&archive, &mut buffer));
            match self.missing.take() {
                Some(at) => self.load(at, PIECE).await?,
                None => return Ok(done?),
            }
        }
        Err(JsError::new("this .zip is damaged"))
    }
}

impl ReaderAt for Pieces {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.len() {
            return Ok(0);
        }
        let from = self.read.iter().find_map(|(start, piece)| {
            let at = usize::try_from(at.checked_sub(*start)?).ok()?;
            piece.get(at..).filter(|rest| !rest.is_empty())
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

/// Read at a time: more than the end of an archive can be.
const PIECE: u64 = 128 * 1024;

/// The most that may be read of what only tells what there is.
const MOST: u64 = 256 * 1024 * 1024;
