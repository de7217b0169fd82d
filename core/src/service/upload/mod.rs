//! [`Upload`]: a service that stores files that clients send by PUT (RFC 9110 §9.3.4) or with a form (RFC 7578).
//!
//! This file decides whether a request may store files, and `naming` under which names; `put` and `form` receive them,
//! `multipart` parses forms, and `origin` rejects pages of other sites. The file system stores the bytes.

mod file_name;
mod form;
mod multipart;
mod naming;
mod origin;
mod parameter;
mod put;

use alloc::borrow::Cow;
use alloc::boxed::Box;

use self::form::Form;
use self::multipart::Multipart;
use self::naming::Naming;
use self::origin::{is_cross_site, is_for_loopback, is_opaque};
use self::put::Put;
use crate::engine::{Event, Exchange, Handler, Next, log};
use crate::fs::{Create, FsError, Path};
use crate::service::Files;
use crate::service::condition::may_store;
use crate::text::escape::bytes;
use crate::text::status;
use crate::wire::Version;

/// Stores files that clients send, and serves everything else as [`Files`] does.
///
/// `PUT /directory/name` stores the content of the request; a form (`multipart/form-data`) that is sent by POST to
/// `/directory/` stores the files in it. A file becomes visible when all of it has been received, and not before. A PUT
/// also creates up to 16 missing directories of its path. Not stored are files whose path could not be requested,
/// uploads from pages of other sites, and files below `/.well-known`. Unless [`overwrite`](Self::overwrite) is set,
/// neither are files that would be sent for other names: index pages, compressed variants of a file, and the page for
/// missing files. [`Limits::content`](crate::Limits::content) limits the length of a request.
///
/// | status | meaning |
/// |---|---|
/// | 201, 204 | a PUT stored a new file, or replaced one |
/// | 303 | a form was stored; redirects to the directory |
/// | 400 | the form is malformed or truncated; a PUT has `Content-Range` (RFC 9110 §14.5) |
/// | 403 | the request comes from another site's page, or is for another host, see [`loopback_only`](Self::loopback_only); the name is invalid or reserved, or too long in a form; no permission |
/// | 404 | a form for a missing directory |
/// | 405 | PUT to a directory (RFC 4918 §9.7.2), POST to a file |
/// | 409 | the name belongs to an existing file, a link or a device, or in a form to a directory; one of its directories is a file (RFC 4918 §9.7.1), or too many are missing, or a missing one has a name that may not be stored |
/// | 411 | neither a length nor chunks; 400 in HTTP/1.0 |
/// | 412 | a precondition failed |
/// | 413 | more content than allowed |
/// | 414 | the name is longer than the file system allows |
/// | 415 | encoded content (RFC 9110 §8.4); for POST, content that is not a form with files |
/// | 507 | not enough space |
///
/// [`listing::page`](crate::listing::page()) includes a form. A form of your own needs a field for files, with any name:
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
    /// Whether a file may replace an existing one. Off by default.
    pub overwrite: bool,
    /// Whether the server is reachable only from this machine. If it is set, only requests for a name of this machine,
    /// such as `localhost`, store files: others come from the page of a site whose name was pointed here (DNS
    /// rebinding). Off by default. [`Hosts`](crate::Hosts) allows other names.
    pub loopback_only: bool,
    job: Job,
}

#[derive(Debug, Clone)]
enum Job {
    /// Nothing is stored; the file service answers.
    Files,
    Put(Box<Put>),
    Form(Box<Form>),
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
            overwrite: false,
            loopback_only: false,
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
            405 => self.files.answer_method(ex, ALLOW_DIRECTORY),
            400 => ex.send_error(400, message),
            status => self.files.refuse(ex, status, message, rule),
        }
    }

    fn put(&mut self, ex: &mut Exchange<'_>) -> Next {
        // RFC 9110 §14.5: otherwise a part would be stored as the whole file.
        if ex.header("Content-Range").is_some() {
            return ex.send_error(400, "Parts of a file cannot be stored");
        }
        let path = (self.files.settings().translate_path)(ex.path());
        let is_directory = |path: &Path| path.ends_with_slash() && self.files.is_visible(path);
        if path.as_ref().is_some_and(is_directory) {
            return self.files.answer_method(ex, ALLOW_DIRECTORY);
        }
        match Naming::new(&self.files, self.overwrite).check(path) {
            Err(refusal) => self.refuse(ex, refusal),
            Ok(path) => {
                self.job = Job::Put(Box::default());
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
            Some(path) if !path.ends_with_slash() => self.files.answer_method(ex, ALLOW_FILE),
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
}

impl Default for Upload {
    fn default() -> Self {
        Upload::new()
    }
}

impl Handler for Upload {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.job = Job::Files;
        self.files.uploads = true;
        match ex.command() {
            "GET" | "HEAD" => self.files.begin(ex),
            "PUT" | "POST" if is_cross_site(ex) => {
                let message = if is_opaque(ex) { NO_ORIGIN } else { FOREIGN };
                self.files.error(ex, 403, message)
            }
            "PUT" | "POST" if self.loopback_only && !is_for_loopback(ex) => {
                self.files.error(ex, 403, REBOUND)
            }
            // RFC 9110 §15.5.16.
            "PUT" | "POST" if is_encoded(ex) => {
                self.files.error_with(ex, 415, ENCODED, &mut |ex| {
                    ex.send_header("Accept-Encoding", "identity");
                })
            }
            "PUT" | "POST" if !is_framed(ex) => refuse_unframed(ex),
            "PUT" | "POST" if is_too_long(ex) => ex.send_error(413, status::phrase(413)),
            "PUT" => self.put(ex),
            "POST" => self.post(ex),
            _ => {
                let path = (self.files.settings().translate_path)(ex.path());
                let directory = path.is_some_and(|path| path.ends_with_slash());
                let allow = if directory {
                    ALLOW_DIRECTORY
                } else {
                    ALLOW_FILE
                };
                self.files.answer_method(ex, allow)
            }
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let naming = Naming::new(&self.files, self.overwrite);
        let result = match &mut self.job {
            Job::Files => return self.files.resume(ex, event),
            Job::Put(put) => put.resume(ex, event, naming),
            Job::Form(form) => form.resume(ex, event, naming),
        };
        let next = result.unwrap_or_else(|refusal| self.refuse(ex, refusal));
        if next == Next::Done {
            // Frees the rest of a form now rather than at the next request.
            self.job = Job::Files;
        }
        next
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

const ALLOW_DIRECTORY: &str = "GET, HEAD, OPTIONS, POST";
const ALLOW_FILE: &str = "GET, HEAD, OPTIONS, PUT";
const FOREIGN: &str = "Pages of other sites cannot store files";
const NO_ORIGIN: &str =
    "Pages without an origin cannot store files (Referrer-Policy: no-referrer?)";
const REBOUND: &str = "Files can be stored through localhost only; --host NAME allows another name";
const ENCODED: &str = "Encoded files cannot be stored";
const NO_DIRECTORY: (u16, &str) = (409, "Its directory does not exist");
const INVALID_NAME: &str = "A file cannot have that name here";
const TOO_LONG: &str = "The name is too long";
