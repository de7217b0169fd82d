//! [`Upload`]: a service that stores files that clients send by PUT (RFC 9110 §9.3.4) or with a form (RFC 7578), and
//! deletes files (RFC 9110 §9.3.5).
//!
//! This file decides whether a request may change files, and `naming` which names may be stored; `put` and `form`
//! receive files, `resumable` receives them in parts, `multipart` parses forms, `new_directory` creates directories,
//! `delete` deletes, and `origin` rejects pages of other sites. The file system stores the bytes.

mod delete;
mod file_name;
mod form;
mod multipart;
mod naming;
mod new_directory;
mod origin;
mod parameter;
mod put;
mod resumable;
mod upload_fields;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;

use self::delete::Delete;
use self::form::Form;
use self::multipart::Multipart;
use self::naming::Naming;
use self::new_directory::NewDirectory;
use self::origin::{is_cross_site, is_for_loopback, is_opaque};
use self::put::Put;
use self::resumable::ResumableUpload;
pub use self::resumable::ResumableUploads;
use crate::engine::{Event, Exchange, Handler, Next, log};
use crate::fs::{Create, FsError, Right, UploadToken};
use crate::service::Files;
use crate::service::condition::may_store;
use crate::service::listing::{Changes, TEXTS};
use crate::text::escape::bytes;
use crate::text::status;
use crate::wire::Version;

/// Stores files that clients send, and serves everything else as [`Files`] does.
///
/// `PUT /directory/name` stores the content of the request; a form (`multipart/form-data`) that is sent by POST to
/// `/directory/` stores the files in it. A file becomes visible when all of it has been received, and not before. A PUT
/// also creates up to 16 missing directories of its path. `PUT /directory/` without content creates a directory.
///
/// Not stored are files whose path could not be requested, uploads from pages of other sites, and files below
/// `/.well-known`. Unless [`overwrite`](Self::overwrite) is set, neither are files that would be sent for other names:
/// index pages, compressed variants of a file, and the page for missing files.
/// [`Limits::content`](crate::Limits::content) limits the length of a request.
///
/// If [`delete`](Self::delete) is set, `DELETE` removes a file or an empty directory, but no links, nothing that is
/// hidden, and nothing below `/.well-known`.
///
/// | status | meaning |
/// |---|---|
/// | 201 | a PUT stored a new file, or created a directory |
/// | 204 | a PUT replaced a file; a DELETE removed a file or a directory |
/// | 303 | a form was stored; redirects to the directory |
/// | 400 | the form is malformed or truncated; a PUT has `Content-Range` (RFC 9110 §14.5) |
/// | 403 | the request comes from another site's page, or is for another host, see [`loopback_only`](Self::loopback_only); the name is invalid or reserved, or too long in a form; no permission |
/// | 404 | a form for a directory that is missing or not served; DELETE of a name that is missing or not served |
/// | 405 | PUT to a directory that exists (RFC 4918 §9.7.2), POST to a file, DELETE of the root, PUT or POST to the target of an upload that can be resumed; a method that is not allowed |
/// | 409 | for DELETE: the directory is not empty, the name belongs to a link or a device, or the file has changed meanwhile; for others: the name belongs to an existing file, a link or a device, or in a form to a directory; one of its directories is a file (RFC 4918 §9.7.1), or too many are missing, or a missing one has a name that may not be stored |
/// | 411 | neither a length nor chunks; 400 in HTTP/1.0 |
/// | 412 | a precondition failed |
/// | 413 | more content than allowed |
/// | 414 | the name is longer than the file system allows |
/// | 415 | encoded content (RFC 9110 §8.4); for POST, content that is not a form with files; content for a directory |
/// | 503 | not enough resources, or too many unfinished uploads; with `Retry-After` |
/// | 507 | not enough space |
///
/// [`listing::page`](crate::listing::page()) includes a form, and buttons for what is allowed. Behind a
/// [`Guard`](crate::Guard), a client that may write but not read gets this page for every directory, without entries. A
/// form of your own needs a field for files, with any
/// name:
///
/// ```html
/// <form method="post" enctype="multipart/form-data">
///   <input type="file" name="file" multiple> <button>Upload</button>
/// </form>
/// ```
#[derive(Debug, Clone)]
pub struct Upload {
    /// The service for all other requests.
    pub files: Files,
    /// Whether files may be stored. On by default.
    pub store: bool,
    /// Whether a file may replace an existing one. Off by default.
    pub overwrite: bool,
    /// Whether files and empty directories may be deleted. Off by default.
    pub delete: bool,
    /// Whether the server is reachable only from this machine. If it is set, only requests for a name of this machine,
    /// such as `localhost`, store and delete files: others come from the page of a site whose name was pointed here
    /// (DNS rebinding). Off by default. [`Hosts`](crate::Hosts) allows other names.
    pub loopback_only: bool,
    /// Whether and how clients can resume interrupted uploads: [`ResumableUploads::new`]. `None` by default.
    pub resumable: Option<ResumableUploads>,
    job: Job,
}

