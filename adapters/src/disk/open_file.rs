//! [`OpenFile`]: anything that a [`Disk`](super::Disk) has opened: a regular file, an archive, a file that is being
//! created, or a CGI process.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::sync::Arc;

#[cfg(target_os = "linux")]
use sanserve_core::Opened;

use super::ArchiveFile;
#[cfg(target_os = "linux")]
use super::CachedFile;
use super::regular_file::RegularFile;
#[cfg(unix)]
use super::uploads::OpenUpload;
#[cfg(unix)]
use super::{CgiProcess, PendingFile};

/// An open file of a [`Disk`](crate::Disk): a file, a cached file, an archive, a file that is being created, or
/// a CGI process.
#[derive(Debug)]
pub struct OpenFile(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    /// A regular file.
    File(RegularFile),
    /// A directory as an archive.
    Archive(Box<ArchiveFile>),
    /// A file that is being created.
    #[cfg(unix)]
    Pending(Box<PendingFile>),
    /// A file that is being created by an upload that can be resumed.
    #[cfg(unix)]
    Upload(OpenUpload),
    /// A CGI process.
    #[cfg(unix)]
    Process(Box<CgiProcess>),
}

impl OpenFile {
    /// Returns the file of the system, for adapters that send it by reference. Archives, processes, files that
    /// are being created and small cached files have none.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        match &self.0 {
            Kind::File(file) => file.file(),
            Kind::Archive(_) => None,
            #[cfg(unix)]
            Kind::Pending(_) | Kind::Upload(_) | Kind::Process(_) => None,
        }
    }

    /// Returns whether it is a file of the disk's cache.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        #[cfg(target_os = "linux")]
        let is_cached = self.cached().is_some();
        #[cfg(not(target_os = "linux"))]
        let is_cached = false;
        is_cached
    }

    /// Returns the CGI process, if it is one.
    #[cfg(all(unix, any(feature = "mio", feature = "tokio")))]
    pub(crate) fn process(&mut self) -> Option<&mut CgiProcess> {
        match &mut self.0 {
            Kind::Process(process) => Some(process),
            _ => None,
        }
    }

    /// Returns whether this byte was the last that was [noted](Self::note_read) for the file, on any connection.
    #[cfg(all(feature = "mio", unix))]
    pub(crate) fn was_read(&self, _at: u64) -> bool {
        #[cfg(target_os = "linux")]
        let was_read = self.cached().is_some_and(|cached| cached.was_read(_at));
        #[cfg(not(target_os = "linux"))]
        let was_read = false;
        was_read
    }

    /// Notes that this byte was read.
    #[cfg(all(feature = "mio", unix))]
    pub(crate) fn note_read(&self, _at: u64) {
        #[cfg(target_os = "linux")]
        if let Some(cached) = self.cached() {
            cached.note_read(_at);
        }
    }

    /// Returns a cached file once more, in the state that it had when it was last checked.
    #[cfg(target_os = "linux")]
    pub(super) fn reopen(&self) -> Option<Opened<OpenFile>> {
        let cached = Arc::clone(self.cached()?);
        Some(RegularFile::opened(cached).map(OpenFile::from))
    }

    /// Returns the whole content, if it is in memory.
    #[cfg(target_os = "linux")]
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.cached()?.bytes()
    }

    #[cfg(target_os = "linux")]
    fn cached(&self) -> Option<&Arc<CachedFile>> {
        match &self.0 {
            Kind::File(file) => file.cached(),
            _ => None,
        }
    }
}

impl From<RegularFile> for OpenFile {
    fn from(file: RegularFile) -> OpenFile {
        OpenFile(Kind::File(file))
    }
}
