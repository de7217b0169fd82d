//! [`FileSettings`]: what can be set about the file service, shared by the connections of a server.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Debug};

use crate::fs::Path;
use crate::service::archive::Download;
use crate::service::listing::{self, ListDirectory};
use crate::text::mime;

/// The settings of [`Files`](crate::Files): what `SimpleHTTPRequestHandler` lets a subclass change, and what its users have asked for.
///
/// They own their text and may own whatever their functions capture, so that they can come from a file or a database.
/// A `Files` holds them in an `Arc`, and its clones share them.
///
/// ```
/// use std::{collections::HashMap, sync::Arc};
///
/// use sanserve_core::{FileSettings, Files, mime};
///
/// let types = HashMap::from([("rs".to_string(), "text/x-rust".to_string())]);
/// let mut settings = FileSettings::default();
/// settings.index_pages = vec!["home.html".into()];
/// settings.cache_control = Some("no-cache".into());
/// settings.extra_headers = vec![("X-Frame-Options".into(), "DENY".into())];
/// settings.guess_type = Arc::new(move |name| {
///     let name = str::from_utf8(name).ok()?;
///     let own = name.rsplit_once('.').and_then(|(_, extension)| types.get(extension));
///     let known = || mime::guess_type(name.as_bytes(), |_| None).map(Into::into);
///     own.map(|own| own.clone().into()).or_else(known)
/// });
/// let files = Files::from(settings);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct FileSettings {
    /// The names of index pages: for a directory, the first of them that is a file in it is sent. `index.html` and `index.htm` by default.
    pub index_pages: Vec<Cow<'static, str>>,
    /// Returns the media type of a file by its name, which is any bytes. CPython's table by default:
    /// [`mime::guess_type`].
    pub guess_type: GuessType,
    /// The media type of a file for which that has none. `application/octet-stream` by default.
    pub default_type: Cow<'static, str>,
    /// The `charset` parameter of media types that begin with `text/`, such as `utf-8`, but not of `text/html` and
    /// `text/xml`: these documents name their own, which the parameter would overrule. None by default, as in
    /// CPython, and browsers take text for Windows-1252. A file in another encoding is shown wrong if it is set.
    pub charset: Option<Cow<'static, str>>,
    /// Whether a file `page.html.br`, `.zst` or `.gz` is sent in place of `page.html` to a client that
    /// accepts it. Each missing variant costs one [`Next::Open`](crate::Next::Open). You must keep the variants in sync. Off by default.
    pub precompressed: bool,
    /// The `Cache-Control` of files and listings. None by default.
    pub cache_control: Option<Cow<'static, str>>,
    /// The origin of the pages that may use what is served, `*` for all of them. If it is set,
    /// preflights are answered, too. None by default.
    pub cors: Option<Cow<'static, str>>,
    /// The file, below the root, that is sent with status 200 if a browser navigates to a page that
    /// does not exist: the application in it decides what to show. None by default.
    pub spa: Option<Cow<'static, str>>,
    /// The file, below the root, that is sent with status 404 for a missing file. None by default.
    pub not_found_page: Option<Cow<'static, str>>,
    /// Further fields of replies with status 200 and 206. If a reply already has a field of that name,
    /// the further one is not sent. None by default.
    pub extra_headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Returns the path that a target names; `None` is a 404. [`Path::parse`] by default.
    pub translate_path: TranslatePath,
    /// Whether files whose names begin with a dot are served and listed. Off by default: a folder that is shared casually often
    /// contains a `.git` or `.env`. `/.well-known` is always served.
    pub hidden: bool,
    /// Answers with the listing of a directory. CPython's page by default;
    /// [`listing::page`] is a more useful one.
    pub list_directory: ListDirectory,
    /// Returns the archive that a target asks for in place of a directory, if it does. Never by default;
    /// [`Download::parse`] has `/directory/?zip` and `?tar`.
    pub archive: ChooseArchive,
    /// How many segments at the front of a target's path are above the root, such as 1 if the root
    /// is `/files/`. The breadcrumbs of [`listing::page`] begin below them. 0 by default.
    pub mount_depth: usize,
    /// Whether replies have only what CPython's have, with which they then agree to the byte: no `ETag`, no
    /// ranges, no precondition but `If-Modified-Since`, 501 for every method but GET and HEAD, redirects to absolute
    /// paths; and an error closes the connection. Names and requests that are refused for safety still are. Off by default.
    pub plain: bool,
}

/// Returns the media type of a file by its name.
pub type GuessType = Arc<dyn Fn(&[u8]) -> Option<Cow<'static, str>> + Send + Sync>;

/// Returns the path that a target names.
pub type TranslatePath = Arc<dyn Fn(&str) -> Option<Path> + Send + Sync>;

/// Returns the archive that a target asks for.
pub type ChooseArchive = Arc<dyn Fn(&str) -> Option<&'static Download> + Send + Sync>;

impl Default for FileSettings {
    /// Returns the settings that `http.server` has.
    fn default() -> Self {
        FileSettings {
            index_pages: vec![Cow::Borrowed("index.html"), Cow::Borrowed("index.htm")],
            guess_type: Arc::new(|name| mime::guess_type(name, |_| None).map(Cow::Borrowed)),
            default_type: Cow::Borrowed("application/octet-stream"),
            charset: None,
            precompressed: false,
            cache_control: None,
            cors: None,
            spa: None,
            not_found_page: None,
            extra_headers: Vec::new(),
            translate_path: Arc::new(Path::parse),
            hidden: false,
            list_directory: Arc::new(listing::python),
            archive: Arc::new(|_| None),
            mount_depth: 0,
            plain: false,
        }
    }
}

impl Debug for FileSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The functions have nothing to show.
        out.debug_struct("FileSettings")
            .field("index_pages", &self.index_pages)
            .field("default_type", &self.default_type)
            .field("charset", &self.charset)
            .field("precompressed", &self.precompressed)
            .field("cache_control", &self.cache_control)
            .field("cors", &self.cors)
            .field("spa", &self.spa)
            .field("not_found_page", &self.not_found_page)
            .field("extra_headers", &self.extra_headers)
            .field("hidden", &self.hidden)
            .field("mount_depth", &self.mount_depth)
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}
