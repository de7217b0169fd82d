//! [`Cgi`]: a service that runs CGI scripts (RFC 3875), as Python's `CGIHTTPRequestHandler` does.
//!
//! It finds the script, builds its environment and checks its output. The file system runs the process.

mod environment;
mod response;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use self::environment::{Environment, Server, path_info};
use self::response::{Parsed, ScriptHeader};
use crate::engine::log::Refusal;
use crate::engine::{Event, Exchange, Handler, Next};
use crate::fs::{CgiScript, FsError, Meta, Path, Right};
use crate::service::Files;
use crate::sync::Arc;
use crate::text::case_folding;
use crate::text::escape::{Repr, bytes};
use crate::wire::RequestHead;

/// Runs the scripts in some directories, and serves everything else as [`Files`] does.
///
/// Unlike CPython, it honours the script's `Status` and `Location`, checks its header before any of it is sent, frames
/// the reply, and decodes the path only once. The environment has every field of the request, under a name that begins
/// with `HTTP_`, except dangerous ones: `Proxy`, passwords, hop-by-hop fields, and names with characters other than
/// letters, digits and hyphens.
///
/// If a script sends only a `Location` with a path, the server answers a GET of that path in its place (RFC 3875
/// §6.2.2), at most ten times for each request.
///
/// ```
/// use sanserve_core::Cgi;
///
/// let mut cgi = Cgi::new("www.example", 80); // the name and port of the server, for scripts
/// cgi.settings_mut().cgi_directories = vec!["/scripts".into()];
/// cgi.files.settings_mut().index_pages = vec!["home.html".into()];
/// ```
///
/// If the file system cannot run scripts ([`FileSystem::run`](crate::FileSystem::run)), the reply is 501.
#[derive(Debug, Clone)]
pub struct Cgi {
    /// The service for all other requests.
    pub files: Files,
    settings: Arc<CgiSettings>,
    stage: Stage,
    /// The local redirect that is being answered, and the number of redirects so far.
    redirected: Option<Arc<RequestHead>>,
    redirects: u8,
}

/// The settings of [`Cgi`]. A `Cgi` holds them in an `Arc`, which its clones share.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CgiSettings {
    /// The directories whose files, at any depth, are scripts. `/cgi-bin` and `/htbin` by default.
    pub cgi_directories: Vec<Cow<'static, str>>,
    /// `SERVER_NAME` for requests without `Host`: the name on which the server listens.
    pub server_name: Cow<'static, str>,
    /// `SERVER_PORT` for requests without `Host`. For others it is the port in `Host`, or 80 or 443 if it has none.
    pub server_port: u16,
    /// Whether the server uses TLS, and sets `HTTPS=on`. Off by default. What a proxy says about a request
    /// ([`Client::https`](crate::Client::https)) comes first.
    pub https: bool,
    /// Whether a [`Guard`](crate::Guard) is in front of the service, so that scripts get the name of the user as
    /// `REMOTE_USER`, and `AUTH_TYPE`. Off by default.
    pub behind_guard: bool,
}

#[derive(Debug, Clone)]
enum Stage {
    /// No script is involved: the file service answers.
    Files,
    /// The file system is being asked for the script.
    Search(Search),
    /// The content is being written to the script.
    Feed,
    /// The script's header is being read.
    Head(ScriptHeader),
    /// The script has requested a local redirect and is read to its end.
    Redirect(Arc<RequestHead>),
    /// The output after the header is being sent.
    Send,
    /// The reply is complete; further output is discarded until the script ends.
    Drain,
}

/// The search for a script, one directory after the other.
#[derive(Debug, Clone)]
struct Search {
    /// The path of the request.
    path: Path,
    /// The number of segments below the script directory that have been tried.
    depth: usize,
}

