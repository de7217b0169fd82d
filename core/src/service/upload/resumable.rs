//! [`ResumableUploads`]: uploads that a client can continue after its connection has ended, as in the draft "Resumable
//! Uploads for HTTP" (draft-ietf-httpbis-resumable-upload).
//!
//! A request creates an upload if it has `Upload-Complete`, and the reply names the target at which the upload continues:
//! the path of the file with a secret token. The file system keeps what has arrived. So the rules for names, passwords
//! and preconditions are those of any other PUT, and a proxy that changes paths changes this one, too.

use alloc::boxed::Box;
use core::fmt;

use super::naming::{Naming, StatusMessage};
use super::upload_fields::{self as fields, PARTIAL, Problem, UploadFields};
use super::{ENCODED, Refusal, create, is_encoded, is_framed, refusal_for, refuse_unframed};
use crate::engine::{Event, Exchange, Next};
use crate::fs::{Create, FsError, Meta, Path, UploadRequest, UploadState, UploadToken};
use crate::service::condition::may_store;
use crate::service::files::SelfReference;
use crate::text::status;

/// Lets clients resume interrupted uploads, if the file system supports that ([`FileSystem::upload`]): a value for
/// [`Upload::resumable`].
///
/// This is version 8 of the draft "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload-11). Clients of
/// version 6 can use it, too, if they begin with `Upload-Complete: ?0`.
///
/// | request | reply |
/// |---|---|
/// | `PUT /directory/name` or `POST`, with `Upload-Complete: ?0` | 201 and the target of the upload in `Location`; the file is not visible yet |
/// | `PUT` or `POST` with `Upload-Complete: ?1` and `Upload-Draft-Interop-Version: 8` | 104 and the target of the upload, and at the end the reply of a PUT |
/// | `HEAD` of that target | 204 with `Upload-Offset`, and `Upload-Complete: ?1` if the file is stored |
/// | `PATCH`, with `Content-Type: application/partial-upload`, `Upload-Offset` and `Upload-Complete` | 204, or the reply of a PUT after the last part; 409 if the offset is wrong |
/// | `DELETE` | 204; what was stored is removed |
/// | `OPTIONS` | 200 with `Allow`, `Accept-Patch` and `Upload-Limit`; other methods get 405 |
///
/// Of a part that is cut off, everything that has arrived is kept. A HEAD, GET, PATCH or DELETE ends the part that another
/// connection is sending, even if it is a PATCH with a wrong offset, as the draft recommends (section "Concurrency"): the
/// client has given up that part, and the offset in the reply has to be valid until the client sends the next one.
///
/// If all of a file has arrived and it cannot be stored, because a file with its name exists by now, the reply is 409 with
/// `Upload-Complete: ?1`, and the upload is removed: a complete upload cannot be continued, and would only take the place
/// of another.
///
/// [`Limits::content`](crate::Limits::content) limits the length of the whole file as well as that of each request. If the
/// file system does not support it or has too many unfinished uploads, a request with `Upload-Complete: ?1` is a usual
/// PUT, and others get 501, or 503 with `Retry-After`.
///
/// [`FileSystem::upload`]: crate::FileSystem::upload
/// [`Upload::resumable`]: crate::Upload::resumable
#[derive(Clone, Copy)]
pub struct ResumableUploads {
    // Functions, so that a program that does not use them need not contain them.
    pub(super) create: fn(&Exchange<'_>) -> Option<Box<ResumableUpload>>,
    pub(super) open: fn(&mut Exchange<'_>, Path, UploadToken) -> Result<Opening, Refusal>,
    pub(super) resume:
        fn(&mut ResumableUpload, &mut Exchange<'_>, Event<'_>, Naming<'_>) -> Result<Next, Refusal>,
    pub(super) send_limit: fn(&mut Exchange<'_>, bool),
    pub(super) send_error_fields: fn(&mut Exchange<'_>, Option<&ResumableUpload>, u16),
}

impl ResumableUploads {
    /// Returns the value for [`Upload::resumable`](crate::Upload::resumable).
    #[must_use]
    pub const fn new() -> ResumableUploads {
        ResumableUploads {
            create: ResumableUpload::create,
            open: ResumableUpload::open,
            resume: ResumableUpload::resume,
            send_limit,
            send_error_fields,
        }
    }
}

impl Default for ResumableUploads {
    fn default() -> Self {
        ResumableUploads::new()
    }
}

impl fmt::Debug for ResumableUploads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ResumableUploads").finish_non_exhaustive()
    }
}

/// A request for an upload, and what the handler needs first; or a reply that is complete.
pub(super) type Opening = (Option<Box<ResumableUpload>>, Next);

/// A request that creates, continues, inspects or cancels an upload.
#[derive(Debug, Clone)]
pub(super) struct ResumableUpload {
    stage: Stage,
    /// The fields of a request with content.
    fields: Option<UploadFields>,
    /// The path of the file, once the upload was opened.
    path: Path,
    /// The upload. `None` before it was opened, and if it cannot be resumed.
    state: Option<UploadState>,
    /// The file to create, until its upload has begun.
    file: Option<Box<Create>>,
    /// Whether the file is new.
    new: bool,
    /// The reply if the directory is missing and may not be created.
    no_directory: Option<StatusMessage>,
    /// The number of bytes of the file that are stored.
    offset: u64,
    /// The number of bytes of which the client was last told.
    told: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The path of a new upload is being opened, to see what exists there.
    Lookup,
    /// The upload is being created.
    Begin,
    /// The file is being created without an upload that could be resumed.
    BeginPlain,
    /// The upload is being opened, to append to it.
    Append,
    /// The upload is being opened, to tell the client how far it is.
    Inspect,
    /// The upload is being cancelled, because the client has asked for it.
    Cancel,
    /// The upload is being cancelled, because it is longer than announced.
    CancelTooLong,
    /// Waiting for content.
    Content,
    /// This number of bytes is being written.
    Writing(u64),
    /// The file is being committed.
    Commit,
}

impl ResumableUpload {
    fn new(stage: Stage, fields: Option<UploadFields>) -> ResumableUpload {
        ResumableUpload {
            stage,
            fields,
            path: Path::default(),
            state: None,
            file: None,
            new: false,
            no_directory: None,
            offset: 0,
            told: 0,
        }
    }

    /// Returns the upload that a request creates, or `None` if it does not ask for one, or could not learn its target.
    fn create(ex: &Exchange<'_>) -> Option<Box<ResumableUpload>> {
        let fields = UploadFields::parse(ex)?;
        let can_be_told = !fields.complete || fields::understands_interim(ex);
        let upload = || {
            let fields = UploadFields {
                offset: None,
                ..fields
            };
            Box::new(ResumableUpload::new(Stage::Lookup, Some(fields)))
        };
        can_be_told.then(upload)
    }

    /// Begins to answer a request for the target of an upload.
    fn open(ex: &mut Exchange<'_>, path: Path, token: UploadToken) -> Result<Opening, Refusal> {
        // RFC 9110 §13.1: an upload exists, and has neither a tag nor a date.
        let is_change = matches!(ex.command(), "PATCH" | "DELETE");
        if is_change && !may_store(ex, Some(Meta::new(0))) {
            return Err((412, "Precondition Failed").into());
        }
        let (stage, fields, request) = match ex.command() {
            "PATCH" if !is_framed(ex) => return Ok((None, refuse_unframed(ex))),
            "PATCH" => {
                let fields = appended(ex)?;
                let (offset, Ok(len)) = (fields.offset, fields.len()) else {
                    return Ok((None, Problem::Length.send(ex)));
                };
                // Checked before the file system stores the length.
                check_len(ex, len)?;
                let end = offset.zip(fields.content);
                let end = end.map(|(offset, content)| offset.saturating_add(content));
                if len.is_some_and(|len| end > Some(len)) {
                    return Ok((None, Problem::Length.send(ex)));
                }
                let request = UploadRequest::Resume {
                    path,
                    token,
                    offset,
                    len,
                };
                (Stage::Append, Some(fields), request)
            }
            "DELETE" => (Stage::Cancel, None, UploadRequest::Cancel { path, token }),
            _ => {
                let (offset, len) = (None, None);
                let request = UploadRequest::Resume {
                    path,
                    token,
                    offset,
                    len,
                };
                (Stage::Inspect, None, request)
            }
        };
        let upload = Box::new(ResumableUpload::new(stage, fields));
        Ok((Some(upload), Next::Upload(Box::new(request))))
    }

    fn resume(
        &mut self,
        ex: &mut Exchange<'_>,
        event: Event<'_>,
        naming: Naming<'_>,
    ) -> Result<Next, Refusal> {
        match (self.stage, event) {
            (Stage::Lookup, found) => self.begin(ex, found, naming),
            (Stage::Begin, Event::Failed(_, error)) => self.begin_plain(error),
            (_, Event::Failed(_, error)) => Err(self.refusal_for(error)),
            (Stage::Begin, Event::Upload(path, state)) => {
                (self.path, self.state) = (path, Some(state));
                if fields::understands_interim(ex) {
                    fields::send_created_interim(ex, &state);
                }
                self.read_content()
            }
            (Stage::BeginPlain, _) => self.read_content(),
            (Stage::Append, Event::Upload(path, state)) => self.append(ex, path, state),
            (Stage::Inspect, Event::Upload(_, state)) => Ok(inspect(ex, &state)),
            (Stage::Cancel, _) => {
                ex.send_response(204);
                ex.end_headers();
                Ok(Next::Done)
            }
            (Stage::CancelTooLong, _) => Ok(Problem::Length.send(ex)),
            (Stage::Content, Event::Data(bytes)) => self.store(ex, bytes),
            (Stage::Writing(n), _) => {
                self.offset += n;
                self.tell_progress(ex);
                self.read_content()
            }
            (Stage::Content, _) => self.end_content(ex),
            (Stage::Commit, _) => Ok(self.reply_to_whole(ex)),
            (Stage::Begin | Stage::Append | Stage::Inspect, _) => Err(refusal_for(FsError::Io)),
        }
    }

    /// Begins the upload of a new file, given what exists under its name.
    fn begin(
        &mut self,
        ex: &mut Exchange<'_>,
        found: Event<'_>,
        naming: Naming<'_>,
    ) -> Result<Next, Refusal> {
        let Some(Ok(len)) = self.fields.map(|fields| fields.len()) else {
            return Ok(Problem::Length.send(ex));
        };
        if len.is_some_and(|len| self.fields.is_some_and(|fields| fields.content > Some(len))) {
            return Ok(Problem::Length.send(ex));
        }
        check_len(ex, len)?;
        let mut file = create(ex, found, naming.overwrite, true, len)?;
        let (directories_max, no_directory) = naming.new_directories(&file.path);
        file.directories_max = directories_max;
        self.no_directory = Some(no_directory);
        self.new = file.replaces.is_none();
        self.file = Some(Box::new(file.clone()));
        self.stage = Stage::Begin;
        Ok(Next::Upload(Box::new(UploadRequest::Begin(file))))
    }

    /// Creates the file without an upload that could be resumed, if that is impossible and the client can do without.
    fn begin_plain(&mut self, error: FsError) -> Result<Next, Refusal> {
        let is_whole = self.fields.is_some_and(|fields| fields.complete);
        match (error, self.file.take()) {
            (FsError::Unsupported | FsError::TooMany, Some(file)) if is_whole => {
                self.stage = Stage::BeginPlain;
                Ok(Next::Create(file))
            }
            (FsError::Unsupported, _) => Err((501, "Uploads cannot be resumed here").into()),
            (FsError::TooMany, _) => Err((503, "Too many unfinished uploads").into()),
            (error, _) => Err(self.refusal_for(error)),
        }
    }

    /// Begins to append to an upload.
    fn append(
        &mut self,
        ex: &mut Exchange<'_>,
        path: Path,
        state: UploadState,
    ) -> Result<Next, Refusal> {
        let Some(fields) = self.fields else {
            return Err(refusal_for(FsError::Io));
        };
        if state.is_complete {
            return Ok(Problem::Complete.send(ex));
        }
        let provided = fields.offset.unwrap_or_default();
        if provided != state.offset {
            let expected = state.offset;
            return Ok(Problem::Offset { expected, provided }.send(ex));
        }
        let end = provided.saturating_add(fields.content.unwrap_or_default());
        let len = fields.len().unwrap_or_default().or(Some(end));
        let is_consistent = state.len.is_none_or(|total| {
            end <= total
                && fields
                    .len()
                    .is_ok_and(|len| len.is_none_or(|len| len == total))
        });
        if !is_consistent {
            return Ok(Problem::Length.send(ex));
        }
        check_len(ex, len)?;
        (self.offset, self.told, self.new) = (state.offset, state.offset, !state.replaces);
        (self.path, self.state) = (path, Some(state));
        self.read_content()
    }

    fn read_content(&mut self) -> Result<Next, Refusal> {
        self.stage = Stage::Content;
        Ok(Next::Body)
    }

    /// Stores content at once, so that nothing that has arrived is lost if the connection ends.
    fn store(&mut self, ex: &Exchange<'_>, bytes: &[u8]) -> Result<Next, Refusal> {
        let n = bytes.len() as u64;
        let end = self.offset.saturating_add(n);
        if let Some(UploadState {
            token,
            len: Some(len),
            ..
        }) = self.state
            && end > len
        {
            let path = self.path.clone();
            self.stage = Stage::CancelTooLong;
            return Ok(Next::Upload(Box::new(UploadRequest::Cancel {
                path,
                token,
            })));
        }
        check_len(ex, Some(end))?;
        self.stage = Stage::Writing(n);
        Ok(Next::WriteFile(bytes.into()))
    }

    /// Sends an interim reply from time to time.
    fn tell_progress(&mut self, ex: &mut Exchange<'_>) {
        let is_due = self.offset - self.told >= PROGRESS_INTERVAL;
        if is_due && self.state.is_some() && fields::understands_interim(ex) {
            self.told = self.offset;
            fields::send_progress_interim(ex, self.offset);
        }
    }

    fn end_content(&mut self, ex: &mut Exchange<'_>) -> Result<Next, Refusal> {
        let is_last = self.fields.is_some_and(|fields| fields.complete);
        let Some(state) = self.state.filter(|_| !is_last) else {
            let len = self.state.and_then(|state| state.len);
            if len.is_some_and(|len| len != self.offset) {
                return Ok(Problem::Length.send(ex));
            }
            self.stage = Stage::Commit;
            return Ok(Next::Commit);
        };
        let is_created = self.file.is_some();
        ex.send_response(if is_created { 201 } else { 204 });
        if is_created {
            fields::send_location(ex, &state);
            fields::send_limit(ex, Some(state.lifetime));
            ex.send_header("Content-Length", 0);
        }
        fields::send_complete(ex, false);
        fields::send_offset(ex, self.offset);
        ex.end_headers();
        Ok(Next::Done)
    }

    /// Replies as to any other PUT (RFC 9110 §9.3.4).
    fn reply_to_whole(&self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(if self.new { 201 } else { 204 });
        if self.new {
            ex.send_header("Location", SelfReference(ex.path()));
            ex.send_header("Content-Length", 0);
        }
        if self.state.is_some() {
            fields::send_complete(ex, true);
            fields::send_offset(ex, self.offset);
        }
        ex.end_headers();
        Next::Done
    }

    fn refusal_for(&self, error: FsError) -> Refusal {
        match (self.stage, error) {
            (Stage::Append | Stage::Inspect | Stage::Cancel, FsError::NotFound) => {
                (404, "There is no such upload").into()
            }
            (Stage::Writing(_), FsError::NotFound) => {
                (409, "Another request has continued the upload").into()
            }
            (Stage::Begin | Stage::BeginPlain, FsError::NotFound) => self
                .no_directory
                .map_or_else(|| refusal_for(error), Refusal::from),
            _ => refusal_for(error),
        }
    }
}

/// Returns the fields of a request that appends to an upload.
fn appended(ex: &Exchange<'_>) -> Result<UploadFields, Refusal> {
    if is_encoded(ex) {
        return Err((415, ENCODED).into());
    }
    let kind = ex.header("Content-Type").unwrap_or_default();
    let name = kind.split(';').next().unwrap_or_default().trim();
    if !name.eq_ignore_ascii_case(PARTIAL) {
        return Err((415, "Only application/partial-upload can be appended").into());
    }
    let fields = UploadFields::parse(ex).filter(|fields| fields.offset.is_some());
    let fields = fields.ok_or((
        400,
        "Upload-Complete or Upload-Offset is missing or invalid",
    ))?;
    check_len(ex, fields.content)?;
    Ok(fields)
}

/// Checks that a file is not longer than allowed.
fn check_len(ex: &Exchange<'_>, len: Option<u64>) -> Result<(), Refusal> {
    match len {
        Some(len) if len > ex.config.limits.content => Err((413, status::phrase(413)).into()),
        _ => Ok(()),
    }
}

/// Tells the client how far an upload is.
fn inspect(ex: &mut Exchange<'_>, state: &UploadState) -> Next {
    ex.send_response(204);
    fields::send_complete(ex, state.is_complete);
    fields::send_offset(ex, state.offset);
    if let Some(len) = state.len {
        ex.send_header("Upload-Length", len);
    }
    fields::send_limit(ex, Some(state.lifetime));
    ex.send_header("Cache-Control", "no-store");
    ex.end_headers();
    Next::Done
}

/// Sends the media type of parts and the limits of uploads in reply to OPTIONS, if the client knows this version of the
/// draft, or if the target is that of an upload (RFC 5789 §3.1).
fn send_limit(ex: &mut Exchange<'_>, is_upload: bool) {
    if is_upload || fields::speaks_draft(ex) {
        ex.send_header("Accept-Patch", PARTIAL);
        fields::send_limit(ex, None);
    }
}

/// Sends the fields of an error reply with this status.
fn send_error_fields(ex: &mut Exchange<'_>, upload: Option<&ResumableUpload>, status: u16) {
    // Once the content is whole, the error is that of the file and not of the upload.
    if let Some(upload) = upload.filter(|upload| upload.state.is_some()) {
        fields::send_complete(ex, upload.stage == Stage::Commit);
    }
    match status {
        413 => fields::send_limit(ex, None),
        // RFC 5789 §2.2.
        415 => ex.send_header("Accept-Patch", PARTIAL),
        _ => {}
    }
}

/// The number of bytes after which an interim reply tells the client that they are stored.
const PROGRESS_INTERVAL: u64 = 16 << 20;
