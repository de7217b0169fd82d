//! [`PendingFile`]: a file that is being created in a [`WritableTree`](super::WritableTree), with the bytes
//! written so far.

use alloc::vec::Vec;

use sanserve_core::Create;

/// A file that is being created.
#[derive(Clone, Debug)]
pub struct PendingFile {
    pub(super) create: Create,
    pub(super) bytes: Vec<u8>,
}
