//! [`Files`]: the file service. It answers like Python's `SimpleHTTPRequestHandler`, and as RFC 9110 specifies for an origin
//! server.
//!
//! This file selects the file for a request. `file_reply` has the reply with a file, `byteranges` its ranges,
//! `compressed` compresses it, `content_type` has its media type, `readme` the text below a listing, and `other_methods`
//! the methods other than GET and HEAD.

mod byteranges;
#[cfg(feature = "gzip")]
mod compressed;
mod content_type;
mod file_reply;
mod navigation;
mod other_methods;
mod readme;
mod redirect;
mod settings;
mod single_file;

use alloc::borrow::Cow;
use alloc::boxed::Box;

use self::byteranges::Parts;
#[cfg(feature = "gzip")]
use self::compressed::CompressedFile;
use self::navigation::is_navigation;
use self::other_methods::ALLOW;
use self::readme::ReadmeFile;
pub use self::readme::ShowReadme;
pub(crate) use self::redirect::SelfReference;
pub use self::settings::{ChooseArchive, FileSettings, GuessType, TranslatePath};
use crate::engine::log::Refusal;
use crate::engine::{Event, Exchange, Handler, Next};
use crate::fs::{Entries, FsError, Path, Right};
use crate::service::archive::Download;
use crate::service::coding::Codings;
use crate::service::listing::{Changes, Directory, Listing, Readme, Scope};
use crate::service::reply_fields::ReplyFields;
use crate::sync::Arc;

/// Serves a tree of files, with index pages, redirects to directories, listings, media types, ranges and preconditions.
/// The adapter accesses the files; this handler decides what to ask for.
///
/// Its [settings](FileSettings) can be changed, and are shared by its clones. To change more, write a handler that
/// contains a `Files` and forwards the requests that it does not answer itself.
///
/// ```
/// use std::sync::Arc;
///
/// use sanserve_core::{Files, listing};
///
/// let mut files = Files::new();
/// files.settings_mut().cache_control = Some("no-cache".into());
/// files.settings_mut().list_directory = Arc::new(listing::page);
/// ```
#[derive(Debug, Clone)]
pub struct Files {
    settings: Arc<FileSettings>,
    /// The changes that an [`Upload`](crate::Upload) that wraps it accepts, for listings to offer.
    pub(crate) changes: Option<Changes>,
    stage: Stage,
    codings: Codings,
    /// The undisclosed reason for which the request is refused, once it is known.
    refused: Option<Refusal>,
}