impl Cgi {
    /// Returns a service with the settings of `http.server --cgi`, for a server that listens at this name and port. To
    /// serve several connections, clone it: the clones share its settings.
    #[must_use]
    pub fn new(server_name: impl Into<Cow<'static, str>>, server_port: u16) -> Self {
        Cgi {
            files: Files::new(),
            settings: Arc::new(CgiSettings {
                cgi_directories: vec![Cow::Borrowed("/cgi-bin"), Cow::Borrowed("/htbin")],
                server_name: server_name.into(),
                server_port,
                https: false,
                behind_guard: false,
            }),
            stage: Stage::Files,
            redirected: None,
            redirects: 0,
        }
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &CgiSettings {
        &self.settings
    }

    /// Returns the settings, to change them. Clones that were made before keep theirs.
    pub fn settings_mut(&mut self) -> &mut CgiSettings {
        Arc::make_mut(&mut self.settings)
    }

    /// Returns the number of segments of this path that form a script directory, or `None` if the path is in none.
    ///
    /// ```
    /// # use sanserve_core::{Cgi, Path};
    /// let cgi = Cgi::new("localhost", 8000);
    /// assert_eq!(cgi.is_cgi(&Path::parse("/x/..//cgi-bin%2fa.sh/info?q").unwrap()), Some(1));
    /// assert_eq!(cgi.is_cgi(&Path::parse("/cgi-bin").unwrap()), None);
    /// ```
    #[must_use]
    pub fn is_cgi(&self, path: &Path) -> Option<usize> {
        let directory = &path.as_bytes()[..self.directory(path)?];
        Some(directory.split(|&byte| byte == b'/').count())
    }

    /// Returns whether this path is in a script directory in other letter case. Such a path is never served: on a
    /// case-insensitive file system the reply would be the source of the script.
    ///
    /// Other differences that some file systems ignore count as well: invisible characters, and letters such as `ſ` and
    /// `ﬁ`, which fold to `s` and `fi`. Names in [`cgi_directories`](CgiSettings::cgi_directories) should be ASCII:
    /// composed and decomposed accents are not compared.
    ///
    /// ```
    /// # use sanserve_core::{Cgi, Path};
    /// let cgi = Cgi::new("localhost", 8000);
    /// assert!(cgi.is_case_variant(&Path::parse("/CGI-BIN/a.sh").unwrap()));
    /// assert!(!cgi.is_case_variant(&Path::parse("/cgi-bin/a.sh").unwrap()));
    /// ```
    #[must_use]
    pub fn is_case_variant(&self, path: &Path) -> bool {
        let path = path.as_bytes();
        let mut names = self.names();
        !self.names().any(|name| is_within(path, name))
            && names.any(|name| case_folding::is_within_folded(path, name))
    }

    /// Returns the script directories, as paths from the root.
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        let names = self.settings.cgi_directories.iter();
        let names = names.map(|name| name.trim_matches('/').as_bytes());
        names.filter(|name| !name.is_empty())
    }

    /// Returns the length in bytes of the script directory at the start of this path, or `None` if the path is in none.
    fn directory(&self, path: &Path) -> Option<usize> {
        let bytes = path.as_bytes();
        let leads = |name: &[u8]| bytes.len() > name.len() || path.ends_with_slash();
        let above = self
            .names()
            .filter(|name| is_within(bytes, name) && leads(name));
        above.map(<[u8]>::len).min()
    }

    /// Returns whether the file service must not see this request, because it would send a script as a file: if the
    /// path is in other letter case, or if [`FileSettings::translate_path`](crate::FileSettings::translate_path) leads
    /// to scripts.
    fn must_not_serve(&self, ex: &Exchange<'_>, path: Option<&Path>) -> bool {
        let translated = (self.files.settings().translate_path)(ex.path());
        path.is_some_and(|path| self.is_case_variant(path))
            || translated
                .is_some_and(|path| self.directory(&path).is_some() || self.is_case_variant(&path))
    }

    /// Returns whether the request is for an archive of a directory that contains scripts at any depth, and so would
    /// contain their source.
    fn discloses_scripts(&self, ex: &Exchange<'_>) -> bool {
        let holds = |path: &Path| {
            let above = path.as_bytes();
            self.names()
                .any(|name| above.is_empty() || case_folding::is_within_folded(name, above))
        };
        let path = || (self.files.settings().translate_path)(ex.path());
        (self.files.settings().archive)(ex.path()).is_some() && path().as_ref().is_some_and(holds)
    }

