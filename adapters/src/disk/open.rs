//! [`Open`]: what is open of a disk.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::sync::Arc;

#[cfg(target_os = "linux")]
use sanserve_core::Opened;

#[cfg(target_os = "linux")]
use super::Kept;
use super::Packed;
use super::regular_file::RegularFile;
#[cfg(unix)]
use super::{Making, Running};

/// What is open of a [`Disk`](crate::Disk): a file, a file of its cache, an archive, a file that is being created, or a program.
#[derive(Debug)]
pub struct Open(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    /// A regular file.
    File(RegularFile),
    /// A directory as one file.
    Packed(Box<Packed>),
    /// A file that is being created.
    #[cfg(unix)]
    Making(Box<Making>),
    /// A program.
    #[cfg(unix)]
    Program(Box<Running>),
}

impl Open {
    /// Returns the open file of the system, for ports that send it by reference. Archives, programs, files that are being created and
    /// small files of the cache have none.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        match &self.0 {
            Kind::File(file) => file.file(),
            Kind::Packed(_) => None,
            #[cfg(unix)]
            Kind::Making(_) | Kind::Program(_) => None,
        }
    }

    /// Whether it is a file of the disk's cache.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        #[cfg(target_os = "linux")]
        let is_cached = self.kept().is_some();
        #[cfg(not(target_os = "linux"))]
        let is_cached = false;
        is_cached
    }

    /// The program, if it is one.
    #[cfg(all(unix, any(feature = "mio", feature = "tokio")))]
    pub(crate) fn program(&mut self) -> Option<&mut Running> {
        match &mut self.0 {
            Kind::Program(program) => Some(program),
            _ => None,
        }
    }

    /// Whether that byte was the last that was [noted](Self::note_read), on any connection that sends the file.
    #[cfg(all(feature = "mio", unix))]
    pub(crate) fn was_read(&self, _at: u64) -> bool {
        #[cfg(target_os = "linux")]
        let was_read = self.kept().is_some_and(|kept| kept.was_read(_at));
        #[cfg(not(target_os = "linux"))]
        let was_read = false;
        was_read
    }

    /// Notes that this byte was read.
    #[cfg(all(feature = "mio", unix))]
    pub(crate) fn note_read(&self, _at: u64) {
        #[cfg(target_os = "linux")]
        if let Some(kept) = self.kept() {
            kept.note_read(_at);
        }
    }

    /// Returns the same file once more, if it is one of the cache: as it was when it was last looked at.
    #[cfg(target_os = "linux")]
    pub(super) fn reopen(&self) -> Option<Opened<Open>> {
        let kept = Arc::clone(self.kept()?);
        Some(RegularFile::opened(kept).map(Open::from))
    }

    /// Returns all of its content, if that is in memory.
    #[cfg(target_os = "linux")]
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.kept()?.bytes()
    }

    #[cfg(target_os = "linux")]
    fn kept(&self) -> Option<&Arc<Kept>> {
        match &self.0 {
            Kind::File(file) => file.kept(),
            _ => None,
        }
    }
}

impl From<RegularFile> for Open {
    fn from(file: RegularFile) -> Open {
        Open(Kind::File(file))
    }
}
