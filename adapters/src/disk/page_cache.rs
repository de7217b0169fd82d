//! Reads bytes of a file if they are in the system's page cache; returns nothing instead of waiting for the
//! disk.

use std::fs::File;
use std::io::IoSliceMut;

use rustix::io::{ReadWriteFlags, preadv2};
use sanserve_core::Got;

/// Reads from the system's page cache. A read of zero bytes counts as a miss, because some file systems return
/// that for content that they would have to fetch.
pub(super) fn read_cached<F>(file: &File, at: u64, into: &mut [u8]) -> Got<F> {
    let mut into = [IoSliceMut::new(into)];
    match preadv2(file, &mut into, at, ReadWriteFlags::NOWAIT) {
        Ok(0) | Err(_) => Got::Nothing,
        Ok(n) => Got::Bytes(n),
    }
}
