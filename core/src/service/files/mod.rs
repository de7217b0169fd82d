//! [`Files`]: the file service, as `SimpleHTTPRequestHandler` answers and RFC 9110 has an origin
//! server do it.
//!
//! This file decides which file a request leads to. The reply with a file is in `reply`: its ranges in `byteranges`, its
//! compressed form in `coding`, its media type in `content_type`. Other methods than GET and HEAD are in `options`.

mod byteranges;
mod coding;
mod content_type;
mod navigation;
mod options;
mod redirect;
mod reply;

use alloc::boxed::Box;
use alloc::sync::Arc;

use self::byteranges::Parts;
use self::coding::Codings;
pub(crate) use self::coding::SUFFIXES;
use self::navigation::is_navigation;
use self::options::ALLOW;
pub(crate) use self::redirect::Itself;
use crate::engine::log::Refusal;
use crate::engine::{Event, Exchange, Handler, Next};
use crate::fs::{Entries, FsError, Path};
use crate::service::archive::Download;
use crate::service::listing;
use crate::service::listing::{Directory, ListDirectory, Listing, Scope};
use crate::service::reply_fields::ReplyFields;
use crate::text::mime;

/// Serves the files of a tree: index pages, redirects to directories, listings, media types, ranges,
/// preconditions. The tree itself belongs to the adapter; this decides what to ask of it.
///
/// What `SimpleHTTPRequestHandler` lets a subclass change is a field here, and so is what its users
/// have wished for. Whoever wants more wraps it: a handler that holds a `Files` and passes on what
/// it does not answer itself.
///
/// ```
/// use sanserve_core::{Files, mime};
///
/// let mut files = Files::new();
/// files.index_pages = &["home.html"];
/// files.cache_control = Some("no-cache");
/// files.extra_headers = &[("X-Frame-Options", "DENY")];
/// files.guess_type = |name| match name {
///     name if name.ends_with(b".rs") => Some("text/x-rust"),
///     name => mime::guess_type(name, |_| None),
/// };
/// ```
#[derive(Debug, Clone)]
pub struct Files {
    /// The names that stand for a directory, if it holds one of them: the first that is a file.
    pub index_pages: &'static [&'static str],
    /// The media type of a file by its name, which is any bytes. CPython's table if nothing is said.
    pub guess_type: fn(name: &[u8]) -> Option<&'static str>,
    /// The media type of a file if that has none.
    pub default_type: &'static str,
    /// The `charset` parameter of media types that begin with `text/`, such as `utf-8`, but not of `text/html` and
    /// `text/xml`: these documents name their own, which the parameter would overrule. By default there is none, as in
    /// CPython, and browsers take text for Windows-1252. A file in another encoding is shown wrong if it is set.
    pub charset: Option<&'static str>,
    /// Whether a file `page.html.br`, `.zst` or `.gz` is sent in place of `page.html` to whoever
    /// accepts it. Each that is not there costs one [`Next::Open`]; that they say the same is for
    /// who made them to know.
    pub precompressed: bool,
    /// The `Cache-Control` of files and listings.
    pub cache_control: Option<&'static str>,
    /// The origin of the pages that may use what is served, `*` for all of them. If it is set,
    /// preflights are answered, too.
    pub cors: Option<&'static str>,
    /// The file, below the root, that is sent with status 200 where a browser goes to a page that
    /// is not there: the application in it decides what that is.
    pub spa: Option<&'static str>,
    /// The file, below the root, that is sent with status 404 for whatever is not there.
    pub not_found_page: Option<&'static str>,
    /// Fields for replies with status 200 and 206. Where a reply has a field of that name by itself,
    /// that one stands.
    pub extra_headers: &'static [(&'static str, &'static str)],
    /// What a target names. [`Path::parse`] if nothing is said; `None` is a 404.
    pub translate_path: fn(target: &str) -> Option<Path>,
    /// Whether names that begin with a dot can be asked for and are listed. They cannot if nothing
    /// is said: a folder that is served by the way holds a `.git` or an `.env` sooner than one
    /// thinks. `/.well-known` always can.
    pub hidden: bool,
    /// Answers with the listing of a directory. CPython's page if nothing is said;
    /// [`listing::page`] is one that people want to use.
    pub list_directory: ListDirectory,
    /// As which archive a directory is asked for by that target, if as one. Never if nothing is said;
    /// [`Download::parse`] has `/directory/?zip` and `?tar`.
    pub archive: fn(target: &str) -> Option<&'static Download>,
    /// How many segments at the front of a target's path are above what is served, such as 1 where
    /// that is `/files/`. The way down that [`listing::page`] shows begins below them.
    pub above: usize,
    /// Whether replies have only what CPython's have, with which they then agree to the byte: no `ETag`, no
    /// ranges, no precondition but `If-Modified-Since`, 501 for every method but GET and HEAD, redirects to absolute
    /// paths; and an error closes the connection. It is not set by default. Names and requests that are refused for safety still are.
    pub plain: bool,
    /// Whether an [`Upload`](crate::Upload) is around it, so that listings can say so.
    pub(crate) uploads: bool,
    stage: Stage,
    codings: Codings,
    /// The rule by which the request is refused, once that is known.
    refused: Option<Refusal>,
}

