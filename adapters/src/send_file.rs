//! Sends a piece of an open file to a socket, by reference (sendfile) if the system can, otherwise through memory.

use std::io;

#[cfg(target_os = "linux")]
use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use rustix::{fs::sendfile, io::Errno, io::pread, net::SendFlags, net::send};

use sanserve_core::FileSystem;

#[cfg(target_os = "linux")]
use crate::system_file::descriptor;

/// Sends a piece of an open file, and returns its length; `None` if the file has no descriptor or cannot be
/// read. Errors are those of the socket.
///
/// Some file systems and sandboxes do not support sendfile(2), and its error does not tell whether the file or
/// the socket is the cause. In that case the piece is read and written, which finds out.
#[cfg(target_os = "linux")]
pub(crate) fn send_file<FS: FileSystem>(
    socket: impl AsFd,
    files: &FS,
    file: &mut FS::File,
    at: u64,
    len: u64,
) -> io::Result<Option<usize>> {
    let Some(file) = descriptor(files, file) else {
        return Ok(None);
    };
    let mut from = at;
    match sendfile(&socket, file, Some(&mut from), len as usize) {
        Ok(n) => return Ok(Some(n)),
        Err(error @ (Errno::AGAIN | Errno::INTR)) => return Err(error.into()),
        Err(_) => {}
    }
    let mut chunk = vec![0; usize::try_from(len).map_or(COPY_CHUNK, |len| len.min(COPY_CHUNK))];
    match pread(file, &mut chunk, at) {
        Ok(0) => Ok(Some(0)),
        Ok(n) => Ok(Some(send(&socket, &chunk[..n], SendFlags::NOSIGNAL)?)),
        Err(Errno::INTR) => Err(Errno::INTR.into()),
        Err(_) => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn send_file<S, FS: FileSystem>(
    _: S,
    _: &FS,
    _: &mut FS::File,
    _: u64,
    _: u64,
) -> io::Result<Option<usize>> {
    unreachable!("files are sent by reference on Linux only")
}

/// The number of bytes read at a time.
#[cfg(target_os = "linux")]
const COPY_CHUNK: usize = 64 * 1024;