    /// Opens the path with one more segment.
    fn search(&mut self, ex: &mut Exchange<'_>, mut found: Path, search: Search) -> Next {
        let Search { path, depth } = search;
        let end = found.as_bytes().len();
        let next = match path.as_bytes().get(end..) {
            None | Some([]) => {
                let slash = if path.ends_with_slash() { "/" } else { "" };
                return not_regular_file(ex, &(name(&found) + slash));
            }
            Some(rest) => rest.strip_prefix(b"/").unwrap_or(rest),
        };
        if depth == DEPTH_MAX {
            return not_found(ex, &name(&found));
        }
        let len = next.iter().position(|&byte| byte == b'/');
        found.descend(&next[..len.unwrap_or(next.len())]);
        self.stage = Stage::Search(Search {
            path,
            depth: depth + 1,
        });
        Next::Open(found)
    }

    fn run(&mut self, ex: &mut Exchange<'_>, path: &Path, script: Path, meta: Meta) -> Next {
        if !meta.executable {
            return not_executable(ex, &name(&script));
        }
        let query = ex.path().split_once('?').map_or("", |(_, query)| query);
        // RFC 3875 §4.4: a query without `=` is a list of words; as in CPython, it becomes one argument.
        let args = if query.is_empty() || query.contains('=') {
            Vec::new()
        } else {
            Vec::from([bytes(&query.replace('+', " "))])
        };
        let server = Server {
            name: &self.settings.server_name,
            port: self.settings.server_port,
            https: ex.forwarded_https().unwrap_or(self.settings.https),
        };
        let (info, path_translated) = path_info(path, script.as_bytes().len());
        let mut environment = Environment::new(ex, server, script.as_bytes(), info);
        if let Some(credentials) = ex.credentials().filter(|_| self.settings.behind_guard) {
            environment.set("AUTH_TYPE", b"Basic".to_vec());
            environment.set("REMOTE_USER", credentials.user().into());
        }
        self.stage = Stage::Feed;
        Next::Run(Box::new(CgiScript {
            path: script,
            args,
            env: environment.into_variables(),
            path_translated,
        }))
    }

    /// Continues the search for the script.
    fn on_lookup(&mut self, ex: &mut Exchange<'_>, event: Event<'_>, search: Search) -> Next {
        let path = &search.path;
        match event {
            Event::Opened(script, meta) => self.run(ex, path, script, meta),
            Event::Directory(found) => self.search(ex, found, search),
            Event::Failed(tried, error) => match error {
                FsError::NotRegularFile => not_regular_file(ex, &name(&tried)),
                FsError::Forbidden => not_executable(ex, &name(&tried)),
                FsError::NoResources => cannot_run(ex, error),
                error => {
                    let next = not_found(ex, &name(&tried));
                    ex.log_refusal(Refusal::of(error));
                    next
                }
            },
            _ => not_found(ex, &name(path)),
        }
    }

    /// Parses output of the script up to the end of its header.
    fn on_header_data(
        &mut self,
        ex: &mut Exchange<'_>,
        event: Event<'_>,
        mut script: ScriptHeader,
    ) -> Next {
        match event {
            Event::Data(bytes) => match script.parse_output(bytes, ex) {
                Ok(Parsed::Incomplete) => {
                    self.stage = Stage::Head(script);
                    Next::Read
                }
                Ok(Parsed::Reply(content)) => {
                    ex.write(content);
                    self.stage = Stage::Send;
                    Next::Send(0..u64::MAX)
                }
                Ok(Parsed::Local(head, [])) => {
                    self.stage = Stage::Redirect(head);
                    Next::Read
                }
                // RFC 3875 §6.2.2: a local redirect must have no content.
                Ok(Parsed::Local(head, _)) => self.redirect(ex, head),
                Err(message) => ex.send_error(500, message),
            },
            Event::Failed(_, error) => cannot_run(ex, error),
            _ => ex.send_error(500, "CGI script sent no header"),
        }
    }
}

impl Cgi {
    /// Answers the request of a local redirect.
    fn redirect(&mut self, ex: &mut Exchange<'_>, head: Arc<RequestHead>) -> Next {
        if self.redirects == REDIRECTS_MAX {
            return ex.send_error(500, "CGI scripts redirected too often");
        }
        self.redirects += 1;
        ex.log_message(format_args!(
            "CGI script redirects to {}",
            Repr(head.path())
        ));
        let next = self.begin_request(&mut ex.with_head(&head));
        self.redirected = Some(head);
        next
    }

