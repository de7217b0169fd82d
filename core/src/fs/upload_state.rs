//! [`UploadState`]: how far an upload is that can be resumed, and the token that identifies it.

use core::time::Duration;

/// The secret that identifies an unfinished upload: 128 random bits, so that no other client can guess it.
pub type UploadToken = u128;

/// The state of an upload that can be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "file systems write it as a literal"
)]
pub struct UploadState {
    /// The token of the upload.
    pub token: UploadToken,
    /// The number of bytes that are stored.
    pub offset: u64,
    /// The length of the whole file in bytes, if it is known.
    pub len: Option<u64>,
    /// Whether it was committed. It cannot be continued any more.
    pub is_complete: bool,
    /// Whether the file replaces another one.
    pub replaces: bool,
    /// The time until it is removed if nothing more is stored.
    pub lifetime: Duration,
}
