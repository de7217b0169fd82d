//! [`PendingFile`]: a file that is being created.

use alloc::vec::Vec;

use sanserve_core::Create;

/// A file that is being created.
#[derive(Clone, Debug)]
pub struct PendingFile {
    pub(super) create: Create,
    pub(super) bytes: Vec<u8>,
}