#[derive(Debug, Clone)]
enum Job {
    /// Nothing is stored; the file service answers.
    Files,
    Put(Box<Put>),
    Resumable(Box<ResumableUpload>),
    Form(Box<Form>),
    Directory(NewDirectory),
    Delete(Box<Delete>),
}

/// The reason why a file is not stored.
#[derive(Debug, Clone)]
struct Refusal {
    status: u16,
    message: Cow<'static, str>,
    /// The reason for the log, if the reply does not disclose it.
    rule: Option<log::Refusal>,
}

impl<M: Into<Cow<'static, str>>> From<(u16, M)> for Refusal {
    fn from((status, message): (u16, M)) -> Refusal {
        Refusal {
            status,
            message: message.into(),
            rule: None,
        }
    }
}

impl Upload {
    /// Returns a file service that also stores files, but does not replace existing ones.
    #[must_use]
    pub fn new() -> Upload {
        Upload {
            files: Files::new(),
            store: true,
            overwrite: false,
            delete: false,
            loopback_only: false,
            resumable: None,
            job: Job::Files,
        }
    }

    /// Replies with an error. The connection stays open, as after other errors of that kind, unless the request is
    /// malformed.
    fn refuse(&self, ex: &mut Exchange<'_>, refusal: Refusal) -> Next {
        let Refusal {
            status,
            message,
            rule,
        } = refusal;
        match status {
            405 => self.files.answer_method(ex, self.allow(true)),
            400 => ex.send_error(400, message),
            status => {
                let upload = match &self.job {
                    Job::Resumable(upload) => Some(&**upload),
                    _ => None,
                };
                let next = self.files.error_with(ex, status, message, &mut |ex| {
                    if let Some(resumable) = self.resumable {
                        (resumable.send_error_fields)(ex, upload, status);
                    }
                });
                ex.log_refusal(rule);
                next
            }
        }
    }

    /// Returns whether a POST creates an upload that can be resumed.
    fn creates_upload(&self, ex: &Exchange<'_>) -> bool {
        let path = || (self.files.settings().translate_path)(ex.path());
        self.resumable
            .is_some_and(|resumable| (resumable.create)(ex).is_some())
            && path().is_some_and(|path| !path.ends_with_slash())
    }

    /// Answers a request for the target of an upload that can be resumed.
    fn open_upload(
        &mut self,
        ex: &mut Exchange<'_>,
        resumable: ResumableUploads,
        token: UploadToken,
    ) -> Next {
        let is_change = matches!(ex.command(), "PATCH" | "DELETE");
        if is_change && let Some(refusal) = self.origin_refusal(ex) {
            return self.refuse(ex, refusal);
        }
        let path = (self.files.settings().translate_path)(ex.path());
        let opening = path.ok_or((404, "File not found").into());
        match opening.and_then(|path| (resumable.open)(ex, path, token)) {
            Ok((Some(upload), next)) => {
                self.job = Job::Resumable(upload);
                next
            }
            Ok((None, next)) => next,
            Err(refusal) => self.refuse(ex, refusal),
        }
    }

