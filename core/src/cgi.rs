//! [`Cgi`]: programs that answer requests, as `CGIHTTPRequestHandler` runs them (RFC 3875).
//!
//! Which file is the script, what it finds in its environment, and whether what it says can be
//! passed on, is decided here. To run it is the adapter's work.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::escape::Repr;
use crate::script::{Script, bytes, environment};
use crate::{Credentials, Event, Exchange, Files, FsError, Handler, Meta, Next, Path, Program};

/// Runs the scripts of some directories, and serves everything else as [`Files`] does.
///
/// Other than with CPython, a script's `Status` and `Location` are honoured, its header is checked
/// before any of it is sent, the reply is framed, and a path is decoded once. Nothing that a client
/// sends reaches the environment under a name that the client chose.
///
/// ```
/// use sanserve_core::Cgi;
///
/// let mut cgi = Cgi::new("www.example", 80); // what scripts are told of the server
/// cgi.cgi_directories = &["/scripts"];
/// cgi.files.index_pages = &["home.html"];
/// ```
///
/// Where the file system cannot run programs ([`FileSystem::run`](crate::FileSystem::run)) the reply is 501.
#[derive(Debug, Clone)]
pub struct Cgi {
    /// What serves all other requests.
    pub files: Files,
    /// The directories whose files are scripts. Those below them belong to them.
    pub cgi_directories: &'static [&'static str],
    /// `SERVER_NAME`: where the server listens.
    pub server_name: &'static str,
    /// `SERVER_PORT`.
    pub server_port: u16,
    /// Whether a [`Guard`](crate::Guard) stands before this, so that scripts may know who asks:
    /// `AUTH_TYPE` and `REMOTE_USER`.
    pub guarded: bool,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    /// No script: the file service answers.
    Files,
    /// The script is looked for; so many segments of the path were asked for.
    Search { path: Path, depth: usize },
    /// The script is given the content.
    Feed,
    /// Its header is read.
    Head(Script),
    /// What follows the header is sent.
    Send,
    /// What it still says is for nobody, but it may come to its end.
    Drain,
}

impl Cgi {
    /// CGI as `http.server --cgi` has it, for a server that listens at this name and port.
    pub const fn new(server_name: &'static str, server_port: u16) -> Self {
        Cgi {
            files: Files::new(),
            cgi_directories: &["/cgi-bin", "/htbin"],
            server_name,
            server_port,
            guarded: false,
            stage: Stage::Files,
        }
    }

    /// How many segments of this path name a directory of scripts, if it leads into one.
    ///
    /// ```
    /// # use sanserve_core::{Cgi, Path};
    /// let cgi = Cgi::new("localhost", 8000);
    /// assert_eq!(cgi.is_cgi(&Path::parse("/x/..//cgi-bin%2fa.sh/info?q").unwrap()), Some(1));
    /// assert_eq!(cgi.is_cgi(&Path::parse("/cgi-bin").unwrap()), None);
    /// ```
    pub fn is_cgi(&self, path: &Path) -> Option<usize> {
        let depth = path.segments().count();
        let last = if path.ends_with_slash() {
            depth
        } else {
            depth.saturating_sub(1)
        };
        (1..=last).find(|&depth| {
            let above = path.first(depth);
            let is_above = |name: &str| name.trim_start_matches('/').as_bytes() == above.as_bytes();
            self.cgi_directories.iter().any(|name| is_above(name))
        })
    }

    /// Whether a directory is asked for as an archive that scripts are in, near or far below: that would
    /// give away what stands in them.
    fn gives_away(&self, ex: &Exchange<'_>) -> bool {
        let holds = |path: &Path| {
            let above = path.as_bytes();
            self.cgi_directories.iter().any(|name| {
                let rest = name.trim_start_matches('/').as_bytes().strip_prefix(above);
                rest.is_some_and(|rest| above.is_empty() || matches!(rest, [] | [b'/', ..]))
            })
        };
        let path = || (self.files.translate_path)(ex.path());
        (self.files.archive)(ex.path()).is_some() && path().as_ref().is_some_and(holds)
    }

    /// Asks for the next segment of the path below a directory that was found.
    fn search(&mut self, ex: &mut Exchange<'_>, path: Path, depth: usize) -> Next {
        if depth == path.segments().count() {
            let slash = if path.ends_with_slash() { "/" } else { "" };
            let name = format!("{}{slash}", name(&path, depth));
            return ex.send_error(
                403,
                format_args!("CGI script is not a plain file ({})", Repr(&name)),
            );
        }
        let next = path.first(depth + 1);
        self.stage = Stage::Search {
            path,
            depth: depth + 1,
        };
        Next::Open(next)
    }

