//! [`Files`]: the file service, GET and HEAD as `SimpleHTTPRequestHandler` answers them.

use alloc::vec::Vec;
use core::fmt::{self, Display};

use crate::escape::Repr;
use crate::listing::Listing;
use crate::{Entry, Event, Exchange, FsError, Handler, Meta, Next, Path, date, mime};

/// Serves the files of a tree: index pages, redirects to directories, listings, media types,
/// `If-Modified-Since`. The tree itself belongs to the adapter; this decides what to ask of it.
///
/// What `SimpleHTTPRequestHandler` lets a subclass change is a field here. Whoever wants more wraps
/// it: a handler that holds a `Files` and passes on what it does not answer itself.
///
/// ```
/// use sanserve_core::{Files, mime};
///
/// let mut files = Files::new();
/// files.index_pages = &["home.html"];
/// files.extra_headers = &[("Cache-Control", "no-cache")];
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
    /// Fields for replies with status 200. Where a reply has a field of that name by itself, that
    /// one stands.
    pub extra_headers: &'static [(&'static str, &'static str)],
    /// What a target names. [`Path::parse`] if nothing is said; `None` is a 404.
    pub translate_path: fn(target: &str) -> Option<Path>,
    /// Whether names that begin with a dot can be asked for and are listed. They cannot if nothing
    /// is said: a folder that is served by the way holds a `.git` or an `.env` sooner than one
    /// thinks. `/.well-known` always can.
    pub hidden: bool,
    /// Answers with the listing of a directory, in place of CPython's page.
    pub list_directory: Option<ListDirectory>,
    stage: Stage,
}

