//! Sending a piece of what is open to a socket: unread where the system can do that, else by way of memory.

use std::io;

#[cfg(target_os = "linux")]
use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use rustix::{fs::sendfile, io::Errno, io::pread, net::SendFlags, net::send};

use sanserve_core::FileSystem;

#[cfg(target_os = "linux")]
use crate::system_file::descriptor;

/// Sends a piece of what is open, and says how much of it; `None` if that is not a file, or one that cannot be read. Errors are
/// those of the socket. All adapters send files by this.
///
/// Some file systems and sandboxes know no sendfile(2), and where it fails nothing tells whether the
/// file or the socket is to blame. So then the piece is read and written, which does both.
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
    let mut piece = vec![0; usize::try_from(len).map_or(PIECE, |len| len.min(PIECE))];
    match pread(file, &mut piece, at) {
        Ok(0) => Ok(Some(0)),
        Ok(n) => Ok(Some(send(&socket, &piece[..n], SendFlags::NOSIGNAL)?)),
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

/// Bytes that are read at once.
#[cfg(target_os = "linux")]
const PIECE: usize = 64 * 1024;
