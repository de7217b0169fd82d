//! Operations on an open file that need the object which [`FileSystem::system_file`] returns: they send files by
//! reference, poll CGI processes, and note which bytes were read.

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use sanserve_core::{FileSystem, Got, Opened};

#[cfg(any(
    target_os = "linux",
    all(unix, any(feature = "mio", feature = "tokio"))
))]
use crate::OpenFile;
#[cfg(all(unix, any(feature = "mio", feature = "tokio")))]
use crate::disk::CgiProcess;
#[cfg(all(unix, any(feature = "mio", feature = "tokio")))]
use crate::fs_call::{FsCompletion, FsRequest};

/// Returns the descriptor of a file that can be sent by reference.
#[cfg(target_os = "linux")]
pub(crate) fn descriptor<'a, FS: FileSystem + ?Sized>(
    files: &FS,
    file: &'a mut FS::File,
) -> Option<BorrowedFd<'a>> {
    let object = &*files.system_file(file)?;
    if let Some(open) = object.downcast_ref::<OpenFile>() {
        return open.file().map(AsFd::as_fd);
    }
    let file = object.downcast_ref::<File>().map(AsFd::as_fd);
    file.or_else(|| object.downcast_ref::<OwnedFd>().map(AsFd::as_fd))
}

/// Returns the answer; a file is marked sendable only if the transport can send it by reference.
pub(crate) fn check_sendable<F>(mut got: Got<F>, can_send: impl FnOnce(&mut F) -> bool) -> Got<F> {
    let sendable = match &mut got {
        Got::Opened(Ok(Opened::File { file, sendable, .. })) if *sendable => can_send(file),
        _ => return got,
    };
    if sendable { got } else { got.unsendable() }
}

/// Returns whether a file has a descriptor.
#[cfg(target_os = "linux")]
pub(crate) fn is_sendable<FS: FileSystem + ?Sized>(files: &FS, file: &mut FS::File) -> bool {
    descriptor(files, file).is_some()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_sendable<FS: FileSystem + ?Sized>(_: &FS, _: &mut FS::File) -> bool {
    false
}

/// Returns the open CGI process of a [`Disk`](crate::Disk), if this is one; its pipes can be polled.
#[cfg(all(unix, any(feature = "mio", feature = "tokio")))]
pub(crate) fn process<'a, FS: FileSystem + ?Sized>(
    files: &FS,
    file: &'a mut FS::File,
) -> Option<&'a mut CgiProcess> {
    files
        .system_file(file)?
        .downcast_mut::<OpenFile>()?
        .process()
}

/// Runs a request, but only starts a CGI process whose pipes can be polled.
#[cfg(all(unix, any(feature = "mio", feature = "tokio")))]
pub(crate) fn run<FS: FileSystem + ?Sized>(
    request: FsRequest<FS::File>,
    files: &FS,
) -> FsCompletion<FS::File> {
    match request {
        FsRequest::ReadFile { mut file, at, len } => match process(files, &mut file) {
            Some(process) => {
                let got = process.start();
                FsCompletion::of(file, got, Vec::new())
            }
            None => FsRequest::ReadFile { file, at, len }.run(files),
        },
        request => request.run(files),
    }
}

/// Runs a request.
#[cfg(all(not(unix), feature = "tokio"))]
pub(crate) fn run<FS: FileSystem + ?Sized>(
    request: crate::fs_call::FsRequest<FS::File>,
    files: &FS,
) -> crate::fs_call::FsCompletion<FS::File> {
    request.run(files)
}

/// Returns whether this byte was the last that was [noted](note_read) for the file, on any connection.
#[cfg(all(feature = "mio", unix))]
pub(crate) fn was_read<FS: FileSystem + ?Sized>(files: &FS, file: &mut FS::File, at: u64) -> bool {
    let object = files.system_file(file);
    let open = object.and_then(|object| object.downcast_ref::<OpenFile>());
    open.is_some_and(|open| open.was_read(at))
}

/// Notes that this byte was read.
#[cfg(all(feature = "mio", unix))]
pub(crate) fn note_read<FS: FileSystem + ?Sized>(files: &FS, file: &mut FS::File, at: u64) {
    let object = files.system_file(file);
    if let Some(open) = object.and_then(|object| object.downcast_ref::<OpenFile>()) {
        open.note_read(at);
    }
}
