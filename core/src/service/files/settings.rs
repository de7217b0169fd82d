//! [`FileSettings`]: the settings of the file service, shared by the connections of a server.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Debug};

use super::ShowReadme;
use crate::fs::Path;
use crate::service::archive::Download;
use crate::service::disposition::SendDisposition;
use crate::service::listing::{self, ListDirectory};
use crate::sync::{Arc, share};
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
    /// Whether the listings of [`listing::page`] are compressed with gzip for clients that accept it (RFC 9110
    /// §12.5.3). Off by default.
    ///
    /// One of less than 512 bytes is not compressed. One of less than 64 KiB has a `Content-Length`; a longer one is
    /// compressed and sent piece by piece. The `ETag` of a compressed listing is weak. A request with `Range` or
    /// `If-Match`, or with the tag of the uncompressed listing, gets that one.
    #[cfg(feature = "gzip")]
    pub compress_listings: bool,
    /// Whether files of 512 bytes to 1 MiB that are text by their media type are compressed with gzip for clients that
    /// accept it (RFC 9110 §12.5.3). Off by default, and with [`plain`](Self::plain).
    ///
    /// Text is `text/*`, JSON, XML, JavaScript, SVG, WebAssembly and the like. With [`precompressed`](Self::precompressed),
    /// a compressed file comes first. A compressed reply has a weak `ETag`, and neither a `Content-Length` nor ranges. A
    /// request with `Range` or `If-Match`, or with the tag of the file, gets the uncompressed file. If secrets and text
    /// that others choose are in one file, its compressed length may disclose the secrets (BREACH).
    #[cfg(feature = "gzip")]
    pub compress_files: bool,
    /// The `Cache-Control` of files and listings. None by default.
    pub cache_control: Option<Cow<'static, str>>,
    /// The origin whose pages may use the replies (CORS), or `*` for all origins. If it is set, preflights are
    /// answered, too. None by default.
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
    /// Whether [`listing::page`] shows the README of a directory below the entries: [`ShowReadme::new`]. `None` by
    /// default.
    pub readme: Option<ShowReadme>,
    /// Whether [`listing::page`] has a button that requests `?qr`, for a handler around this service that answers it with
    /// the QR code of the directory's address. Off by default.
    pub qr_code: bool,
    /// Returns the archive format that a target requests for a directory, if any. Never by default; [`Download::parse`]
    /// recognises `/directory/?zip` and `?tar`.
    pub archive: ChooseArchive,
    /// Sends `Content-Disposition` with a file. None by default;
    /// [`disposition::on_request`](crate::disposition::on_request) sends it for `/file?download`.
    pub disposition: Option<SendDisposition>,
    /// The only file that is served, if it is set. A request for the root is redirected to it; every other path is a 404.
    /// It may have a hidden name. None by default.
    pub single_file: Option<Path>,
    /// Whether `/page` is answered with the file `page.html` if there is no file `page`, also if there is a directory
    /// `page`. Within an [`Upload`](crate::Upload), only if `page` has no dot in its name. Off by default.
    pub clean_urls: bool,
    /// The number of segments at the start of a target that are above the root, such as 1 if the root is mounted at
    /// `/files/`. The breadcrumbs of [`listing::page`] begin below them. 0 by default.
    pub mount_depth: usize,
    /// Whether the redirect to a directory whose slash is missing names its whole path, as in CPython:
    /// `/directory/name/`. By default it is relative, `./name/`, since a proxy may have removed a prefix of the path.
    pub absolute_redirects: bool,
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

impl FileSettings {
    /// Mounts the root at a path, such as that of `/files`: sets [`translate_path`](Self::translate_path), which then
    /// returns `None` for targets outside of it, and [`mount_depth`](Self::mount_depth). A request for the path without
    /// a slash at its end is redirected.
    ///
    /// ```
    /// use sanserve_core::{FileSettings, Path};
    ///
    /// let mut settings = FileSettings::default();
    /// settings.mount_at(Path::parse("/files").unwrap());
    /// assert_eq!((settings.translate_path)("/files/a.txt"), Path::parse("/a.txt"));
    /// assert_eq!((settings.translate_path)("/a.txt"), None);
    /// ```
    pub fn mount_at(&mut self, path: Path) {
        self.mount_depth = path.segments().count();
        self.translate_path = share(Box::new(move |target| Path::parse(target)?.below(&path)));
    }

    /// Returns whether the coding of a file depends on the request.
    #[inline]
    pub(super) fn negotiates_coding(&self) -> bool {
        #[cfg(feature = "gzip")]
        let compresses = self.compress_files;
        #[cfg(not(feature = "gzip"))]
        let compresses = false;
        self.precompressed || compresses
    }
}

impl Default for FileSettings {
    /// Returns the settings that `http.server` has.
    fn default() -> Self {
        FileSettings {
            index_pages: vec![Cow::Borrowed("index.html"), Cow::Borrowed("index.htm")],
            guess_type: share(Box::new(|name| {
                mime::guess_type(name, |_| None).map(Cow::Borrowed)
            })),
            default_type: Cow::Borrowed("application/octet-stream"),
            charset: None,
            precompressed: false,
            #[cfg(feature = "gzip")]
            compress_listings: false,
            #[cfg(feature = "gzip")]
            compress_files: false,
            cache_control: None,
            cors: None,
            spa: None,
            not_found_page: None,
            extra_headers: Vec::new(),
            translate_path: share(Box::new(Path::parse)),
            hidden: false,
            list_directory: share(Box::new(listing::python)),
            readme: None,
            qr_code: false,
            archive: share(Box::new(|_| None)),
            disposition: None,
            single_file: None,
            clean_urls: false,
            mount_depth: 0,
            absolute_redirects: false,
            plain: false,
        }
    }
}

impl Debug for FileSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Functions are not `Debug`.
        let mut out = out.debug_struct("FileSettings");
        #[cfg(feature = "gzip")]
        out.field("compress_listings", &self.compress_listings)
            .field("compress_files", &self.compress_files);
        out.field("index_pages", &self.index_pages)
            .field("default_type", &self.default_type)
            .field("charset", &self.charset)
            .field("precompressed", &self.precompressed)
            .field("cache_control", &self.cache_control)
            .field("cors", &self.cors)
            .field("spa", &self.spa)
            .field("not_found_page", &self.not_found_page)
            .field("extra_headers", &self.extra_headers)
            .field("hidden", &self.hidden)
            .field("readme", &self.readme)
            .field("qr_code", &self.qr_code)
            .field("single_file", &self.single_file)
            .field("clean_urls", &self.clean_urls)
            .field("mount_depth", &self.mount_depth)
            .field("absolute_redirects", &self.absolute_redirects)
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}
