//! [`Download`]: an archive format that clients can request, with the functions that answer such requests.

use alloc::boxed::Box;

use crate::engine::{Exchange, Next};
use crate::fs::{ArchiveFormat, ArchiveRequest, FsError, Path};
use crate::service::disposition::Disposition;

/// An archive format that [`Files`](crate::Files) offers if [`FileSettings::archive`](crate::FileSettings::archive)
/// selects it. Its code is reached through function pointers, so that it is not linked into programs that do not use
/// it.
#[derive(Debug, Clone, Copy)]
pub struct Download {
    format: ArchiveFormat,
    /// The value of the query, and the extension of the file's name.
    name: &'static str,
    pub(crate) media_type: &'static str,
    /// Returns the request to open the archive.
    pub(crate) open: fn(&Download, Path, hidden: bool) -> Next,
    /// Sends the field with the file's name.
    pub(crate) send_name: fn(&Download, &mut Exchange<'_>, &Path),
    /// Returns the status and message of the error reply.
    pub(crate) error_reply: fn(FsError) -> (u16, &'static str),
}

impl Download {
    /// `?tar`.
    pub const TAR: Download = Download::new(ArchiveFormat::Tar, "tar", "application/x-tar");

    /// `?zip`.
    pub const ZIP: Download = Download::new(ArchiveFormat::Zip, "zip", "application/zip");

    const fn new(format: ArchiveFormat, name: &'static str, media_type: &'static str) -> Download {
        Download {
            format,
            name,
            media_type,
            open,
            send_name,
            error_reply,
        }
    }

    /// Returns the format that the query of a target requests: exactly `?zip`, or `?zip=` as a form's button sends it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sanserve_core::{Files, archive::Download};
    /// let mut files = Files::new();
    /// files.settings_mut().archive = Arc::new(Download::parse);
    /// assert!(Download::parse("/photos/?zip").is_some());
    /// assert!(Download::parse("/photos/?zip=").is_some());
    /// assert!(Download::parse("/photos/?zip=1").is_none());
    /// ```
    #[must_use]
    pub fn parse(target: &str) -> Option<&'static Download> {
        let (_, query) = target.split_once('?')?;
        let all: &[Download] = const { &[Download::TAR, Download::ZIP] };
        let query = query.strip_suffix('=').unwrap_or(query);
        all.iter().find(|download| download.name == query)
    }
}

fn open(download: &Download, path: Path, hidden: bool) -> Next {
    Next::Archive(Box::new(ArchiveRequest {
        path,
        format: download.format,
        hidden,
    }))
}

/// Returns the file name of a directory's archive, without its extension. Everything in the archive is below a
/// directory of this name.
pub(super) fn stem(path: &Path) -> &[u8] {
    match path.file_name() {
        b"" => b"files",
        name => name,
    }
}

fn send_name(download: &Download, ex: &mut Exchange<'_>, path: &Path) {
    let (stem, extension) = (stem(path), download.name);
    ex.send_header("Content-Disposition", Disposition { stem, extension });
}

fn error_reply(error: FsError) -> (u16, &'static str) {
    match error {
        FsError::TooMany => (403, "The directory is too large for an archive"),
        FsError::TooLong => (403, "The directory is too deep for an archive"),
        _ => (501, "This server cannot create archives"),
    }
}