#[derive(Debug, Clone)]
enum Stage {
    /// The file that the target names is being opened or sent.
    Target,
    /// The index page with this number is being opened.
    Index(usize),
    /// The page with the name of the target and `.html` is being opened. The target is a directory or missing.
    Page { directory: bool },
    /// The target is not below the root, or no file can have its name.
    Outside,
    /// [`FileSettings::spa`] is being opened.
    Spa,
    /// [`FileSettings::not_found_page`] is being opened.
    NotFound,
    /// The target is being opened or sent as an archive.
    Archive(&'static Download),
    /// The README for a listing is being opened or read.
    Readme(Box<ReadmeFile>),
    /// A listing is being sent.
    Listing(Box<Listing>),
    /// Several ranges of a file are being sent.
    Parts(Box<Parts>),
    /// A file is being compressed and sent.
    #[cfg(feature = "gzip")]
    Compressed(Box<CompressedFile>),
}

impl Files {
    /// Returns a file service with the default settings, which are those of `http.server`. To serve several
    /// connections, clone it: the clones share its settings.
    #[must_use]
    pub fn new() -> Self {
        FileSettings::default().into()
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &FileSettings {
        &self.settings
    }

    /// Returns the settings, to change them. Clones that were made before keep theirs.
    pub fn settings_mut(&mut self) -> &mut FileSettings {
        Arc::make_mut(&mut self.settings)
    }

    /// Opens a file, in the best variant.
    fn open(&mut self, ex: &Exchange<'_>, path: Path) -> Next {
        self.codings = Codings::NONE;
        if self.settings.negotiates_coding() && !path.file_name().is_empty() {
            self.codings = Codings::accepted(ex);
            #[cfg(feature = "gzip")]
            if !self.settings.precompressed {
                self.codings = self.codings.without_files();
            }
        }
        self.codings.open_next(path)
    }

    /// Opens the index page number `index` of a directory, or lists the directory after the last one.
    fn try_index(&mut self, ex: &Exchange<'_>, mut directory: Path, index: usize) -> Next {
        self.stage = Stage::Index(index);
        match self.settings.index_pages.get(index) {
            Some(page) => {
                directory.push(page);
                self.open(ex, directory)
            }
            None => Next::List(directory),
        }
    }

    /// Opens a directory's index page, listing or archive, as the query requests.
    fn open_directory(&mut self, ex: &Exchange<'_>, path: Path) -> Next {
        match (self.settings.archive)(ex.path()) {
            None => self.try_index(ex, path, 0),
            Some(download) => {
                self.stage = Stage::Archive(download);
                (download.open)(download, path, self.settings.hidden)
            }
        }
    }

    /// Opens the page to send for a missing file, or replies 404.
    fn not_found(&mut self, ex: &mut Exchange<'_>) -> Next {
        let file = |name: &Option<Cow<'_, str>>| Path::from_bytes(name.as_deref()?.into());
        let tried = &self.stage;
        if !matches!(tried, Stage::Outside | Stage::Spa | Stage::NotFound)
            && let Some(path) = file(&self.settings.spa)
            && is_navigation(ex)
        {
            self.stage = Stage::Spa;
            return self.open(ex, path);
        }
        if !matches!(tried, Stage::NotFound)
            && let Some(path) = file(&self.settings.not_found_page)
        {
            self.stage = Stage::NotFound;
            return self.open(ex, path);
        }
        self.refuse(ex, 404, "File not found", self.refused)
    }

    /// Returns whether a target may name a page without its extension. Where files can be uploaded, names with a dot do
    /// not, since a file of that name could be stored, and would be sent in place of the page.
    fn may_be_page(&self, path: &Path) -> bool {
        let uploads = self.changes.is_some_and(|changes| changes.store);
        let is_page = |name: &[u8]| !(name.is_empty() || uploads && name.contains(&b'.'));
        self.settings.clean_urls && is_page(path.file_name())
    }

    /// Opens the page that a target names without its extension.
    fn open_page(&mut self, ex: &Exchange<'_>, mut path: Path, directory: bool) -> Next {
        self.stage = Stage::Page { directory };
        path.append(PAGE_SUFFIX);
        self.open(ex, path)
    }

    /// Returns why the path of a target may not be served, as far as its name decides that.
    pub(crate) fn refusal(&self, path: Option<&Path>) -> Option<Refusal> {
        match path {
            None => Some(Refusal::Name),
            Some(path) => (!self.is_visible(path)).then_some(Refusal::Hidden),
        }
    }

    /// Returns whether the path may be served, as far as names that begin with a dot are concerned.
    pub(crate) fn is_visible(&self, path: &Path) -> bool {
        self.settings.hidden || !path.is_hidden()
    }

    /// Returns the fields that the settings add to each reply.
    fn fields(&self) -> ReplyFields<'_> {
        let settings = &*self.settings;
        ReplyFields {
            cache_control: settings.cache_control.as_deref(),
            cors: settings.cors.as_deref(),
            extra: &settings.extra_headers,
            negotiates_coding: settings.negotiates_coding(),
            replaces_missing: settings.spa.is_some(),
            plain: settings.plain,
        }
    }

    /// Replies with the listing of a directory.
    fn list(
        &mut self,
        ex: &mut Exchange<'_>,
        path: &Path,
        entries: Arc<Entries>,
        readme: Option<Readme>,
    ) -> Next {
        let settings = &*self.settings;
        let mut listing = None;
        #[cfg_attr(
            not(feature = "gzip"),
            expect(unused_mut, reason = "nothing is compressed")
        )]
        let mut fields = self.fields();
        #[cfg(feature = "gzip")]
        {
            fields.negotiates_coding |= settings.compress_listings;
        }
        let directory = Directory {
            path,
            entries,
            scope: Scope {
                hidden: settings.hidden,
                archives: (settings.archive)("/?zip").is_some(),
                qr_code: settings.qr_code,
                changes: self.changes.and_then(|changes| changes.allowed(ex)),
                may_read: ex.may(Right::Read),
                can_log_in: ex.reply.can_log_in,
                mount_depth: settings.mount_depth,
            },
            fields,
            readme,
            #[cfg(feature = "gzip")]
            compresses: settings.compress_listings,
            listing: &mut listing,
        };
        let next = (settings.list_directory)(ex, directory);
        if let Some(listing) = listing {
            self.stage = Stage::Listing(listing);
        }
        next
    }

    /// Replies with the page of a directory for a client that may store files there, but not read. It does not depend
    /// on what exists.
    pub(super) fn begin_unread(&mut self, ex: &mut Exchange<'_>) -> Next {
        let path = (self.settings.translate_path)(ex.path());
        let refusal = self.refusal(path.as_ref());
        match path.filter(|_| refusal.is_none()) {
            Some(path) => self.list(ex, &path, Arc::default(), None),
            None => self.refuse(ex, 404, "File not found", refusal),
        }
    }

    /// Continues a reply that is sent piece by piece.
    fn continue_reply(&mut self, ex: &mut Exchange<'_>) -> Next {
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

    /// Continues a reply with a file that is compressed.
    #[cfg(feature = "gzip")]
    fn continue_compressed(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let Stage::Compressed(file) = &mut self.stage else {
            return Next::Done;
        };
        let next = file.resume(ex, event);
        if next == Next::Done {
            self.stage = Stage::Target;
        }
        next
    }

    /// Redirects from `/directory` to `/directory/`.
    fn redirect(&self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(301);
        // After an internal redirect, a relative reference would be resolved against the target of the script.
        let FileSettings {
            plain,
            absolute_redirects,
            ..
        } = *self.settings;
        match plain || absolute_redirects || ex.head.is_internal_redirect() {
            true => ex.send_header("Location", redirect::Absolute(ex.path())),
            false => ex.send_header("Location", redirect::Directory(ex.path())),
        }
        ex.send_header("Content-Length", 0);
        self.fields().send_cors(ex);
        ex.end_headers();
        Next::Done
    }
}