/// What answers with the listing of a directory, given its entries in no order.
pub type ListDirectory = fn(&mut Exchange<'_>, &Path, Vec<Entry>) -> Next;

#[derive(Debug, Clone)]
enum Stage {
    /// What the target names was asked for, or is being sent.
    Target,
    /// The index page with this number was asked for.
    Index(usize),
    /// A listing is on its way.
    Listing(Listing),
}

impl Files {
    /// The file service as `http.server` has it.
    pub const fn new() -> Self {
        Files {
            index_pages: &["index.html", "index.htm"],
            guess_type: |name| mime::guess_type(name, |_| None),
            default_type: "application/octet-stream",
            extra_headers: &[],
            translate_path: Path::parse,
            hidden: false,
            list_directory: None,
            stage: Stage::Target,
        }
    }

    /// Asks for the index page number `index` of a directory, or for the listing behind the last.
    fn try_index(&mut self, mut directory: Path, index: usize) -> Next {
        self.stage = Stage::Index(index);
        match self.index_pages.get(index) {
            Some(page) => {
                directory.push(page);
                Next::Open(directory)
            }
            None => Next::List(directory),
        }
    }

    fn send_file(&mut self, ex: &mut Exchange<'_>, path: &Path, meta: Meta) -> Next {
        if is_unchanged(ex, meta) {
            ex.send_response(304);
            ex.end_headers();
            return Next::Done;
        }
        ex.send_response(200);
        ex.send_header(
            "Content-type",
            (self.guess_type)(path.file_name()).unwrap_or(self.default_type),
        );
        ex.send_header("Content-Length", meta.len);
        if let Some(modified) = meta.modified {
            ex.send_date("Last-Modified", modified);
        }
        self.send_extra_headers(ex, &["Last-Modified"]);
        ex.end_headers();
        Next::Send(0..meta.len)
    }

    /// Sends the extra fields, but not those that the reply has: these, and what every one has.
    fn send_extra_headers(&self, ex: &mut Exchange<'_>, has: &[&str]) {
        let always = ["Server", "Date", "Content-type", "Content-Length"];
        for &(name, value) in self.extra_headers {
            if !always
                .iter()
                .chain(has)
                .any(|sent| sent.eq_ignore_ascii_case(name))
            {
                ex.send_header(name, value);
            }
        }
    }

    /// Whether this may be asked for, as far as dots decide it.
    pub(crate) fn shows(&self, path: &Path) -> bool {
        self.hidden || !path.is_hidden()
    }

    fn list(&mut self, ex: &mut Exchange<'_>, path: &Path, mut entries: Vec<Entry>) -> Next {
        entries.retain(|entry| {
            Path::is_name(&entry.name) && (self.hidden || !entry.name.starts_with(b"."))
        });
        if let Some(list_directory) = self.list_directory {
            return list_directory(ex, path, entries);
        }
        let listing = Listing::new(ex.path(), entries);
        ex.send_response(200);
        ex.send_header("Content-type", "text/html; charset=utf-8");
        ex.send_header("Content-Length", listing.len());
        self.send_extra_headers(ex, &[]);
        ex.end_headers();
        self.stage = Stage::Listing(listing);
        self.send_listing(ex)
    }

    fn send_listing(&mut self, ex: &mut Exchange<'_>) -> Next {
        let Stage::Listing(listing) = &mut self.stage else {
            return Next::Done;
        };
        let next = listing.write(ex);
        if next == Next::Done {
            self.stage = Stage::Target;
        }
        next
    }
}

impl Default for Files {
    fn default() -> Self {
        Files::new()
    }
}

impl Handler for Files {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.stage = Stage::Target;
        if !matches!(ex.command(), "GET" | "HEAD") {
            return ex.send_error(501, Unsupported(ex.command()));
        }
        match (self.translate_path)(ex.path()).filter(|path| self.shows(path)) {
            Some(path) if path.ends_with_slash() => self.try_index(path, 0),
            Some(path) => Next::Open(path),
            None => not_found(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (event, &self.stage) {
            (Event::Opened(path, meta), _) => self.send_file(ex, &path, meta),
            // The page is there but cannot be had: that is no reason to show the listing.
            (Event::Failed(_, FsError::Forbidden | FsError::Broken), Stage::Index(n))
                if *n < self.index_pages.len() =>
            {
                not_found(ex)
            }
            (Event::Directory(mut path) | Event::Failed(mut path, _), &Stage::Index(n))
                if n < self.index_pages.len() =>
            {
                path.pop();
                self.try_index(path, n + 1)
            }
            (Event::Directory(_), _) => redirect(ex),
            (Event::Listed(path, entries), _) => self.list(ex, &path, entries),
            (Event::Failed(_, FsError::Forbidden), Stage::Index(_)) => {
                ex.send_error(404, "No permission to list directory")
            }
            (Event::Failed(..), _) => not_found(ex),
            (Event::End, Stage::Listing(_)) => self.send_listing(ex),
            (Event::End | Event::Data(_) | Event::Running(_), _) => Next::Done,
        }
    }
}

fn not_found(ex: &mut Exchange<'_>) -> Next {
    ex.send_error(404, "File not found")
}

/// `Unsupported method ('POST')`.
struct Unsupported<'a>(&'a str);

impl Display for Unsupported<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Unsupported method ({})", Repr(self.0))
    }
}

/// Whether the peer has this file already. As in CPython any `If-None-Match` switches the date off
/// (RFC 9110 §13.1.3), and one that cannot be read does not count.
fn is_unchanged(ex: &Exchange<'_>, meta: Meta) -> bool {
    let (Some(modified), None) = (meta.modified, ex.header("If-None-Match")) else {
        return false;
    };
    ex.header("If-Modified-Since")
        .and_then(date::parse)
        .is_some_and(|since| modified <= since)
}

/// Sends the peer from `/directory?query` to `/directory/?query`.
fn redirect(ex: &mut Exchange<'_>) -> Next {
    ex.send_response(301);
    ex.send_header("Location", Location(ex.path()));
    ex.send_header("Content-Length", 0);
    ex.end_headers();
    Next::Done
}

/// A path with a slash added to it, before its query. What browsers would take for the start of
/// another host's name, as in `//host` and `/\host`, becomes one slash.
struct Location<'a>(&'a str);

impl Display for Location<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = self.0.split_once('?').unwrap_or((self.0, ""));
        let below = path.trim_start_matches(['/', '\\']);
        write!(out, "/{below}/")?;
        if !query.is_empty() {
            write!(out, "?{query}")?;
        }
        Ok(())
    }
}
