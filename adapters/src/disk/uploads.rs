//! [`Uploads`]: the uploads of a [`Disk`](super::Disk) that can be resumed, by their tokens.
//!
//! Each is a [`PendingFile`] that stays open, so that nothing is visible before it is complete, and the system removes
//! what is left if the process ends. There are at most [`UnfinishedUpload::COUNT_MAX`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sanserve_core::{
    Create, FsError, Opened, Path, UnfinishedUpload, UploadOwner, UploadRequest, UploadState,
    UploadToken,
};

use super::pending_file::PendingFile;
use crate::lock::lock;

type Upload = UnfinishedUpload<PendingFile>;

/// The unfinished uploads.
#[derive(Debug)]
pub(super) struct Uploads {
    /// The table is locked only for a moment, and each upload while something is written to it.
    table: Mutex<Table>,
    tokens: fn(u64) -> Option<UploadToken>,
    opened: Instant,
}

#[derive(Debug, Default)]
struct Table {
    uploads: BTreeMap<UploadToken, Arc<Mutex<Upload>>>,
    /// The number of uploads that were begun.
    begun: u64,
}

/// An upload as the connection has it open that began or resumed it.
#[derive(Debug)]
pub(super) struct OpenUpload {
    upload: Arc<Mutex<Upload>>,
    owner: UploadOwner,
}

impl Uploads {
    /// Creates an empty table. `tokens` returns the token of the upload with this number.
    pub(super) fn new(tokens: fn(u64) -> Option<UploadToken>) -> Uploads {
        Uploads {
            table: Mutex::default(),
            tokens,
            opened: Instant::now(),
        }
    }

    /// Begins, resumes or cancels an upload. `begin` begins the file of a new one.
    pub(super) fn answer(
        &self,
        request: &UploadRequest,
        begin: impl FnOnce(&Create) -> Result<PendingFile, FsError>,
    ) -> Result<Opened<OpenUpload>, FsError> {
        match request {
            UploadRequest::Begin(create) => self.begin(create, begin),
            UploadRequest::Resume {
                path,
                token,
                offset,
                len,
            } => {
                let upload = self.find(path, *token)?;
                Ok(self.open(upload, |upload| upload.resume(*offset, *len)))
            }
            UploadRequest::Cancel { path, token } => {
                let upload = self.find(path, *token)?;
                lock(&self.table).uploads.remove(token);
                Ok(self.open(upload, |upload| {
                    upload.cancel();
                    upload.owner()
                }))
            }
            _ => Err(FsError::Unsupported),
        }
    }

    /// Appends to an upload.
    pub(super) fn write(&self, open: &OpenUpload, bytes: &[u8]) -> Result<usize, FsError> {
        let mut upload = lock(&open.upload);
        upload.append(&open.owner, self.now(), |file| file.write(bytes))
    }

    /// Removes the uploads that have expired. Returns whether any are left that can expire.
    pub(super) fn remove_expired(&self) -> bool {
        let (mut table, now) = (lock(&self.table), self.now());
        remove_expired(&mut table.uploads, now);
        !table.uploads.is_empty()
    }

    fn begin(
        &self,
        create: &Create,
        begin: impl FnOnce(&Create) -> Result<PendingFile, FsError>,
    ) -> Result<Opened<OpenUpload>, FsError> {
        let file = begin(create)?;
        let (mut table, now) = (lock(&self.table), self.now());
        remove_expired(&mut table.uploads, now);
        make_room(&mut table.uploads)?;
        table.begun += 1;
        let token = (self.tokens)(table.begun).ok_or(FsError::NoResources)?;
        let upload = Arc::new(Mutex::new(Upload::new(file, create, token, now)));
        table.uploads.insert(token, Arc::clone(&upload));
        drop(table);
        Ok(self.open(upload, |upload| upload.owner()))
    }

    /// Finds the upload of the file at this path.
    fn find(&self, path: &Path, token: UploadToken) -> Result<Arc<Mutex<Upload>>, FsError> {
        let found = lock(&self.table).uploads.get(&token).cloned();
        let upload = found.ok_or(FsError::NotFound)?;
        let is_found = {
            let upload = lock(&upload);
            upload.is_for(path) && !upload.is_expired(self.now())
        };
        is_found.then_some(upload).ok_or(FsError::NotFound)
    }

    fn open(
        &self,
        upload: Arc<Mutex<Upload>>,
        take: impl FnOnce(&mut Upload) -> UploadOwner,
    ) -> Opened<OpenUpload> {
        let (owner, state): (UploadOwner, UploadState) = {
            let mut upload = lock(&upload);
            (take(&mut upload), upload.state(self.now()))
        };
        Opened::Upload {
            file: OpenUpload { upload, owner },
            state,
        }
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }
}

impl OpenUpload {
    /// Commits the file with `commit`.
    pub(super) fn commit(
        &self,
        commit: impl FnOnce(&mut PendingFile) -> Result<(), FsError>,
    ) -> Result<(), FsError> {
        lock(&self.upload).commit(&self.owner, commit)
    }
}

/// Removes the uploads that have expired. One that is locked is in use.
fn remove_expired(uploads: &mut BTreeMap<UploadToken, Arc<Mutex<Upload>>>, now: Duration) {
    uploads.retain(|_, upload| {
        upload
            .try_lock()
            .map_or(true, |upload| !upload.is_expired(now))
    });
}

/// Makes room for another upload: removes one that is complete if there are too many.
fn make_room(uploads: &mut BTreeMap<UploadToken, Arc<Mutex<Upload>>>) -> Result<(), FsError> {
    if uploads.len() < Upload::COUNT_MAX {
        return Ok(());
    }
    let mut found = uploads.iter();
    let complete =
        found.find(|(_, upload)| upload.try_lock().is_ok_and(|upload| upload.is_complete()));
    let token = complete.map(|(token, _)| *token).ok_or(FsError::TooMany)?;
    uploads.remove(&token);
    Ok(())
}

/// Returns a random token, which cannot be guessed.
pub(super) fn random_token(_: u64) -> Option<UploadToken> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(UploadToken::from_ne_bytes(random))
}