    /// Begins the reply to a request.
    fn begin_request(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.stage = Stage::Files;
        let path = Path::parse(ex.path()).filter(|path| self.files.is_visible(path));
        let directory = path.as_ref().and_then(|path| self.directory(path));
        match (path, directory, ex.command()) {
            (Some(path), Some(end), "GET" | "HEAD" | "POST") => {
                let found = path.until(end);
                self.search(ex, found, Search { path, depth: 0 })
            }
            (_, Some(_), _) => self.files.answer_method(ex, "GET, HEAD, POST, OPTIONS"),
            // The reply to OPTIONS is the same for all paths.
            (path, None, command)
                if command != "OPTIONS" && self.must_not_serve(ex, path.as_ref()) =>
            {
                let rule = Some(Refusal::Scripts);
                self.files.refuse(ex, 404, "File not found", rule)
            }
            (_, None, "GET" | "HEAD") if self.discloses_scripts(ex) => {
                self.files
                    .error(ex, 403, "The directory contains CGI scripts")
            }
            (_, None, _) => self.files.begin(ex),
        }
    }

    fn continue_reply(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match mem::replace(&mut self.stage, Stage::Files) {
            Stage::Files => self.files.resume(ex, event),
            Stage::Search(search) => self.on_lookup(ex, event, search),
            Stage::Feed => match event {
                Event::Running(_) => {
                    self.stage = Stage::Feed;
                    Next::Feed
                }
                Event::End => {
                    self.stage = Stage::Head(ScriptHeader::new());
                    Next::Read
                }
                Event::Failed(_, error) => cannot_run(ex, error),
                _ => ex.send_error(500, "CGI script cannot be run"),
            },
            Stage::Head(script) => self.on_header_data(ex, event, script),
            Stage::Redirect(head) => self.redirect(ex, head),
            // The announced length has been sent, or the request is HEAD: let the script end normally.
            Stage::Send => {
                self.stage = Stage::Drain;
                Next::Read
            }
            Stage::Drain if matches!(event, Event::Data(_)) => {
                self.stage = Stage::Drain;
                Next::Read
            }
            Stage::Drain => Next::Done,
        }
    }
}

fn cannot_run(ex: &mut Exchange<'_>, error: FsError) -> Next {
    match error {
        FsError::Unsupported => ex.send_error(501, "CGI scripts cannot be run here"),
        FsError::TooMany => ex.send_error(503, "Too many CGI scripts are running"),
        FsError::NoResources => ex.send_error(503, "Not enough resources to run a CGI script"),
        _ => ex.send_error(500, "CGI script cannot be run"),
    }
}

fn not_regular_file(ex: &mut Exchange<'_>, name: &str) -> Next {
    ex.send_error(
        403,
        format_args!("CGI script is not a plain file ({})", Repr(name)),
    )
}

fn not_executable(ex: &mut Exchange<'_>, name: &str) -> Next {
    ex.send_error(
        403,
        format_args!("CGI script is not executable ({})", Repr(name)),
    )
}

fn not_found(ex: &mut Exchange<'_>, name: &str) -> Next {
    ex.send_error(404, format_args!("No such CGI script ({})", Repr(name)))
}

/// Returns a path as in a request target.
fn name(path: &Path) -> String {
    format!("/{}", String::from_utf8_lossy(path.as_bytes()))
}

/// Returns whether a path is this directory, or below it.
fn is_within(path: &[u8], directory: &[u8]) -> bool {
    let rest = path.strip_prefix(directory);
    rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

/// The largest number of local redirects for one request. Each may start a process.
const REDIRECTS_MAX: u8 = 10;
/// The largest depth below a script directory at which a script is searched for: each costs one [`Next::Open`].
const DEPTH_MAX: usize = 64;

impl Handler for Cgi {
    /// A script may change anything even if it is requested by GET, so no method says more than that it may be run. No
    /// request stores or deletes files here.
    fn required_right(&self, _: &Exchange<'_>) -> Right {
        Right::Read
    }

    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (self.redirected, self.redirects) = (None, 0);
        self.begin_request(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let next = match self.redirected.clone() {
            None => self.continue_reply(ex, event),
            Some(head) => self.continue_reply(&mut ex.with_head(&head), event),
        };
        if next == Next::Done {
            self.redirected = None;
        }
        next
    }
}