#[derive(Debug, Clone)]
enum Stage {
    /// What the target names was asked for, or is being sent.
    Target,
    /// The index page with this number was asked for.
    Index(usize),
    /// [`Files::spa`] was asked for.
    Spa,
    /// [`Files::not_found_page`] was asked for.
    NotFound,
    /// The target was asked for as an archive, or that is being sent.
    Archive(&'static Download),
    /// A listing is on its way.
    Listing(Box<Listing>),
    /// Several ranges of a file are on their way.
    Parts(Box<Parts>),
}

impl Files {
    /// The file service as `http.server` has it.
    pub const fn new() -> Self {
        Files {
            index_pages: &["index.html", "index.htm"],
            guess_type: |name| mime::guess_type(name, |_| None),
            default_type: "application/octet-stream",
            charset: None,
            precompressed: false,
            cache_control: None,
            cors: None,
            spa: None,
            not_found_page: None,
            extra_headers: &[],
            translate_path: Path::parse,
            hidden: false,
            list_directory: listing::python,
            archive: |_| None,
            above: 0,
            plain: false,
            uploads: false,
            stage: Stage::Target,
            codings: Codings::NONE,
            refused: None,
        }
    }

    /// Asks for a file, in the best form of it.
    fn open(&mut self, ex: &Exchange<'_>, path: Path) -> Next {
        self.codings = Codings::NONE;
        if self.precompressed && !path.file_name().is_empty() {
            self.codings = Codings::accepted(ex);
        }
        self.open_next(path)
    }

    /// Asks for the next best form of a file.
    fn open_next(&mut self, mut path: Path) -> Next {
        if let Some(coding) = self.codings.advance() {
            path.append(coding.suffix());
        }
        Next::Open(path)
    }

    /// Asks for the index page number `index` of a directory, or for the listing behind the last.
    fn try_index(&mut self, ex: &Exchange<'_>, mut directory: Path, index: usize) -> Next {
        self.stage = Stage::Index(index);
        match self.index_pages.get(index) {
            Some(page) => {
                directory.push(page);
                self.open(ex, directory)
            }
            None => Next::List(directory),
        }
    }

    /// Asks for a directory, as the query wants it.
    fn open_directory(&mut self, ex: &Exchange<'_>, path: Path) -> Next {
        match (self.archive)(ex.path()) {
            None => self.try_index(ex, path, 0),
            Some(download) => {
                self.stage = Stage::Archive(download);
                (download.open)(download, path, self.hidden)
            }
        }
    }

    /// There is nothing of that name: asks for what stands for it, or says so.
    fn not_found(&mut self, ex: &mut Exchange<'_>) -> Next {
        let file = |name: &str| Path::from_bytes(name.into());
        let tried = &self.stage;
        if !matches!(tried, Stage::Spa | Stage::NotFound)
            && let Some(path) = self.spa.and_then(file)
            && is_navigation(ex)
        {
            self.stage = Stage::Spa;
            return self.open(ex, path);
        }
        if !matches!(tried, Stage::NotFound)
            && let Some(path) = self.not_found_page.and_then(file)
        {
            self.stage = Stage::NotFound;
            return self.open(ex, path);
        }
        self.refuse(ex, 404, "File not found", self.refused)
    }

    /// Why what a target names may not be asked for, as far as the name decides it.
    pub(crate) fn refusal(&self, path: Option<&Path>) -> Option<Refusal> {
        match path {
            None => Some(Refusal::Name),
            Some(path) => (!self.shows(path)).then_some(Refusal::Hidden),
        }
    }

    /// Whether this may be asked for, as far as dots decide it.
    pub(crate) fn shows(&self, path: &Path) -> bool {
        self.hidden || !path.is_hidden()
    }

