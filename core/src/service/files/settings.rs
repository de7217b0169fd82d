//! [`FileSettings`]: the settings of the file service, shared by the connections of a server.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Debug};

use crate::fs::Path;
use crate::service::archive::Download;
use crate::service::listing::{self, ListDirectory};
use crate::text::mime;

/// The settings of [`Files`](crate::Files): the attributes that subclasses of Python's `SimpleHTTPRequestHandler`
/// override, and many more.
///
/// They own their data and functions, so that they can be read from a file or a database. A `Files` holds them in an
/// `Arc`, which its clones share.
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
    /// The names of index pages: for a directory, the first of them that exists in it is sent. `index.html` and
    /// `index.htm` by default.
    pub index_pages: Vec<Cow<'static, str>>,
    /// Returns the media type of a file by its name, which may have any bytes. CPython's table by default:
    /// [`mime::guess_type`].
    pub guess_type: GuessType,
    /// The media type of a file for which [`guess_type`](Self::guess_type) returns none. `application/octet-stream` by
    /// default.
    pub default_type: Cow<'static, str>,
    /// The `charset` parameter of media types that begin with `text/`, such as `utf-8`, except `text/html` and
    /// `text/xml`, as the parameter would overrule the encoding that these documents declare. None by default, as in
    /// CPython; browsers then assume Windows-1252. If it is set, files in another encoding are displayed incorrectly.
    pub charset: Option<Cow<'static, str>>,
    /// Whether a file `page.html.br`, `.zst` or `.gz` is sent in place of `page.html` to a client that accepts it. Each
    /// missing variant costs one [`Next::Open`](crate::Next::Open). You must keep the variants in sync. Off by default.
    pub precompressed: bool,
    /// The `Cache-Control` of files and listings. None by default.
    pub cache_control: Option<Cow<'static, str>>,
    /// The origin whose pages may use the replies (CORS), or `*` for all origins. If it is set, preflights are answered,
    /// too. None by default.
    pub cors: Option<Cow<'static, str>>,
    /// The path of a file that is sent with status 200 if a browser navigates to a page that does not exist: a
    /// single-page application, which decides what to show. None by default.
    pub spa: Option<Cow<'static, str>>,
    /// The path of a file that is sent with status 404 for a missing file. None by default.
    pub not_found_page: Option<Cow<'static, str>>,
    /// Additional fields of replies with status 200 and 206. A field is omitted if the reply already has one of that
    /// name. None by default.
    pub extra_headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Converts a target to a path; `None` becomes a 404. [`Path::parse`] by default.
    pub translate_path: TranslatePath,
    /// Whether files whose names begin with a dot are served and listed. Off by default: a folder that is shared
    /// casually often contains a `.git` or `.env`. `/.well-known` is always served.
    pub hidden: bool,
    /// Replies with the listing of a directory. CPython's page by default; [`listing::page`] has more features.
    pub list_directory: ListDirectory,
    /// Returns the archive format that a target requests for a directory, if any. Never by default; [`Download::parse`]
    /// recognises `/directory/?zip` and `?tar`.
    pub archive: ChooseArchive,
    /// The number of segments at the start of a target that are above the root, such as 1 if the root is mounted at
    /// `/files/`. The breadcrumbs of [`listing::page`] begin below them. 0 by default.
    pub mount_depth: usize,
    /// Whether replies are the same as CPython's, to the byte: no `ETag`, no ranges, no precondition but
    /// `If-Modified-Since`, 501 for every method but GET and HEAD, redirects to absolute paths, and errors that close
    /// the connection. What is refused for safety is refused in this mode, too. Off by default.
    pub plain: bool,
}

/// A function that returns the media type of a file by its name.
pub type GuessType = Arc<dyn Fn(&[u8]) -> Option<Cow<'static, str>> + Send + Sync>;

/// A function that converts a target to a path.
pub type TranslatePath = Arc<dyn Fn(&str) -> Option<Path> + Send + Sync>;

/// A function that returns the archive format that a target requests.
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
        // Functions are not `Debug`.
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
