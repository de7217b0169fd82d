//! [`sanserve_answer`]: the caller's answer to a want, and the check that it fits.

use alloc::sync::Arc;
use core::ffi::{c_char, c_void};

use sanserve_core::{Entries, Entry, FileVersion, FsError, Got, Meta, Opened};

use crate::bytes::c_bytes;
use crate::connection::sanserve_want;
use crate::connection::sanserve_want::*;
use crate::status::*;

/// The kinds of answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_got {
    /// It has not happened yet, or its deadline is over: ask again. Fits every want, and is the first answer.
    SANSERVE_GOT_NOTHING = 0,
    /// `bytes` bytes were read, written or sent. 0 bytes that were read mean the end.
    SANSERVE_GOT_BYTES,
    /// For OPEN: a file, with `file`, `meta` and `sendable`.
    SANSERVE_GOT_FILE,
    /// For OPEN: a directory.
    SANSERVE_GOT_DIRECTORY,
    /// For CREATE: the file that is being created, with `file`.
    SANSERVE_GOT_WRITER,
    /// For LIST: the directory's `entries`, which are copied.
    SANSERVE_GOT_ENTRIES,
    /// For COMMIT and VERIFY: it was successful.
    SANSERVE_GOT_DONE,
    /// For WAIT: the waker was called, or may have been.
    SANSERVE_GOT_WOKEN,
    /// For READ_FILE: the bytes are still being produced, so that the deadline is renewed.
    SANSERVE_GOT_WORKING,
    /// The operation on a file failed with `error`. Fits all wants about files.
    SANSERVE_GOT_ERROR,
    /// For READ, WRITE and COPY: the transport is broken.
    SANSERVE_GOT_FAILED,
}

use sanserve_got::*;

/// The errors of files.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_fs_error {
    /// Nothing has this name: 404.
    SANSERVE_FS_NOT_FOUND = 0,
    /// A link leads out of the root: 404, with a log line.
    SANSERVE_FS_OUTSIDE_ROOT,
    /// It may not be read: 404.
    SANSERVE_FS_FORBIDDEN,
    /// It is neither a regular file nor a directory, or not the one that was asked for.
    SANSERVE_FS_NOT_REGULAR_FILE,
    /// This file system cannot do that.
    SANSERVE_FS_UNSUPPORTED,
    /// There is not enough memory, or there are not enough descriptors: 503.
    SANSERVE_FS_NO_RESOURCES,
    /// The name exists, or names something else than expected.
    SANSERVE_FS_EXISTS,
    /// The disk or the quota is full.
    SANSERVE_FS_NO_SPACE,
    /// The name is too long.
    SANSERVE_FS_TOO_LONG,
    /// No file can have this name.
    SANSERVE_FS_INVALID_NAME,
    /// Any other error of the device or the system.
    SANSERVE_FS_IO,
}

use sanserve_fs_error::*;

impl sanserve_fs_error {
    pub(crate) fn new(error: FsError) -> Self {
        match error {
            FsError::NotFound => SANSERVE_FS_NOT_FOUND,
            FsError::OutsideRoot => SANSERVE_FS_OUTSIDE_ROOT,
            FsError::Forbidden => SANSERVE_FS_FORBIDDEN,
            FsError::NotRegularFile => SANSERVE_FS_NOT_REGULAR_FILE,
            FsError::Unsupported => SANSERVE_FS_UNSUPPORTED,
            FsError::NoResources => SANSERVE_FS_NO_RESOURCES,
            FsError::Exists => SANSERVE_FS_EXISTS,
            FsError::NoSpace => SANSERVE_FS_NO_SPACE,
            FsError::TooLong => SANSERVE_FS_TOO_LONG,
            FsError::InvalidName => SANSERVE_FS_INVALID_NAME,
            _ => SANSERVE_FS_IO,
        }
    }
}