    /// The fields that the settings add to each reply.
    fn fields(&self) -> ReplyFields<'_> {
        ReplyFields {
            cache_control: self.cache_control,
            cors: self.cors,
            extra: self.extra_headers,
            negotiates_coding: self.precompressed,
            replaces_missing: self.spa.is_some(),
            plain: self.plain,
        }
    }

    /// Answers with the listing of a directory.
    fn list(&mut self, ex: &mut Exchange<'_>, path: &Path, entries: Arc<Entries>) -> Next {
        let mut listing = None;
        let directory = Directory {
            path,
            entries,
            scope: Scope {
                hidden: self.hidden,
                archives: (self.archive)("/?zip").is_some(),
                uploads: self.uploads,
                above: self.above,
            },
            fields: self.fields(),
            listing: &mut listing,
        };
        let next = (self.list_directory)(ex, directory);
        if let Some(listing) = listing {
            self.stage = Stage::Listing(listing);
        }
        next
    }

    /// Sends more of what goes out piece by piece.
    fn go_on(&mut self, ex: &mut Exchange<'_>) -> Next {
        let next = match &mut self.stage {
            Stage::Listing(listing) => listing.write(ex),
            Stage::Parts(parts) => parts.send_next(ex),
            _ => Next::Done,
        };
        if next == Next::Done {
            self.stage = Stage::Target;
        }
        next
    }

    /// Sends the peer from `/directory` to `/directory/`.
    fn redirect(&self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(301);
        // From the target of a script a relative one would lead elsewhere.
        match self.plain || ex.head.is_internal_redirect() {
            true => ex.send_header("Location", redirect::Absolute(ex.path())),
            false => ex.send_header("Location", redirect::Directory(ex.path())),
        }
        ex.send_header("Content-Length", 0);
        self.fields().send_cors(ex);
        ex.end_headers();
        Next::Done
    }
}

impl Default for Files {
    fn default() -> Self {
        Files::new()
    }
}

impl Handler for Files {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (self.stage, self.codings) = (Stage::Target, Codings::NONE);
        self.refused = None;
        if !matches!(ex.command(), "GET" | "HEAD") {
            return match self.plain && self.cors.is_none() {
                true => self.unsupported(ex),
                false => self.answer_method(ex, ALLOW),
            };
        }
        let path = (self.translate_path)(ex.path());
        self.refused = self.refusal(path.as_ref());
        match path.filter(|_| self.refused.is_none()) {
            Some(path) if path.ends_with_slash() => self.open_directory(ex, path),
            Some(path) => self.open(ex, path),
            None => self.not_found(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let event = match (event, self.codings.current) {
            // There is no such form of it.
            (Event::Directory(mut path) | Event::Failed(mut path, _), Some(coding)) => {
                path.cut(coding.suffix());
                return self.open_next(path);
            }
            (event, _) => event,
        };
        if let Event::Failed(_, error) = &event {
            self.refused = self.refused.or(Refusal::of(*error));
        }
        match (event, &self.stage) {
            (Event::Opened(path, meta), stage) => {
                if let Stage::Spa = stage {
                    ex.log_refusal(self.refused);
                }
                self.send_file(ex, &path, meta)
            }
            // Nobody knows whether it is there, and later somebody may.
            (Event::Failed(_, FsError::NoResources), _) => {
                self.error(ex, 503, "Too few resources to open it")
            }
            (
                Event::Failed(
                    _,
                    error @ (FsError::TooMany | FsError::TooLong | FsError::Unsupported),
                ),
                Stage::Archive(it),
            ) => {
                let (status, message) = (it.complaint)(error);
                self.error(ex, status, message)
            }
            // The page is there but cannot be had: that is no reason to show the listing.
            (Event::Failed(_, FsError::Forbidden | FsError::Io), Stage::Index(n))
                if *n < self.index_pages.len() =>
            {
                self.not_found(ex)
            }
            (Event::Directory(mut path) | Event::Failed(mut path, _), &Stage::Index(n))
                if n < self.index_pages.len() =>
            {
                path.pop();
                self.try_index(ex, path, n + 1)
            }
            (Event::Directory(_), Stage::Target) => self.redirect(ex),
            (Event::Listed(path, entries), _) => self.list(ex, &path, entries),
            (Event::Failed(_, FsError::Forbidden), Stage::Index(_)) => {
                self.error(ex, 404, "No permission to list directory")
            }
            (Event::Directory(_) | Event::Failed(..), _) => self.not_found(ex),
            (Event::End, _) => self.go_on(ex),
            _ => Next::Done,
        }
    }
}
