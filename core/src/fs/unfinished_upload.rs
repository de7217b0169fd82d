//! [`UnfinishedUpload`]: helps a file system to keep an upload that can be resumed, until it is complete.

use core::time::Duration;

use super::{Create, FsError, Path, UploadState, UploadToken};
use crate::sync::Arc;

/// An unfinished upload: the file, with what a file system has to know to let another connection resume it.
///
/// A file system keeps these by their token, at most [`COUNT_MAX`](Self::COUNT_MAX) of them, each behind a lock if it
/// serves several threads, and removes those that are [expired](Self::is_expired). Its open file is the token and the
/// [`UploadOwner`], so that dropping it changes nothing. `now` is the time since any fixed moment, or always zero if
/// there is no clock; then no upload expires.
#[derive(Debug, Clone)]
pub struct UnfinishedUpload<F> {
    /// The file that is being created. `None` once it was committed or cancelled.
    file: Option<F>,
    path: Path,
    state: UploadState,
    owner: UploadOwner,
    /// When something was last stored.
    stored: Duration,
}

/// The connection that may write to an upload. Each that begins or resumes one gets another.
#[derive(Debug, Clone)]
pub struct UploadOwner(Arc<()>);

impl PartialEq for UploadOwner {
    fn eq(&self, other: &UploadOwner) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<F> UnfinishedUpload<F> {
    /// The largest number of uploads that a file system should keep, 64. Together with
    /// [`Limits::content`](crate::Limits::content) it limits what clients can store without completing anything.
    pub const COUNT_MAX: usize = 64;

    /// How long an upload is kept after something was last stored: 24 hours.
    pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// Returns the upload of a file whose creation has just begun.
    #[must_use]
    pub fn new(file: F, create: &Create, token: UploadToken, now: Duration) -> Self {
        UnfinishedUpload {
            file: Some(file),
            path: create.path.clone(),
            state: UploadState {
                token,
                offset: 0,
                len: create.len,
                is_complete: false,
                replaces: create.replaces.is_some(),
                lifetime: Self::LIFETIME,
            },
            owner: UploadOwner(Arc::new(())),
            stored: now,
        }
    }

    /// Returns the connection that may write to it.
    #[must_use]
    pub fn owner(&self) -> UploadOwner {
        self.owner.clone()
    }

    /// Returns its state.
    #[must_use]
    pub fn state(&self, now: Duration) -> UploadState {
        let age = now.saturating_sub(self.stored);
        UploadState {
            lifetime: Self::LIFETIME.saturating_sub(age),
            ..self.state
        }
    }

    /// Returns whether it is an upload of the file at this path.
    #[must_use]
    pub fn is_for(&self, path: &Path) -> bool {
        self.path == *path
    }

    /// Returns whether it is to be removed: nothing was stored for [`LIFETIME`](Self::LIFETIME), it could not be committed,
    /// or it was cancelled.
    #[must_use]
    pub fn is_expired(&self, now: Duration) -> bool {
        let has_failed = self.file.is_none() && !self.is_complete();
        has_failed || now.saturating_sub(self.stored) >= Self::LIFETIME
    }

    /// Returns whether it was committed. It is kept only so that a client that got no reply can find that out.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state.is_complete
    }

    /// Takes the upload over from the connection that owns it, and stores its length, see
    /// [`UploadRequest::Resume`](super::UploadRequest::Resume).
    pub fn resume(&mut self, offset: Option<u64>, len: Option<u64>) -> UploadOwner {
        self.owner = UploadOwner(Arc::new(()));
        if offset == Some(self.state.offset) && self.state.len.is_none() && !self.is_complete() {
            self.state.len = len;
        }
        self.owner()
    }

    /// Drops the file of an upload that is given up, so that no connection can write to it. The upload is expired.
    pub fn cancel(&mut self) {
        self.file = None;
    }

    /// Appends to the file: calls `write`, and counts the bytes that it stores.
    ///
    /// # Errors
    /// Returns the error of `write`, or [`FsError::NotFound`] if another connection has taken the upload over.
    pub fn append(
        &mut self,
        owner: &UploadOwner,
        now: Duration,
        write: impl FnOnce(&mut F) -> Result<usize, FsError>,
    ) -> Result<usize, FsError> {
        let written = write(self.owned(owner)?)?;
        self.state.offset += written as u64;
        self.stored = now;
        Ok(written)
    }

    /// Commits the file with `commit`, and drops it. The upload then only says that it is complete; if `commit` fails,
    /// it is expired.
    ///
    /// # Errors
    /// Returns the error of `commit`, or [`FsError::NotFound`] if another connection has taken the upload over.
    pub fn commit(
        &mut self,
        owner: &UploadOwner,
        commit: impl FnOnce(&mut F) -> Result<(), FsError>,
    ) -> Result<(), FsError> {
        let committed = commit(self.owned(owner)?);
        self.file = None;
        if committed.is_ok() {
            self.state.is_complete = true;
            self.state.len = Some(self.state.offset);
        }
        committed
    }

    /// Returns the file, if this connection owns the upload.
    fn owned(&mut self, owner: &UploadOwner) -> Result<&mut F, FsError> {
        let is_owner = self.owner == *owner;
        self.file
            .as_mut()
            .filter(|_| is_owner)
            .ok_or(FsError::NotFound)
    }
}