    fn run(&mut self, ex: &mut Exchange<'_>, path: &Path, depth: usize, meta: Meta) -> Next {
        let script = path.first(depth);
        if !meta.executable {
            return ex.send_error(
                403,
                format_args!(
                    "CGI script is not executable ({})",
                    Repr(&name(path, depth))
                ),
            );
        }
        let query = ex.path().split_once('?').map_or("", |(_, query)| query);
        // RFC 3875 §4.4: a query that is no form is a list of words; as in CPython it is one.
        let args = if query.is_empty() || query.contains('=') {
            Vec::new()
        } else {
            Vec::from([bytes(&query.replace('+', " "))])
        };
        let (mut env, path_translated) =
            environment(ex, self.server_name, self.server_port, path, depth);
        if let Some(given) = Credentials::of(ex).filter(|_| self.guarded) {
            env.push(("AUTH_TYPE", b"Basic".to_vec()));
            env.push(("REMOTE_USER", given.user().into()));
        }
        self.stage = Stage::Feed;
        Next::Run(Box::new(Program {
            path: script,
            args,
            env,
            path_translated,
        }))
    }

    /// Answers while the script is looked for.
    fn found(&mut self, ex: &mut Exchange<'_>, event: Event<'_>, path: Path, depth: usize) -> Next {
        let name = name(&path, depth);
        match event {
            Event::Opened(_, meta) => self.run(ex, &path, depth, meta),
            Event::Directory(_) => self.search(ex, path, depth),
            Event::Failed(_, FsError::NotPlain) => ex.send_error(
                403,
                format_args!("CGI script is not a plain file ({})", Repr(&name)),
            ),
            Event::Failed(_, FsError::Forbidden) => ex.send_error(
                403,
                format_args!("CGI script is not executable ({})", Repr(&name)),
            ),
            Event::Failed(_, FsError::Exhausted) => {
                ex.send_error(503, "Too few resources to run it")
            }
            _ => ex.send_error(404, format_args!("No such CGI script ({})", Repr(&name))),
        }
    }

    /// Takes in what the script says before its content.
    fn head(&mut self, ex: &mut Exchange<'_>, event: Event<'_>, mut script: Script) -> Next {
        match event {
            Event::Data(bytes) => match script.take(bytes, ex) {
                Ok(None) => {
                    self.stage = Stage::Head(script);
                    Next::Read
                }
                Ok(Some(content)) => {
                    ex.write(content);
                    self.stage = Stage::Send;
                    Next::Send(0..u64::MAX)
                }
                Err(what) => ex.send_error(500, what),
            },
            _ => ex.send_error(500, "CGI script sent no header"),
        }
    }
}

/// The first segments of a path, as a client would write them.
fn name(path: &Path, depth: usize) -> String {
    format!("/{}", String::from_utf8_lossy(path.first(depth).as_bytes()))
}

impl Handler for Cgi {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.stage = Stage::Files;
        let path = Path::parse(ex.path()).filter(|path| self.files.shows(path));
        let script = path.and_then(|path| Some((self.is_cgi(&path)?, path)));
        match (script, ex.command()) {
            (Some((depth, path)), "GET" | "HEAD" | "POST") => self.search(ex, path, depth),
            (Some(_), _) => self.files.answer_method(ex, "GET, HEAD, POST, OPTIONS"),
            (None, "GET" | "HEAD") if self.gives_away(ex) => {
                self.files.error(ex, 403, "There are scripts in it")
            }
            (None, _) => self.files.begin(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match mem::replace(&mut self.stage, Stage::Files) {
            Stage::Files => self.files.resume(ex, event),
            Stage::Search { path, depth } => self.found(ex, event, path, depth),
            Stage::Feed => match event {
                Event::Running(_) => {
                    self.stage = Stage::Feed;
                    Next::Feed
                }
                Event::End => {
                    self.stage = Stage::Head(Script::new());
                    Next::Read
                }
                Event::Failed(_, FsError::Unsupported) => {
                    ex.send_error(501, "CGI scripts cannot be run here")
                }
                _ => ex.send_error(500, "CGI script cannot be run"),
            },
            Stage::Head(script) => self.head(ex, event, script),
            // The length that it announced is sent, or it is HEAD: it may still come to its end.
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
