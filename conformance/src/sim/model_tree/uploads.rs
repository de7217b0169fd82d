//! [`Uploads`]: the uploads of a model tree that can be resumed, and a ledger of what was asked for and answered.
//!
//! [`UnfinishedUpload`], which is part of the engine, decides which connection may write to an upload, and when the upload
//! expires. The ledger knows both from the requests alone, and notes every answer that contradicts it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use sanserve_core::{
    Create, FsError, Opened, UnfinishedUpload, UploadOwner, UploadRequest, UploadState, UploadToken,
};

use super::writer::NewFile;
use super::{ModelFile, ModelTree};

/// The path of a file and the number of its upload. The first upload of a path has number 1, so that requests can name
/// uploads in advance.
type Key = (Vec<u8>, UploadToken);

type Upload = UnfinishedUpload<NewFile>;

/// The uploads of a tree. They are not part of its state, to which the unfinished files refer.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    unfinished: BTreeMap<Key, Rc<RefCell<Upload>>>,
    ledger: BTreeMap<Key, Entry>,
    /// The number of uploads of each path that were begun.
    begun: BTreeMap<Vec<u8>, UploadToken>,
    now: Duration,
    /// Whether a day has passed while requests were answered.
    has_passed_day: bool,
    /// The answers that contradict the ledger.
    mistakes: Vec<String>,
}

/// What is known of an upload.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    /// How often it was begun or resumed. The last connection that did so owns it.
    opened: u64,
    stored: Duration,
    /// Whether it was committed, or that failed.
    is_committed: Option<bool>,
    is_cancelled: bool,
}

/// An upload that a connection has begun or resumed.
#[derive(Debug)]
pub struct OpenUpload {
    key: Key,
    upload: Rc<RefCell<Upload>>,
    owner: UploadOwner,
    /// Which opening this is, for the ledger.
    opened: u64,
}

impl Entry {
    /// Returns whether a request for it must find nothing.
    fn is_gone(&self, now: Duration) -> bool {
        let is_old = now.saturating_sub(self.stored) >= LIFETIME;
        self.is_cancelled || is_old || self.is_committed == Some(false)
    }
}

impl Uploads {
    /// Answers a request as a file system does that keeps its uploads with the help of [`UnfinishedUpload`].
    pub(super) fn answer(
        &mut self,
        tree: &ModelTree,
        request: &UploadRequest,
    ) -> Result<Opened<ModelFile>, FsError> {
        self.remove_expired();
        match request {
            UploadRequest::Begin(create) => self.begin(tree, create),
            UploadRequest::Resume {
                path,
                token,
                offset,
                len,
            } => {
                let key = (path.as_bytes().to_vec(), *token);
                let upload = self.unfinished.get(&key).ok_or(FsError::NotFound)?;
                let upload = Rc::clone(upload);
                let owner = upload.borrow_mut().resume(*offset, *len);
                Ok(self.opened(key, upload, owner))
            }
            UploadRequest::Cancel { path, token } => {
                let key = (path.as_bytes().to_vec(), *token);
                let upload = self.unfinished.remove(&key).ok_or(FsError::NotFound)?;
                let owner = upload.borrow().owner();
                upload.borrow_mut().cancel();
                let opened = self.opened(key.clone(), upload, owner);
                if let Some(entry) = self.ledger.get_mut(&key) {
                    entry.is_cancelled = true;
                }
                Ok(opened)
            }
            _ => Err(FsError::Unsupported),
        }
    }

    fn begin(&mut self, tree: &ModelTree, create: &Create) -> Result<Opened<ModelFile>, FsError> {
        let file = NewFile::begin(tree, create)?;
        if self.unfinished.len() >= COUNT_MAX {
            return Err(FsError::TooMany);
        }
        let path = create.path.as_bytes().to_vec();
        let number = self.begun.entry(path.clone()).or_default();
        *number += 1;
        let key = (path, *number);
        let upload = UnfinishedUpload::new(file, create, key.1, self.now);
        let owner = upload.owner();
        let upload = Rc::new(RefCell::new(upload));
        self.unfinished.insert(key.clone(), Rc::clone(&upload));
        let entry = Entry {
            offset: 0,
            opened: 0,
            stored: self.now,
            is_committed: None,
            is_cancelled: false,
        };
        self.ledger.insert(key.clone(), entry);
        Ok(self.opened(key, upload, owner))
    }