    fn put(&mut self, ex: &mut Exchange<'_>) -> Next {
        // RFC 9110 §14.5: otherwise a part would be stored as the whole file.
        if ex.header("Content-Range").is_some() {
            return ex.send_error(400, "Parts of a file cannot be stored");
        }
        let path = (self.files.settings().translate_path)(ex.path());
        if path.as_ref().is_some_and(|path| path.as_bytes().is_empty()) {
            return self.files.answer_method(ex, self.allow_root());
        }
        match Naming::new(&self.files, self.overwrite).check(path) {
            Err(refusal) => self.refuse(ex, refusal),
            Ok(path) if path.ends_with_slash() => {
                self.job = Job::Directory(NewDirectory::Lookup);
                Next::Open(path)
            }
            Ok(path) => {
                let upload = self.resumable.and_then(|resumable| (resumable.create)(ex));
                self.job = match upload {
                    Some(upload) => Job::Resumable(upload),
                    None => Job::Put(Box::default()),
                };
                Next::Open(path)
            }
        }
    }

    fn post(&mut self, ex: &mut Exchange<'_>) -> Next {
        let kind = ex.header("Content-Type").unwrap_or("");
        let name = kind.split(';').next().unwrap_or_default().trim();
        let is_form = name.eq_ignore_ascii_case("multipart/form-data");
        let path = (self.files.settings().translate_path)(ex.path());
        let refusal = self.files.refusal(path.as_ref());
        match path.filter(|_| refusal.is_none()) {
            None => self.files.refuse(ex, 404, "File not found", refusal),
            Some(path) if !path.ends_with_slash() => {
                self.files.answer_method(ex, self.allow(false))
            }
            Some(_) if !is_form => self.files.error(
                ex,
                415,
                "Only forms with files (multipart/form-data) can be stored",
            ),
            Some(path) => match Multipart::new(&bytes(kind)) {
                None => ex.send_error(400, "Bad boundary in the form"),
                Some(parts) => {
                    self.job = Job::Form(Box::new(Form::new(parts, path.clone())));
                    Next::Open(path)
                }
            },
        }
    }

    fn remove(&mut self, ex: &mut Exchange<'_>) -> Next {
        let path = (self.files.settings().translate_path)(ex.path());
        let refusal = self.files.refusal(path.as_ref());
        match path.filter(|_| refusal.is_none()) {
            None => self.files.refuse(ex, 404, "File not found", refusal),
            Some(path) if path.as_bytes().is_empty() => {
                self.files.answer_method(ex, self.allow_root())
            }
            Some(path) if naming::is_well_known(&path) => {
                self.files
                    .error(ex, 403, "Files below /.well-known cannot be deleted")
            }
            Some(path) => {
                let precompressed = self.files.settings().precompressed;
                let (delete, next) = Delete::begin(ex, path, precompressed);
                self.job = Job::Delete(Box::new(delete));
                next
            }
        }
    }

    /// Returns the methods for a directory or a file.
    fn allow(&self, is_directory: bool) -> &'static str {
        match (is_directory, self.store, self.delete) {
            (true, true, true) => "GET, HEAD, OPTIONS, POST, DELETE",
            (true, true, false) => "GET, HEAD, OPTIONS, POST",
            (false, true, true) => "GET, HEAD, OPTIONS, PUT, DELETE",
            (false, true, false) => "GET, HEAD, OPTIONS, PUT",
            (_, false, true) => "GET, HEAD, OPTIONS, DELETE",
            (_, false, false) => "GET, HEAD, OPTIONS",
        }
    }

    /// Returns the methods for the root, which cannot be deleted.
    fn allow_root(&self) -> &'static str {
        match self.store {
            true => "GET, HEAD, OPTIONS, POST",
            false => "GET, HEAD, OPTIONS",
        }
    }

    /// Returns the token of the unfinished upload that the request is for, if any.
    fn upload_token(&self, ex: &Exchange<'_>) -> Option<UploadToken> {
        let is_resumable = self.resumable.is_some() && self.store;
        let token = || upload_fields::token_in(ex.path());
        is_resumable.then(token)?
    }

    /// Returns the changes that listings offer.
    fn changes(&self, ex: &Exchange<'_>) -> Option<Changes> {
        (self.store || self.delete).then_some(Changes {
            store: self.store,
            overwrite: self.overwrite,
            delete: self.delete,
            resumable: self.resumable.is_some(),
            len_max: ex.config.limits.content,
            texts: &TEXTS,
        })
    }

    /// Returns why the request may not change files, if it comes from a page of another site or is for another host.
    fn origin_refusal(&self, ex: &Exchange<'_>) -> Option<Refusal> {
        let verb = match ex.command() {
            "DELETE" => "delete",
            _ => "store",
        };
        let message = if is_cross_site(ex) {
            match is_opaque(ex) {
                true => format!(
                    "Pages without an origin cannot {verb} files (Referrer-Policy: no-referrer?)"
                ),
                false => format!("Pages of other sites cannot {verb} files"),
            }
        } else if self.loopback_only && !is_for_loopback(ex) {
            format!("Files can be {verb}d through localhost only; --host NAME allows another name")
        } else {
            return None;
        };
        Some((403, message).into())
    }
}