impl<S: Into<Arc<FileSettings>>> From<S> for Files {
    fn from(settings: S) -> Self {
        Files {
            settings: settings.into(),
            changes: None,
            stage: Stage::Target,
            codings: Codings::NONE,
            refused: None,
        }
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
            return match self.settings.plain && self.settings.cors.is_none() {
                true => self.unsupported(ex),
                false => self.answer_method(ex, ALLOW),
            };
        }
        let path = (self.settings.translate_path)(ex.path());
        if let Some(file) = &self.settings.single_file {
            let file = file.clone();
            return self.begin_single_file(ex, path, file);
        }
        self.refused = self.refusal(path.as_ref());
        if path.is_none() {
            self.stage = Stage::Outside;
        }
        match path.filter(|_| self.refused.is_none()) {
            Some(path) if path.ends_with_slash() => self.open_directory(ex, path),
            Some(path) => self.open(ex, path),
            None => self.not_found(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let (Stage::Readme(_), Some(readme)) = (&self.stage, self.settings.readme) {
            return (readme.resume)(self, ex, event);
        }
        let event = match (event, self.codings.current) {
            // This variant does not exist.
            (Event::Directory(mut path) | Event::Failed(mut path, _), Some(coding)) => {
                path.remove_suffix(coding.suffix());
                return self.codings.open_next(path);
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
            // It is not known whether the file exists, and a retry may succeed.
            (Event::Failed(_, FsError::NoResources), _) => {
                self.error(ex, 503, "Not enough resources to open the file")
            }
            (
                Event::Failed(
                    _,
                    error @ (FsError::TooMany | FsError::TooLong | FsError::Unsupported),
                ),
                Stage::Archive(download),
            ) => {
                let (status, message) = (download.error_reply)(error);
                self.error(ex, status, message)
            }
            // The index page exists but cannot be served, which is no reason to show the listing.
            (Event::Failed(_, FsError::Forbidden | FsError::Io), Stage::Index(n))
                if *n < self.settings.index_pages.len() =>
            {
                self.not_found(ex)
            }
            (Event::Directory(mut path) | Event::Failed(mut path, _), &Stage::Index(n))
                if n < self.settings.index_pages.len() =>
            {
                path.pop();
                self.try_index(ex, path, n + 1)
            }
            (Event::Directory(path), Stage::Target) if self.may_be_page(&path) => {
                self.open_page(ex, path, true)
            }
            (Event::Failed(path, FsError::NotFound), Stage::Target) if self.may_be_page(&path) => {
                self.open_page(ex, path, false)
            }
            (Event::Directory(_), Stage::Target)
            | (Event::Directory(_) | Event::Failed(..), Stage::Page { directory: true }) => {
                self.redirect(ex)
            }
            (Event::Listed(path, entries), _) => match self.settings.readme {
                Some(readme) => (readme.list)(self, ex, path, entries),
                None => self.list(ex, &path, entries, None),
            },
            (Event::Failed(_, FsError::Forbidden), Stage::Index(_)) => {
                self.error(ex, 404, "No permission to list directory")
            }
            (Event::Directory(_) | Event::Failed(..), _) => self.not_found(ex),
            #[cfg(feature = "gzip")]
            (event @ (Event::Data(_) | Event::End), Stage::Compressed(_)) => {
                self.continue_compressed(ex, event)
            }
            (Event::End, _) => self.continue_reply(ex),
            _ => Next::Done,
        }
    }
}

/// The extension of pages that [`FileSettings::clean_urls`] adds.
const PAGE_SUFFIX: &str = ".html";