    fn opened(
        &mut self,
        key: Key,
        upload: Rc<RefCell<Upload>>,
        owner: UploadOwner,
    ) -> Opened<ModelFile> {
        let state = upload.borrow().state(self.now);
        self.note_opened(&key, &state);
        let opened = self.ledger.get(&key).map_or(0, |entry| entry.opened);
        let open = OpenUpload {
            key,
            upload,
            owner,
            opened,
        };
        Opened::Upload {
            file: ModelFile::Upload(open),
            state,
        }
    }

    /// Compares the state of an upload that was begun, resumed or cancelled with the ledger.
    fn note_opened(&mut self, key: &Key, state: &UploadState) {
        let now = self.now;
        let Some(entry) = self.ledger.get_mut(key) else {
            return self.mistake(key, "was never begun");
        };
        entry.opened += 1;
        let entry = *entry;
        if entry.is_gone(now) {
            self.mistake(key, "is resumed after its end");
        }
        if state.offset != entry.offset {
            let what = format!("has offset {} in place of {}", state.offset, entry.offset);
            self.mistake(key, &what);
        }
        if state.is_complete != (entry.is_committed == Some(true)) {
            self.mistake(
                key,
                "is complete for the reply and not in the tree, or the other way round",
            );
        }
    }

    pub(super) fn write(&mut self, open: &OpenUpload, bytes: &[u8]) -> Result<usize, FsError> {
        let now = self.now;
        let mut upload = open.upload.borrow_mut();
        let written = upload.append(&open.owner, now, |file| file.write(bytes))?;
        self.note_change(open);
        if let Some(entry) = self.ledger.get_mut(&open.key) {
            entry.offset += written as u64;
            entry.stored = now;
        }
        Ok(written)
    }

    pub(super) fn commit(&mut self, open: &OpenUpload) -> Result<(), FsError> {
        let mut is_tried = false;
        let committed = open.upload.borrow_mut().commit(&open.owner, |file| {
            is_tried = true;
            file.commit()
        });
        if is_tried {
            self.note_change(open);
            if let Some(entry) = self.ledger.get_mut(&open.key) {
                entry.is_committed = Some(committed.is_ok());
            }
        }
        committed
    }

    /// Notes that a connection writes to an upload or commits it.
    fn note_change(&mut self, open: &OpenUpload) {
        let Some(entry) = self.ledger.get(&open.key).copied() else {
            return;
        };
        if entry.opened != open.opened {
            self.mistake(&open.key, "is changed by a connection that does not own it");
        }
        if entry.is_cancelled || entry.is_committed.is_some() {
            self.mistake(&open.key, "is changed after its end");
        }
    }

    fn mistake(&mut self, (path, token): &Key, what: &str) {
        let path = path.escape_ascii();
        self.mistakes
            .push(format!("upload {token} of {path} {what}"));
    }

    /// Lets so much time pass that all unfinished uploads expire.
    pub(super) fn pass_day(&mut self) {
        self.now += LIFETIME;
        self.has_passed_day = true;
    }

    /// Removes all uploads, as if a day had passed.
    pub(super) fn expire(&mut self) {
        self.now += LIFETIME;
        self.remove_expired();
    }

    fn remove_expired(&mut self) {
        let now = self.now;
        self.unfinished
            .retain(|_, upload| !upload.borrow().is_expired(now));
    }

    pub(super) fn is_cancelled(&self, key: &Key) -> bool {
        let entry = self.ledger.get(key);
        entry.is_some_and(|entry| entry.is_cancelled)
    }

    pub(super) fn has_passed_day(&self) -> bool {
        self.has_passed_day
    }

    pub(super) fn mistakes(&self) -> Vec<String> {
        self.mistakes.clone()
    }
}

/// Fewer unfinished uploads than other file systems keep, so that some worlds have too many.
const COUNT_MAX: usize = 3;

/// How long an upload is kept.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
