//! [`Open`]: what is open of a disk.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::sync::Arc;

#[cfg(any(all(feature = "mio", unix), target_os = "linux"))]
use sanserve_core::Opened;

#[cfg(target_os = "linux")]
use super::Kept;
use super::Packed;
#[cfg(unix)]
use super::{Making, Running};

/// What is open of a [`Disk`](crate::Disk).
#[derive(Debug)]
#[non_exhaustive]
pub enum Open {
    /// A regular file.
    File(File),
    /// One that is kept for whoever asks next: in memory if it is small, else open.
    #[cfg(target_os = "linux")]
    Kept(Arc<Kept>),
    /// A directory as one file.
    Packed(Box<Packed>),
    /// A file that is being made.
    #[cfg(unix)]
    Making(Box<Making>),
    /// A program.
    #[cfg(unix)]
    Program(Box<Running>),
}

impl Open {
    /// The file, if it is none but that.
    pub(crate) fn file(&self) -> Option<&File> {
        match self {
            Open::File(file) => Some(file),
            #[cfg(target_os = "linux")]
            Open::Kept(kept) => kept.file(),
            Open::Packed(_) => None,
            #[cfg(unix)]
            Open::Making(_) | Open::Program(_) => None,
        }
    }

    /// The same once more, if it is kept: as it was when it was last looked at.
    #[cfg(all(feature = "mio", unix))]
    pub(crate) fn again(&self) -> Option<Opened<Open>> {
        match self {
            #[cfg(target_os = "linux")]
            Open::Kept(kept) => Some(Open::kept(Arc::clone(kept))),
            _ => None,
        }
    }

    /// Whether that byte was the last that was [noted](Self::note_read), by whoever had the file.
    #[cfg(all(feature = "mio", unix))]
    pub(crate) fn was_read(&self, _at: u64) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Open::Kept(kept) => kept.was_read(_at),
            _ => false,
        }
    }

    /// Notes that this byte was read.
    #[cfg(all(feature = "mio", unix))]
    pub(crate) fn note_read(&self, _at: u64) {
        #[cfg(target_os = "linux")]
        if let Open::Kept(kept) = self {
            kept.note_read(_at);
        }
    }

    /// What is kept, handed out once more.
    #[cfg(target_os = "linux")]
    pub(super) fn kept(kept: Arc<Kept>) -> Opened<Open> {
        Opened::File {
            meta: kept.meta,
            sendable: kept.file().is_some(),
            file: Open::Kept(kept),
        }
    }

    /// All that is in it, if that is in memory.
    #[cfg(target_os = "linux")]
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Open::Kept(kept) => kept.bytes(),
            _ => None,
        }
    }
}
