//! [`Upload`]: files that clients store, by PUT (RFC 9110 §9.3.4) or with a form (RFC 7578).
//!
//! Whether a file may be stored is decided here, under which name in `naming`; how it comes by the one way
//! and by the other is in `put` and `form`, what a form looks like in `multipart`, whose page may send
//! anything in `origin`. Where the bytes go is the adapter's work.

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
use self::origin::{is_for_loopback, is_foreign, is_hidden};
use self::put::Put;
use crate::engine::{Event, Exchange, Handler, Next, log};
use crate::fs::{Create, FsError, Path};
use crate::service::Files;
use crate::service::condition::may_be_stored;
use crate::text::escape::bytes;
use crate::text::status;
use crate::wire::Version;

/// Lets clients store files, and serves everything else as [`Files`] does.
///
/// `PUT /directory/name` stores its content, a form (`multipart/form-data`) that is sent by POST to
/// `/directory/` the files in it. A file is there when all of it has come, and not before. Up to 16 directories
/// that are missing on the way to it are made then, for a PUT and not for a form. What could not be asked for under its name is not stored, and neither is
/// what the page of another site sends, or what lies below `/.well-known`. Unless [`overwrite`](Self::overwrite) is set,
/// neither is a file that would be sent for other names: an index page, a compressed form of a file, the page for
/// missing files. [`Limits::content`](crate::Limits::content) says how long a
/// request may be.
///
/// | status | where |
/// |---|---|
/// | 201, 204 | a file was stored by PUT: a new one, in place of another |
/// | 303 | a form was stored; it leads to the directory |
/// | 400 | the form is no such form, or cut off; with `Content-Range` (RFC 9110 §14.5) |
/// | 403 | another site's page; another host, see [`loopback_only`](Self::loopback_only); a name that nothing can have here or that is reserved, or in a form too long a one; no permission |
/// | 404 | a form for a directory that is not there |
/// | 405 | PUT to a directory (RFC 4918 §9.7.2), POST to a file |
/// | 409 | a file has that name, a link or a device; in a form, a directory; there is a file in place of a directory for it (RFC 4918 §9.7.1), or more directories are missing than may be made, or one of them by a name that could not be stored |
/// | 411 | neither a length nor chunks; 400 in HTTP/1.0 |
/// | 412 | a precondition does not hold |
/// | 413 | more content than may be |
/// | 414 | a longer name than the file system has |
/// | 415 | encoded content (RFC 9110 §8.4); by POST, what is no form with files |
/// | 507 | no room for it |
///
/// [`listing::page`](crate::listing::page()) has a form for that. Another one needs a field for files, of
/// any name:
///
/// ```html
/// <form method="post" enctype="multipart/form-data">
///   <input type="file" name="file" multiple> <button>Upload</button>
/// </form>
/// ```
#[derive(Debug, Clone)]
pub struct Upload {
    /// What serves all other requests.
    pub files: Files,
    /// Whether a file may take the place of another. It may not if nothing is said.
    pub overwrite: bool,
    /// Whether only this machine can connect. If it is set, nothing is stored for requests whose host is not this machine
    /// itself, such as `localhost`: they come from the page of another site, whose name was pointed here (DNS
    /// rebinding). It is not by default. [`Hosts`](crate::Hosts) allows other names.
    pub loopback_only: bool,
    job: Job,
}

#[derive(Debug, Clone)]
enum Job {
    /// Nothing is stored: the file service answers.
    Files,
    Put(Box<Put>),
    Form(Box<Form>),
}

/// Why something is not stored.
#[derive(Debug, Clone)]
struct Refusal {
    status: u16,
    message: Cow<'static, str>,
    /// What the log says beside the message, which does not tell it.
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
    /// A file service that also takes files, and overwrites none.
    #[must_use]
    pub fn new() -> Upload {
        Upload {
            files: Files::new(),
            overwrite: false,
            loopback_only: false,
            job: Job::Files,
        }
    }

    /// The connection stays, as after other errors of that kind, unless the request is to blame.
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
        // RFC 9110 §14.5: else a part would be taken for the whole.
        if ex.header("Content-Range").is_some() {
            return ex.send_error(400, "Parts of a file cannot be stored");
        }
        let path = (self.files.settings().translate_path)(ex.path());
        let is_directory = |path: &Path| path.ends_with_slash() && self.files.shows(path);
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
            "PUT" | "POST" if is_foreign(ex) => {
                let message = if is_hidden(ex) { NO_ORIGIN } else { FOREIGN };
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
        let went = match &mut self.job {
            Job::Files => return self.files.resume(ex, event),
            Job::Put(put) => put.resume(ex, event, naming),
            Job::Form(form) => form.resume(ex, event, naming),
        };
        let next = went.unwrap_or_else(|refusal| self.refuse(ex, refusal));
        if next == Next::Done {
            // What is left of a form is not to be held until the next request.
            self.job = Job::Files;
        }
        next
    }
}

/// Whether the content is the file in another form (RFC 9110 §8.4): nobody here could undo that.
fn is_encoded(ex: &Exchange<'_>) -> bool {
    let mut codings = ex.head.fields().list("Content-Encoding");
    codings.any(|coding| !coding.eq_ignore_ascii_case("identity"))
}

/// Whether the request has content, be it empty. RFC 9112 §6.3 reads a request without a length as
/// empty, but its client may have meant to send a file, or may send one without a length.
fn is_framed(ex: &Exchange<'_>) -> bool {
    ["Content-Length", "Transfer-Encoding"]
        .iter()
        .any(|name| ex.header(name).is_some())
}

/// Asks for the length (RFC 9110 §15.5.12, RFC 1945 §7.2.2). The connection closes: the bytes that
/// follow may be the content.
fn refuse_unframed(ex: &mut Exchange<'_>) -> Next {
    match ex.request_version() {
        Version::Http11 => ex.send_error(411, status::phrase(411)),
        _ => ex.send_error(400, "Content-Length is missing"),
    }
}

/// How long the content is, if that was said.
fn content_length(ex: &Exchange<'_>) -> Option<u64> {
    ex.header("Content-Length")?.parse().ok()
}

/// Whether it is longer than may be. It is said before the disk is asked whether there is room.
fn is_too_long(ex: &Exchange<'_>) -> bool {
    content_length(ex).is_some_and(|len| len > ex.config.limits.content)
}

/// What is to be made, after it was looked what has that name, in a directory that is there. `conditions` are those of the
/// request, if they are about this file.
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
        Event::Failed(_, error) => return Err(complaint(error)),
        Event::Directory(_) => return Err((405, "The name is a directory").into()),
        _ => return Err(complaint(FsError::Io)),
    };
    if conditions && !may_be_stored(ex, replaces) {
        return Err((412, "Precondition Failed").into());
    }
    if replaces.is_some() && !overwrite {
        return Err(complaint(FsError::Exists));
    }
    Ok(Create {
        path,
        directories_max: 0,
        replaces,
        len,
    })
}

fn complaint(error: FsError) -> Refusal {
    let (status, message) = match error {
        FsError::NotFound | FsError::OutsideRoot => NO_DIRECTORY,
        FsError::Forbidden => (403, "No permission to store the file"),
        FsError::NotRegularFile => (409, "The name exists and is not a regular file"),
        FsError::Exists => (409, "A file with this name exists"),
        FsError::NoSpace => (507, "Insufficient Storage"),
        FsError::TooLong => (414, TOO_LONG),
        FsError::InvalidName => (403, NAMELESS),
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
const NAMELESS: &str = "A file cannot have that name here";
const TOO_LONG: &str = "The name is too long";
