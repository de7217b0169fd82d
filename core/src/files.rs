//! [`Files`]: the file service, GET and HEAD as `SimpleHTTPRequestHandler` answers them.

use crate::listing::Listing;
use crate::{Event, Exchange, FsError, Handler, Meta, Next, Path, date, mime};

/// Serves the files of a tree: index pages, redirects to directories, listings, media types,
/// `If-Modified-Since`.
///
/// The tree itself belongs to the adapter; this decides what to ask of it.
#[derive(Debug, Clone)]
pub struct Files {
    /// The names that stand for a directory, if it holds one of them: the first that is a file.
    pub index_pages: &'static [&'static str],
    /// The media type of a file whose extension, in lower case and without the dot, CPython's table
    /// does not know.
    pub types: fn(extension: &str) -> Option<&'static str>,
    stage: Stage,
}

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
            types: |_| None,
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
        let media_type = mime::guess_type(path.file_name(), self.types);
        ex.send_response(200);
        ex.send_header(
            "Content-type",
            media_type.unwrap_or("application/octet-stream"),
        );
        ex.send_header("Content-Length", meta.len);
        if let Some(modified) = meta.modified {
            ex.send_date("Last-Modified", modified);
        }
        ex.end_headers();
        Next::Send(0..meta.len)
    }

    fn send_listing(&mut self, ex: &mut Exchange<'_>) -> Next {
        let Stage::Listing(listing) = &mut self.stage else {
            return Next::Done;
        };
        listing.write(ex)
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
        match Path::parse(ex.target()) {
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
            (Event::Listed(_, entries), _) => {
                self.stage = Stage::Listing(Listing::new(ex.target(), entries));
                self.send_listing(ex)
            }
            (Event::Failed(_, FsError::Forbidden), Stage::Index(_)) => {
                ex.send_error(404, "No permission to list directory")
            }
            (Event::Failed(..), _) => not_found(ex),
            (Event::End, Stage::Listing(_)) => self.send_listing(ex),
            (Event::End | Event::Data(_), _) => Next::Done,
        }
    }
}

fn not_found(ex: &mut Exchange<'_>) -> Next {
    ex.send_error(404, "File not found")
}

/// `Unsupported method ('POST')`.
struct Unsupported<'a>(&'a str);

impl core::fmt::Display for Unsupported<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "Unsupported method ({})", crate::escape::Repr(self.0))
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
    ex.send_header("Location", Location(ex.target()));
    ex.send_header("Content-Length", 0);
    ex.end_headers();
    Next::Done
}

/// A target with a slash added to its path. What browsers would take for the start of another
/// host's name, as in `//host` and `/\host`, becomes one slash.
struct Location<'a>(&'a str);

impl core::fmt::Display for Location<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (rest, fragment) = self.0.split_once('#').unwrap_or((self.0, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let below = path.trim_start_matches(['/', '\\']);
        let root = if below.len() < path.len() { "/" } else { "" };
        write!(out, "{root}{below}/")?;
        for (mark, part) in [('?', query), ('#', fragment)] {
            if !part.is_empty() {
                write!(out, "{mark}{part}")?;
            }
        }
        Ok(())
    }
}