fn fs_error(number: u32) -> Outcome<FsError> {
    let all = [
        FsError::NotFound,
        FsError::OutsideRoot,
        FsError::Forbidden,
        FsError::NotRegularFile,
        FsError::Unsupported,
        FsError::NoResources,
        FsError::Exists,
        FsError::NoSpace,
        FsError::TooLong,
        FsError::InvalidName,
        FsError::Io,
    ];
    all.get(number as usize).copied().ok_or(SANSERVE_BAD_ANSWER)
}

/// The metadata of a file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_meta {
    /// The length in bytes.
    pub len: u64,
    /// Whether `modified` is known.
    pub has_modified: bool,
    /// The time of the last modification, in seconds since 1970.
    pub modified: i64,
    /// Whether `version` is known.
    pub has_version: bool,
    /// A number that this file never had with other content, and never will have: it becomes the `ETag`.
    pub version: u64,
}

impl sanserve_meta {
    pub(crate) fn new(meta: &Meta) -> Self {
        Self {
            len: meta.len,
            has_modified: meta.modified.is_some(),
            modified: meta.modified.unwrap_or_default(),
            has_version: meta.version.is_some(),
            version: meta.version.map(FileVersion::number).unwrap_or_default(),
        }
    }

    fn to_meta(self) -> Meta {
        let version = self.has_version.then(|| FileVersion::new(self.version));
        Meta::new(self.len)
            .with_modified(self.has_modified.then_some(self.modified))
            .with_version(version)
    }
}

/// A name in a directory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_entry {
    /// The name, without `/`.
    pub name: *const c_char,
    /// Whether it is a directory, or a link to one.
    pub is_directory: bool,
    /// Whether it is a symbolic link.
    pub is_link: bool,
    /// Whether it cannot be served: a broken link, a FIFO, a socket or a device.
    pub is_unavailable: bool,
    /// Its metadata; `version` has no meaning here. Without `has_modified` neither time nor length is shown.
    pub meta: sanserve_meta,
}

/// An open file of the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_file {
    /// Anything that the caller needs to find the file: a pointer, or a number.
    pub handle: *mut c_void,
    /// Called once, when the connection needs the file no more; or NULL. A file that is being created and was not
    /// committed has to disappear then.
    pub close: Option<unsafe extern "C" fn(handle: *mut c_void)>,
}

/// An open file of the caller, which is closed when it is dropped.
#[derive(Debug)]
pub struct File(sanserve_file);

impl File {
    pub(crate) fn handle(&self) -> *mut c_void {
        self.0.handle
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(close) = self.0.close {
            // SAFETY: the caller gave this function for this handle.
            unsafe { close(self.0.handle) };
        }
    }
}

/// The answer to a want. What its kind does not need is ignored.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_answer {
    /// A `sanserve_got`.
    pub got: u32,
    /// For SANSERVE_GOT_BYTES.
    pub bytes: usize,
    /// For SANSERVE_GOT_FILE and SANSERVE_GOT_WRITER. The connection closes it.
    pub file: sanserve_file,
    /// For SANSERVE_GOT_FILE.
    pub meta: sanserve_meta,
    /// For SANSERVE_GOT_FILE: whether the caller can answer COPY for it.
    pub sendable: bool,
    /// For SANSERVE_GOT_ENTRIES.
    pub entries: *const sanserve_entry,
    /// For SANSERVE_GOT_ENTRIES.
    pub entry_count: usize,
    /// For SANSERVE_GOT_ERROR: a `sanserve_fs_error`.
    pub error: u32,
}

