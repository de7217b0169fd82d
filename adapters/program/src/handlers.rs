//! Creates the handlers that the options ask for: the check of the host, passwords, CGI scripts and uploads around the
//! file service.

use std::net::SocketAddr;
use std::sync::Arc;

#[cfg(unix)]
use sanserve_core::ResumableUploads;
use sanserve_core::{
    Cgi, Credentials, Event, Exchange, Files, Guard, Handler, Hosts, Next, Right, Upload,
};

use super::access::{self, Passwords};
use super::options::Options;
use super::settings::hosts;

/// Returns a handler for each connection.
pub(super) type Handlers = Box<dyn Fn() -> ConnectionHandler + Send + Sync>;

/// The handler of a connection. It is one type for all options, so that the program contains the code of connections only
/// once. The file service alone is not boxed: the boxes of idle connections would leave gaps in the heap.
pub(super) enum ConnectionHandler {
    Files(Files),
    Boxed(Box<dyn Handler + Send>),
}

impl ConnectionHandler {
    fn boxed(handler: impl Handler + Send + 'static) -> ConnectionHandler {
        ConnectionHandler::Boxed(Box::new(handler))
    }

    fn inner(&mut self) -> &mut dyn Handler {
        match self {
            ConnectionHandler::Files(files) => files,
            ConnectionHandler::Boxed(handler) => handler,
        }
    }
}

impl Handler for ConnectionHandler {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.inner().begin(ex)
    }

    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.inner().begin_without_tls(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.inner().resume(ex, event)
    }

    fn release(&mut self) {
        self.inner().release();
    }

    fn required_right(&self, ex: &Exchange<'_>) -> Right {
        match self {
            ConnectionHandler::Files(files) => files.required_right(ex),
            ConnectionHandler::Boxed(handler) => handler.required_right(ex),
        }
    }
}

/// Properties of the server that its handlers depend on.
pub(super) struct ServerInfo {
    /// The address that scripts get as SERVER_NAME and SERVER_PORT.
    pub(super) address: SocketAddr,
    pub(super) https: bool,
    /// Whether only this machine can connect.
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "uploads, which depend on it, need Unix")
    )]
    pub(super) loopback_only: bool,
}

/// Returns the handlers.
pub(super) fn handlers(
    options: &Options,
    files: &Files,
    server: &ServerInfo,
    passwords: Option<&Arc<Passwords>>,
) -> Handlers {
    let inner = handlers_for_any_host(options, files, server, passwords);
    let names = hosts(options);
    match names.is_empty() {
        true => inner,
        false => Box::new(move || ConnectionHandler::boxed(Hosts::new(inner(), names.clone()))),
    }
}

/// Returns the handlers without the check of the host.
fn handlers_for_any_host(
    options: &Options,
    files: &Files,
    server: &ServerInfo,
    passwords: Option<&Arc<Passwords>>,
) -> Handlers {
    let inner: Handlers = if let Some(mut scripts) = scripts(options, files, server) {
        scripts.settings_mut().behind_guard = passwords.is_some();
        Box::new(move || ConnectionHandler::boxed(scripts.clone()))
    } else if let Some(upload) = upload(options, files, server) {
        Box::new(move || ConnectionHandler::boxed(upload.clone()))
    } else {
        let files = files.clone();
        Box::new(move || ConnectionHandler::Files(files.clone()))
    };
    let Some(passwords) = passwords.cloned() else {
        return inner;
    };
    let rights = access::rights_of(options, &passwords);
    let cors: Option<Arc<str>> = files.settings().cors.as_deref().map(Arc::from);
    Box::new(move || {
        let passwords = Arc::clone(&passwords);
        let known = move |credentials: &Credentials| passwords.try_verify(credentials);
        let mut guard = Guard::new(inner(), known);
        (guard.cors, guard.rights) = (cors.clone(), rights.clone());
        ConnectionHandler::boxed(guard)
    })
}

/// Returns the CGI handler, if scripts are run. It passes other requests to `files`.
fn scripts(options: &Options, files: &Files, server: &ServerInfo) -> Option<Cgi> {
    if !options.runs_scripts() {
        return None;
    }
    let name = server.address.ip().to_string();
    let mut scripts = Cgi::new(name, server.address.port());
    scripts.settings_mut().https = server.https;
    scripts.files = files.clone();
    if !options.cgi_directories.is_empty() {
        let directories = options.cgi_directories.iter().cloned();
        scripts.settings_mut().cgi_directories = directories.map(Into::into).collect();
    }
    Some(scripts)
}

/// Returns the upload handler, if clients may store or delete files. It passes other requests to `files`.
#[cfg(unix)]
fn upload(options: &Options, files: &Files, server: &ServerInfo) -> Option<Upload> {
    let mut upload = Upload::new();
    upload.files = files.clone();
    (upload.store, upload.overwrite) = (options.upload, options.overwrite);
    upload.delete = options.delete;
    upload.resumable = (!options.plain).then(ResumableUploads::new);
    // With --host, requests for other hosts do not reach this handler.
    upload.loopback_only = server.loopback_only && options.hosts.is_empty();
    (options.upload || options.delete).then_some(upload)
}

#[cfg(not(unix))]
fn upload(_: &Options, _: &Files, _: &ServerInfo) -> Option<Upload> {
    None
}