impl Default for Upload {
    fn default() -> Self {
        Upload::new()
    }
}

impl Handler for Upload {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.job = Job::Files;
        self.files.changes = self.changes(ex);
        if let Some(resumable) = self.resumable
            && let Some(token) = self.upload_token(ex)
        {
            return match ex.command() {
                "GET" | "HEAD" | "PATCH" | "DELETE" => self.open_upload(ex, resumable, token),
                _ => self.files.answer_method_with(ex, ALLOW_UPLOAD, &mut |ex| {
                    (resumable.send_limit)(ex, true);
                }),
            };
        }
        let is_change = match ex.command() {
            "PUT" | "POST" => self.store,
            "DELETE" => self.delete,
            _ => false,
        };
        if is_change && let Some(refusal) = self.origin_refusal(ex) {
            return self.refuse(ex, refusal);
        }
        // A target of an upload whose token is malformed is not the file that it looks like.
        if is_change && self.resumable.is_some() && upload_fields::names_upload(ex.path()) {
            return self.refuse(ex, (404, "There is no such upload").into());
        }
        match ex.command() {
            "GET" | "HEAD" => match ex.may(Right::Read) {
                true => self.files.begin(ex),
                false => self.files.begin_unread(ex),
            },
            "DELETE" if is_change => self.remove(ex),
            _ if !is_change => {
                let path = (self.files.settings().translate_path)(ex.path());
                let allow = match path {
                    Some(path) if path.as_bytes().is_empty() => self.allow_root(),
                    path => self.allow(path.is_some_and(|path| path.ends_with_slash())),
                };
                self.files.answer_method_with(ex, allow, &mut |ex| {
                    if let Some(resumable) = self.resumable.filter(|_| self.store) {
                        (resumable.send_limit)(ex, false);
                    }
                })
            }
            // RFC 9110 §15.5.16.
            _ if is_encoded(ex) => self.files.error_with(ex, 415, ENCODED, &mut |ex| {
                ex.send_header("Accept-Encoding", "identity");
            }),
            _ if !is_framed(ex) => refuse_unframed(ex),
            _ if is_too_long(ex) => ex.send_error(413, status::phrase(413)),
            "PUT" => self.put(ex),
            _ if self.creates_upload(ex) => self.put(ex),
            _ => self.post(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let naming = Naming::new(&self.files, self.overwrite);
        let result = match &mut self.job {
            Job::Files => return self.files.resume(ex, event),
            Job::Put(put) => put.resume(ex, event, naming),
            Job::Resumable(upload) => match self.resumable {
                Some(resumable) => (resumable.resume)(upload, ex, event, naming),
                None => Err(refusal_for(FsError::Unsupported)),
            },
            Job::Form(form) => form.resume(ex, event, naming),
            Job::Directory(directory) => directory.resume(ex, event, naming),
            Job::Delete(delete) => delete.resume(ex, event),
        };
        let next = result.unwrap_or_else(|refusal| self.refuse(ex, refusal));
        if next == Next::Done {
            // Frees the rest of a form now rather than at the next request.
            self.job = Job::Files;
        }
        next
    }

    fn required_right(&self, ex: &Exchange<'_>) -> Right {
        // CPython's page has no form.
        let has_form = self.store && !self.files.settings().plain;
        let only_writes = ex.may(Right::Write) && !ex.may(Right::Read);
        match ex.command() {
            // The upload belongs to the client that has begun it, which asks for its state, or cancels it.
            _ if self.upload_token(ex).is_some() => Right::Write,
            "GET" | "HEAD" if has_form && only_writes && ex.path().ends_with('/') => Right::Write,
            method => Right::for_method(method),
        }
    }
}

/// Returns whether the content is encoded (RFC 9110 §8.4), which is not supported.
fn is_encoded(ex: &Exchange<'_>) -> bool {
    let mut codings = ex.head.fields().list("Content-Encoding");
    codings.any(|coding| !coding.eq_ignore_ascii_case("identity"))
}

/// Returns whether the request has content, perhaps empty. RFC 9112 §6.3 treats a request without a length as empty,
/// but its client may have intended to send a file, or may send one without a length.
fn is_framed(ex: &Exchange<'_>) -> bool {
    ["Content-Length", "Transfer-Encoding"]
        .iter()
        .any(|name| ex.header(name).is_some())
}

/// Replies that a length is required (RFC 9110 §15.5.12, RFC 1945 §7.2.2). The connection closes, as the bytes that
/// follow may be the content.
fn refuse_unframed(ex: &mut Exchange<'_>) -> Next {
    match ex.request_version() {
        Version::Http11 => ex.send_error(411, status::phrase(411)),
        _ => ex.send_error(400, "Content-Length is missing"),
    }
}

/// Returns the length of the content, if it was sent.
fn content_length(ex: &Exchange<'_>) -> Option<u64> {
    ex.header("Content-Length")?.parse().ok()
}

/// Returns whether the content is longer than allowed. Checked before the file system checks for space.
fn is_too_long(ex: &Exchange<'_>) -> bool {
    content_length(ex).is_some_and(|len| len > ex.config.limits.content)
}

/// Returns the file to create, given what exists under its name in an existing directory. `conditions` are the
/// preconditions of the request, if they concern this file.
fn create(
    ex: &Exchange<'_>,
    found: Event<'_>,
    overwrite: bool,
    conditions: bool,
    len: Option<u64>,
) -> Result<Create, Refusal> {
    let (path, replaces) = match found {
        Event::Opened(path, meta) => (path, Some(meta)),
        Event::Failed(path, FsError::NotFound | FsError::OutsideRoot | FsError::TooLong) => {
            (path, None)
        }
        Event::Failed(_, error) => return Err(refusal_for(error)),
        Event::Directory(_) => return Err((405, "The name is a directory").into()),
        _ => return Err(refusal_for(FsError::Io)),
    };
    if conditions && !may_store(ex, replaces) {
        return Err((412, "Precondition Failed").into());
    }
    if replaces.is_some() && !overwrite {
        return Err(refusal_for(FsError::Exists));
    }
    Ok(Create {
        path,
        directories_max: 0,
        replaces,
        len,
    })
}

fn refusal_for(error: FsError) -> Refusal {
    let (status, message) = match error {
        FsError::NotFound | FsError::OutsideRoot => NO_DIRECTORY,
        FsError::Forbidden => (403, "No permission to store the file"),
        FsError::NotRegularFile => (409, "The name exists and is not a regular file"),
        FsError::Exists => (409, "A file with this name exists"),
        FsError::NoSpace => (507, "Insufficient Storage"),
        FsError::TooLong => (414, TOO_LONG),
        FsError::InvalidName => (403, INVALID_NAME),
        FsError::Unsupported => (501, "Files cannot be stored here"),
        FsError::NoResources => (503, "Not enough resources to store the file"),
        FsError::TooMany | FsError::Io => (500, "The file cannot be stored"),
    };
    let is_told = !matches!(error, FsError::OutsideRoot | FsError::InvalidName);
    Refusal {
        rule: log::Refusal::of(error).filter(|_| !is_told),
        ..(status, message).into()
    }
}

/// The methods for the target of an upload that can be resumed.
const ALLOW_UPLOAD: &str = "GET, HEAD, OPTIONS, PATCH, DELETE";
const ENCODED: &str = "Encoded files cannot be stored";
const NO_DIRECTORY: (u16, &str) = (409, "Its directory does not exist");
const INVALID_NAME: &str = "A file cannot have that name here";
const TOO_LONG: &str = "The name is too long";