/// Turns an answer into that of the engine, if it fits the want. `len` is the number of bytes that were lent or offered.
///
/// # Safety
/// The pointers of the answer are as the header says.
pub(crate) unsafe fn to_got(
    answer: &sanserve_answer,
    want: sanserve_want,
    len: u64,
) -> Outcome<Got<File>> {
    let moves_bytes = matches!(
        want,
        SANSERVE_WANT_READ
            | SANSERVE_WANT_WRITE
            | SANSERVE_WANT_READ_FILE
            | SANSERVE_WANT_WRITE_FILE
            | SANSERVE_WANT_COPY
    );
    let is = |got: sanserve_got| answer.got == got as u32;
    let fits = |wants: &[sanserve_want]| wants.contains(&want);
    if is(SANSERVE_GOT_NOTHING) || fits(&[SANSERVE_WANT_LOG, SANSERVE_WANT_SHUTDOWN]) {
        return Ok(Got::Nothing);
    }
    Ok(match want {
        _ if moves_bytes && is(SANSERVE_GOT_BYTES) && answer.bytes as u64 <= len => {
            Got::Bytes(answer.bytes)
        }
        SANSERVE_WANT_READ_FILE if is(SANSERVE_GOT_WORKING) => Got::Working,
        SANSERVE_WANT_OPEN if is(SANSERVE_GOT_FILE) => Got::Opened(Ok(Opened::File {
            file: File(answer.file),
            meta: answer.meta.to_meta(),
            sendable: answer.sendable,
        })),
        SANSERVE_WANT_OPEN if is(SANSERVE_GOT_DIRECTORY) => Got::Opened(Ok(Opened::Directory)),
        SANSERVE_WANT_CREATE if is(SANSERVE_GOT_WRITER) => {
            Got::Opened(Ok(Opened::Writer(File(answer.file))))
        }
        SANSERVE_WANT_LIST if is(SANSERVE_GOT_ENTRIES) => {
            // SAFETY: the same contract.
            let entries = unsafe { entries(answer) }?;
            Got::Listed(Ok(Arc::new(entries)))
        }
        SANSERVE_WANT_COMMIT if is(SANSERVE_GOT_DONE) => Got::Committed(Ok(())),
        SANSERVE_WANT_VERIFY if is(SANSERVE_GOT_DONE) => Got::Verified(Ok(())),
        SANSERVE_WANT_WAIT if is(SANSERVE_GOT_WOKEN) => Got::Woken,
        SANSERVE_WANT_READ | SANSERVE_WANT_WRITE | SANSERVE_WANT_COPY
            if is(SANSERVE_GOT_FAILED) =>
        {
            Got::Failed
        }
        _ if is(SANSERVE_GOT_ERROR) => refusal(want, fs_error(answer.error)?)?,
        _ => return Err(SANSERVE_BAD_ANSWER),
    })
}

/// Returns the answer that an operation on a file failed.
fn refusal(want: sanserve_want, error: FsError) -> Outcome<Got<File>> {
    Ok(match want {
        SANSERVE_WANT_OPEN | SANSERVE_WANT_CREATE => Got::Opened(Err(error)),
        SANSERVE_WANT_LIST => Got::Listed(Err(error)),
        SANSERVE_WANT_VERIFY => Got::Verified(Err(error)),
        SANSERVE_WANT_COMMIT => Got::Committed(Err(error)),
        SANSERVE_WANT_READ_FILE | SANSERVE_WANT_COPY | SANSERVE_WANT_WRITE_FILE => {
            Got::Refused(error)
        }
        _ => return Err(SANSERVE_BAD_ANSWER),
    })
}

/// Copies the entries of a directory.
///
/// # Safety
/// As for [`to_got`].
unsafe fn entries(answer: &sanserve_answer) -> Outcome<Entries> {
    if answer.entry_count > 0 && answer.entries.is_null() {
        return Err(SANSERVE_NULL_POINTER);
    }
    let mut copied = Entries::new();
    for at in 0..answer.entry_count {
        // SAFETY: it is within the caller's array.
        let entry = unsafe { &*answer.entries.add(at) };
        // SAFETY: the caller's pointer, see the header.
        let name = unsafe { c_bytes(entry.name) }?;
        if name.is_empty() || name.contains(&b'/') {
            return Err(SANSERVE_BAD_ANSWER);
        }
        let meta = entry.meta;
        let is_known = meta.has_modified && !entry.is_unavailable;
        copied.push(Entry {
            name,
            directory: entry.is_directory,
            link: entry.is_link,
            unavailable: entry.is_unavailable,
            len: (is_known && !entry.is_directory).then_some(meta.len),
            modified: is_known.then_some(meta.modified),
        });
    }
    Ok(copied)
}
