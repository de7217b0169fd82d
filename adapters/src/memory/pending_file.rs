//! [`PendingFile`]: a file that is being created in a [`WritableTree`](super::WritableTree), with the bytes
//! written so far, and [`OpenUpload`]: an upload that can be resumed, as one connection has it open.

use alloc::vec::Vec;

use sanserve_core::{Create, UploadOwner, UploadToken};

/// A file that is being created.
#[derive(Clone, Debug)]
pub struct PendingFile {
    pub(super) create: Create,
    pub(super) bytes: Vec<u8>,
}

/// An upload that can be resumed. The file itself is in the tree.
#[derive(Clone, Debug)]
pub struct OpenUpload {
    pub(super) token: UploadToken,
    pub(super) owner: UploadOwner,
}
